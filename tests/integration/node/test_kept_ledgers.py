"""Data folders that earlier versions wrote: a node of this version opens each and goes on, and nothing differs."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.store.migrations import LEDGER_VERSION, NODE_VERSION, schema_of
from bigchaindb.transaction import build
from tests.support import kept_ledgers
from tests.support.chains import ALICE
from tests.support.kept_ledgers import LANES, digest, events, facts_of, lane_file, parked, unspent
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
    assert f"ledger-{LEDGER_VERSION}-node-{NODE_VERSION}" in kept_ledgers.kept()


def test_a_node_goes_on_with_a_kept_folder(name: str, node: Node) -> None:
    facts = facts_of(name)
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
        "ledger": LEDGER_VERSION,
        "node": NODE_VERSION,
    }


def test_an_upgrade_is_announced_and_there_is_a_way_back(tmp_path: Path) -> None:
    """Whoever upgrades learns before the start what it does, and afterwards what leads back."""
    name, *_ = kept_ledgers.kept()
    node = kept_ledgers.unpacked(name, tmp_path)
    node.configuration.touch(mode=0o600)
    node.configuration.write_text(json.dumps(node.settings))
    examined = node.run("doctor")
    assert examined.returncode == 0, examined
    for file, version, latest in (("ledger", 2, LEDGER_VERSION), ("node", 2, NODE_VERSION)):
        announced = f"{file}.db: schema {version} is of an earlier version; the next start brings it to {latest}"
        assert announced in examined.stdout, examined
    made = node.run("backup", str(tmp_path / "before"))
    assert made.returncode == 0, made
    node.start()
    node.until_logged("brought to the schema of this version", count=2)
    assert node.stop() == 0
    assert "versions" not in node.run("doctor").stdout
    restored = node.run("restore", str(tmp_path / "before"))
    assert restored.returncode == 0, restored
    assert schema_of(node.data / "ledger.db") == facts_of(name)["schemas"]["ledger"], "the earlier version opens it"


@pytest.mark.parametrize("kind", ["ledger", "node"])
def test_data_of_a_later_version_are_refused(kind: str, tmp_path: Path) -> None:
    node = kept_ledgers.unpacked(f"ledger-{LEDGER_VERSION}-node-{NODE_VERSION}", tmp_path)
    latest = {"ledger": LEDGER_VERSION, "node": NODE_VERSION}[kind]
    with closing(sqlite3.connect(node.data / f"{kind}.db")) as connection:
        connection.execute(f"PRAGMA user_version = {latest + 1}")
    node.launch()
    assert node.process is not None
    assert node.process.wait(60) != 0
    refused = f"schema {latest + 1} was written by a later version of this software, which knows {latest} at most"
    assert refused in node.log
    assert "go back with `bigchaindb restore` and a backup from before the upgrade" in node.log
    examined = node.run("doctor")
    assert examined.returncode == 1
    assert refused in examined.stdout


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
