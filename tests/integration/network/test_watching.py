"""What an operator is told of validators that do not sign, are away, or sign twice; four real nodes.

Source: docs/how-to/operate-a-network.md, "Watch it".
"""

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bigchaindb.engine.cometbft.commits import SILENT_COUNT
from bigchaindb.engine.cometbft.files import put_validator_state
from tests.support.chains import create
from tests.support.evidence import submit_double_vote
from tests.support.http import request
from tests.support.live_networks import POWER, Network, make_network
from tests.support.members import Member
from tests.support.ports import free_ports
from tests.support.prometheus import NETWORK, panels, running_prometheus
from tests.support.servers import running
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(400)
COUNT: Final = 4
TOTAL: Final = COUNT * POWER
FAR: Final = 10**9
"""A height below which a key signs nothing, as after a slip of a finger."""
SEEN_S: Final = 60.0

_serials: Final = count()


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Four validators, the first of which has figures."""
    made = make_network(tmp_path_factory.mktemp("net"), COUNT)
    made[0].settings = {**made[0].settings, "metrics": {"bind": f"127.0.0.1:{free_ports(1)[0]}"}}
    with running(made):
        made[0].commit(create(next(_serials)))
        yield made


def status(member: Member) -> tuple[int, dict[str, Any]]:
    done = member.run("network", "status", "--json")
    return done.returncode, json.loads(done.stdout)


def line_of(seen: Mapping[str, Any], member: Member) -> Mapping[str, Any]:
    (line,) = [one for one in seen["validators"] if one["public_key"] == member.key.public_key]
    return dict(line)


def figures(member: Member) -> dict[tuple[str, str], float]:
    """Return the figures of the network by name and the first label that they have."""
    answer = request("GET", f"http://{member.settings['metrics']['bind']}/metrics")
    families = text_string_to_metric_families(answer.body.decode())
    samples = [one for family in families for one in family.samples if "_network_" in one.name]
    return {
        (one.name.removeprefix("bigchaindb_network_"), next(iter(one.labels.values()), "")): one.value
        for one in samples
    }


def sign_nothing(network: Network, member: Member, height: int) -> None:
    """Restart a validator so that its key signs nothing up to a height."""
    network.stop(member)
    put_validator_state(member.layout, height=height, round_=0, step=0)
    network.start(member)


def decide(network: Network, block_count: int) -> None:
    for _ in range(block_count):
        network[0].commit(create(next(_serials)))


def until_decided(network: Network, condition: Callable[[], bool], what: str) -> None:
    """Wait while blocks are decided: a node counts from its own look at who is connected, which may come late."""

    def look() -> bool:
        decide(network, 1)
        return condition()

    until(look, what=what, within_s=SEEN_S)


def test_a_validator_that_does_not_sign_is_seen_by_all_and_so_is_a_network_that_halts(network: Network) -> None:
    """Both stay connected, so that nothing but their missing signatures shows it."""
    one, two, three, four = network
    before = json.loads(four.layout.validator_state.read_text())["height"]
    sign_nothing(network, four, FAR)
    until(lambda: status(one)[1]["connected_power"] == TOTAL, what="all to be connected", within_s=SEEN_S)
    decide(network, SILENT_COUNT + 1)
    until_decided(network, lambda: status(one)[1]["signing_power"] == TOTAL - POWER, "the silence to be seen")
    code, seen = status(one)
    assert (code, seen["network"]) == (0, "decides"), "three of four suffice"
    assert line_of(seen, four)["signed"] < line_of(seen, four)["blocks"] - SILENT_COUNT
    assert line_of(seen, four)["signed_height"] < int(before) + SILENT_COUNT
    assert (line_of(seen, four)["connected"], line_of(seen, four)["signing"]) == (True, False)
    assert [line_of(seen, other)["signing"] for other in (one, two, three)] == [True] * 3
    text = one.run("network", "status").stdout
    assert text.count("does not sign") == 1
    until(lambda: figures(one)["validator_signing", four.key.public_key] == 0, what="the figure", within_s=SEEN_S)
    until(lambda: figures(one)["signing_power", ""] == TOTAL - POWER, what="the sum", within_s=SEEN_S)
    assert one.until_logged("a validator does not sign").count("a validator does not sign") == 1, (
        "no line for each block"
    )

    until_decided(network, lambda: "this node's own key does not sign" in four.log, "the node itself to say so")
    own = four.run("network", "status").stdout
    assert f"DOES NOT SIGN, signs nothing up to height {FAR:,}" in own

    sign_nothing(network, three, FAR)
    until(lambda: status(one)[1]["connected_power"] == TOTAL, what="all to be connected", within_s=SEEN_S)
    assert one.post(create(next(_serials)).body, mode="async").status == 202
    until(lambda: status(one)[0] == 3, what="the halt to be seen", within_s=SEEN_S)
    code, seen = status(one)
    assert (seen["state"], seen["network"]) == ("following", "halted")
    until(lambda: status(one)[1]["signing_power"] == TOTAL - 2 * POWER, what="who it is", within_s=SEEN_S)
    assert status(one)[1]["connected_power"] == TOTAL
    assert "halted, nothing is decided: power 20 of 40" in one.run("network", "status").stdout

    network.stop(three, four)
    for member in (three, four):
        height = int(status(one)[1]["height"])
        put_validator_state(member.layout, height=height, round_=0, step=0)
    network.start(three, four)
    decide(network, SILENT_COUNT)
    until_decided(network, lambda: one.log.count("a validator signs again") == 2, "both to sign again")
    until(lambda: status(one)[0] == 0, what="the network to decide", within_s=SEEN_S)


def test_double_signing_that_the_chain_proves_is_told_and_kept(network: Network) -> None:
    """It is in the log of every node, in figures and status, over a restart; the API's list keeps its shape."""
    one, two, _, faulty = network
    decide(network, 1)
    submit_double_vote(two, faulty, height=2, total_power=TOTAL)
    until(lambda: two.rpc("num_unconfirmed_txs")["n_txs"] == "0", what="the mempool to be empty")
    decide(network, 1)
    one.until_logged("misbehaved: double signing")
    code, seen = status(one)
    assert code == 0
    (found,) = seen["misbehaviors"]
    assert (found["address"], found["public_key"]) == (faulty.address.upper(), faulty.key.public_key)
    assert (found["kind"], found["count"], found["height"]) == ("double signing", 1, 2)
    assert faulty.address.upper() in one.run("network", "status").stdout.split("MISBEHAVIOR")[1]
    counted = ("misbehaviors_total", faulty.address.upper())
    until(lambda: figures(one).get(counted) == 1, what="the figure", within_s=SEEN_S)
    faulty.until_logged("this node's own key misbehaved")
    assert all(one.keys() == {"public_key", "voting_power"} for one in one.get("validators").json())
    network.stop(one)
    network.start(one)
    assert status(one)[1]["misbehaviors"] == [found]
    assert one.log.count("misbehaved: double signing") == 1


