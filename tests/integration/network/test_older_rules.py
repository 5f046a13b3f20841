"""A node whose network has older rules than its program reads its ledger, says so, and has no part in consensus."""

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.store import NodeDb
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.own import Outbox
from tests.support.chains import CHILD, PARENT, create
from tests.support.http import request
from tests.support.live_networks import make_network
from tests.support.members import Member
from tests.support.node import START_S
from tests.support.ports import free_ports
from tests.support.waiting import until

ACCEPTED = create(3)
TOLD = (
    "this node reads its ledger and does not vote: its network has rules 2, and this program has rules "
    f"{RULES_VERSION} (3: "
)


@pytest.fixture
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Member, dict[str, bytes]]]:
    """A validator that decided two blocks, and whose genesis is then one of older rules; and what it answered."""
    network = make_network(tmp_path_factory.mktemp("older"), 1)
    member = network[0]
    try:
        network.start()
        member.commit(PARENT, CHILD)
        proof = member.get("events/1/proof").body
        validators = member.get("validators").body
        events = b"\n".join(member.events())
        network.stop()
        document = json.loads(member.layout.genesis.read_bytes())
        document["consensus_params"]["version"]["app"] = "2"
        member.layout.genesis.write_text(json.dumps(document))
        with closing(NodeDb(DataDirectory(member.layout.data).node)) as node_db:
            Outbox(node_db).put([(ACCEPTED.id, ACCEPTED.body)])
        member.settings = {**member.settings, "metrics": {"bind": f"127.0.0.1:{free_ports(1)[0]}"}}
        yield member, {"proof": proof, "validators": validators, "events": events}
    finally:
        network.kill()


def test_a_folder_of_older_rules_is_read_and_does_not_vote(node: tuple[Member, dict[str, bytes]]) -> None:
    member, before = node
    height = member.height()
    member.launch()
    until(member.answers, what="the node to answer", within_s=START_S)
    member.until_logged(TOLD, since=member.log_start)
    member.until_logged("run the release that has rules 2", since=member.log_start)
    assert b"\n".join(member.events()) == before["events"]
    assert member.get("validators").body == before["validators"]
    assert member.get(f"transactions/{CHILD.id}").status == 200
    refused = member.post(create(2).body, mode="commit")
    assert refused.status == 503
    assert TOLD in refused.body.decode()
    assert member.get("events/1/proof").status == 504, "its header is CometBFT's"
    metrics = request("GET", f"http://{member.settings['metrics']['bind']}/metrics").body.decode()
    assert "\nbigchaindb_network_outbox_transactions 1.0\n" in metrics, "what was accepted waits for the right release"
    assert member.cometbft_pid() is None
    assert "has rules 2" not in member.run("network", "status").stderr
    assert member.stop() == 0
    assert member.height() == height


def test_commands_read_a_folder_of_older_rules(node: tuple[Member, dict[str, bytes]]) -> None:
    member, before = node
    for name in ("proof", "validators"):
        (member.folder / name).write_bytes(before[name])
    copy = member.folder / "copy"
    for arguments in (
        ("events", "tail"),
        ("verify", str(member.folder / "proof"), "--validators", str(member.folder / "validators")),
        ("backup", "--without-key", str(copy)),
    ):
        done = member.run(*arguments)
        assert done.returncode == 0, (arguments, done.stderr)
    assert copy.exists()
