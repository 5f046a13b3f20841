"""Data folders that earlier versions wrote: a node of this version opens each and goes on, and nothing differs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bigchaindb.store.migrations import LEDGER_STEPS, NODE_STEPS
from bigchaindb.transaction import build
from tests.support import kept_ledgers
from tests.support.chains import ALICE
from tests.support.kept_ledgers import LANES, digest, events, lane_file, parked, schema_of, unspent
from tests.support.node import Node
from tests.support.waiting import until


@pytest.fixture(params=kept_ledgers.kept())
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def node(name: str, tmp_path: Path) -> Iterator[Node]:
    """A node of this version over a folder of another, not started yet."""
    one = kept_ledgers.unpacked(name, tmp_path)
    try:
        yield one
    finally:
        one.kill()


def test_a_folder_of_this_version_is_kept() -> None:
    """A schema without a folder would have nothing that later versions are tested with: `make fixtures` makes it."""
    assert f"ledger-{max(LEDGER_STEPS) + 1}-node-{max(NODE_STEPS) + 1}" in kept_ledgers.kept()


def test_a_node_goes_on_with_a_kept_folder(name: str, node: Node) -> None:
    facts = kept_ledgers.facts_of(name)
    assert {kind: schema_of(node.data / f"{kind}.db") for kind in ("ledger", "node")} == facts["schemas"]
    node.start()
    log = list(events(node))
    assert [{"sha256": digest(body), "token": token} for body, token in log] == facts["events"]
    assert json.loads(node.get("events", after=facts["events"][-2]["token"], limit=1).body)["head"] is True
    for transaction_id, sha256 in facts["transactions"].items():
        assert digest(node.get(f"transactions/{transaction_id}").body.strip()) == sha256
    assert {key: unspent(node, key) for key in facts["unspent"]} == facts["unspent"]

    assert {lane: lane_file(node, lane) for lane in LANES} == facts["taken"]
    assert parked(node) == facts["parked"]
    if facts["subscription"] is not None:
        shown = json.loads(node.get("subscriptions/billing").body)
        kept = {member: facts["subscription"][member] for member in ("definition", "cursor", "token")}
        assert {member: shown[member] for member in kept} == kept
    for position, proof in facts["proofs"].items():
        _require_proven(node, facts["validators"], position, proof)

    assert node.post(build.create([ALICE], data={"name": "the next one"}).body).status == 202
    (node.folder / "mended").touch()
    for order in (("restart", "behind"), ("retry", "picky", "--all")):
        carried_out = node.run("plugins", *order)
        assert carried_out.returncode == 0, carried_out
    whole = list(range(1, len(log) + 2))
    until(lambda: lane_file(node, "steady") == whole, what="the plugin that had taken all to take the next event")
    until(lambda: lane_file(node, "behind") == whole, what="the plugin that stood to go on at its event")
    until(lambda: sorted(lane_file(node, "picky")) == whole, what="what was parked to come again")
    until(lambda: _checked(node) == ([], 0), what="all rows to have checksums, and no damage")
    assert node.stop() == 0
    assert {kind: schema_of(node.data / f"{kind}.db") for kind in ("ledger", "node")} == {
        "ledger": max(LEDGER_STEPS) + 1,
        "node": max(NODE_STEPS) + 1,
    }


def _require_proven(node: Node, validators: object, position: str, proof: object) -> None:
    """Require that the proof which an earlier version made is accepted, and that this version makes the same one."""
    files = {"proof.json": proof, "validators.json": validators}
    for file, document in files.items():
        (node.folder / file).write_text(json.dumps(document))
    line = [str(node.folder / file) for file in files]
    verified = node.run("verify", line[0], "--validators", line[1])
    assert verified.returncode == 0, verified
    assert json.loads(node.get(f"events/{position}/proof").body) == proof


def _checked(node: Node) -> tuple[object, object]:
    found = json.loads(node.run("check", "--json").stdout)
    return found["damages"], found["unchecked_count"]