def test_every_panel_of_a_network_finds_its_series(network: Network, tmp_path: Path) -> None:
    """The dashboard of the package, with a real Prometheus."""
    decide(network, 1)
    with running_prometheus(tmp_path / "prometheus", network[0].settings["metrics"]["bind"]) as server:
        server.until_found([query for panel in panels() if panel.row == NETWORK for query in panel.queries])


def test_a_node_with_a_single_peer_knows_that_its_network_decides(network: Network) -> None:
    member = network.add()
    member.settings["network"]["peers"] = [network[0].peer]
    try:
        network.start(member)
        decide(network, 1)
        until(lambda: status(member)[1]["signing_power"] == TOTAL, what="the others to be seen", within_s=SEEN_S)
        assert status(member)[0] == 0
        assert "this node signs nothing" in member.run("network", "status").stdout
    finally:
        member.kill()
        network.members.remove(member)


def test_a_network_of_which_half_is_away_is_halted(network: Network) -> None:
    one, two, three, four = network
    three.kill()
    four.kill()
    until(lambda: status(one)[1]["connected_power"] == 2 * POWER, what="them to be missed", within_s=SEEN_S)
    code, seen = status(one)
    assert (code, seen["state"], seen["network"]) == (3, "following", "halted")
    assert [line_of(seen, member)["connected"] for member in network] == [True, True, False, False]
    two.kill()
    until(lambda: status(one)[1]["network"] == "cut_off", what="the last one to be missed", within_s=SEEN_S)
    assert status(one)[0] == 3
    network.start(two, three, four)
    until(lambda: status(one)[0] == 0, what="the network to decide", within_s=SEEN_S)
