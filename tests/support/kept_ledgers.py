"""Data folders that earlier versions wrote, kept in `tests/upgrades`; `make fixtures` adds the folder of one commit.

`python -m tests.support.kept_ledgers [CHECKOUT]` starts the node of a checkout, whose environment is in `.venv`, and
makes two files of what it leaves: an archive of the folder, and the facts that a later version has to find in it.
"""

import hashlib
import json
import lzma
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bigchaindb.identity import make_chain_id
from bigchaindb.store.migrations import schema_of
from bigchaindb.transaction import build
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.model import OutputRef
from tests.support.chains import ALICE, BOB, NODE
from tests.support.installed import CHECKOUT
from tests.support.ledgers import decide, ledger_over, open_store, propose
from tests.support.node import COMMAND, Node, configuration_of
from tests.support.packages import advertise
from tests.support.waiting import until

KEPT: Final = CHECKOUT / "tests/upgrades"
TRANSACTION_COUNT: Final = 24
"""CREATEs and TRANSFERs by turns, one transaction in each block, before what a folder has besides."""
PARKED: Final = (3, 11)
BLOCKED: Final = 7
SUBSCRIBED: Final = 5
"""The place of the subscription, where the version has subscriptions."""
KEY_PAIR: Final = {"public": NODE.public_key, "private": NODE.private_key}
LANES: Final = {"steady": "park", "picky": "park", "behind": "block"}
"""A plugin that takes all, one that parks two events, and one that stands before an event; each with `on_failure`."""
PLUGIN: Final = """
from pathlib import Path

def run(queue):
    for event in queue:
        if event.position in {refused} and not Path("mended").exists():
            raise ValueError("not mended")
        with Path("{name}.txt").open("a") as file:
            print(event.position, file=file)
"""
REFUSED: Final[Mapping[str, tuple[int, ...]]] = {"steady": (), "picky": PARKED, "behind": (BLOCKED,)}
ARCHIVE_BYTES_MAX: Final = 300_000
_EVENT: Final = re.compile(rb'^\{"events":\[(.*)\],"head":(?:true|false),"next":"([^"]+)"\}\s*$', re.DOTALL)


def kept() -> list[str]:
    """Return the names of the folders that are kept."""
    return sorted(path.stem for path in KEPT.glob("*.json"))


def facts_of(name: str) -> dict[str, Any]:
    """Return what a later version has to find in a folder."""
    facts: dict[str, Any] = json.loads((KEPT / f"{name}.json").read_text())
    return facts


def unpacked(name: str, folder: Path) -> Node:
    """Unpack a folder; return the node over it, with its plugins, as it was set up by the version that wrote it."""
    with tarfile.open(KEPT / f"{name}.tar.xz") as archive:
        archive.extractall(folder, filter="tar")
    settings = json.loads((folder / "bigchaindb.json").read_text())
    fresh = configuration_of(folder, {})
    return Node(folder, settings | fresh, _installed(folder), COMMAND)


def lane_file(node: Node, lane: str) -> list[int]:
    """Return the positions that a plugin took, in its order."""
    file = node.folder / f"{lane}.txt"
    return [int(line) for line in file.read_text().splitlines()] if file.exists() else []


def events(node: Node) -> Iterator[tuple[bytes, str]]:
    """Read the log event by event; yield the bytes of each CloudEvent and the token behind it."""
    after: dict[str, str] = {}
    while True:
        body = node.get("events", limit=1, **after).body
        found = _EVENT.match(body)
        assert found, body
        if not found[1]:
            return
        after = {"after": found[2].decode()}
        yield found[1], after["after"]


def unspent(node: Node, public_key: str) -> list[Any]:
    """Return the unspent outputs of a key, in an order of their own."""
    found = json.loads(node.get("outputs", public_key=public_key, spent="false").body)
    return sorted(found, key=lambda output: (output["transaction_id"], output["output_index"]))


def parked(node: Node) -> list[int]:
    """Return the positions that the plugin `picky` has parked."""
    listed = node.run("plugins", "parked", "picky", "--json")
    return [one["position"] for one in json.loads(listed.stdout)] if listed.returncode == 0 else []


def digest(data: bytes) -> str:
    """Return a SHA-256 in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def make(checkout: Path) -> str:
    """Keep the folder that a node of a checkout leaves; return its name."""
    with tempfile.TemporaryDirectory(prefix="bigchaindb-kept-") as made:
        folder = Path(made)
        retry = {"attempts": 1, "duration_s": 0}
        plugins = {
            name: {"start": "genesis", "on_failure": on_failure, "retry": retry} for name, on_failure in LANES.items()
        }
        settings = configuration_of(folder, {"events_plugins": plugins, "keypair": KEY_PAIR})
        if checkout == CHECKOUT:
            _write_invalid_block(folder / "data")
        node = Node(folder, settings, _installed(folder), (str(checkout / ".venv/bin/bigchaindb"),))
        try:
            facts = _lived(node) | {"commit": _commit(checkout)}
        finally:
            node.kill()
        facts["schemas"] = {name: schema_of(node.data / f"{name}.db") for name in ("ledger", "node")}
        name = "ledger-{ledger}-node-{node}".format(**facts["schemas"])
        _archive(folder, KEPT / f"{name}.tar.xz")
        (KEPT / f"{name}.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    return name


def _lived(node: Node) -> dict[str, Any]:
    """Have a node commit, deliver and stop; return the facts."""
    node.start()
    for signed in _transactions():
        answer = node.post(signed.body)
        assert answer.status == 202, answer
    log = list(events(node))
    head = len(log)
    until(lambda: [lane_file(node, name)[-1:] for name in LANES] == [[head], [head], [BLOCKED - 1]], what="the plugins")
    until(lambda: parked(node) == list(PARKED), what="the events to be parked")
    subscription = {"start": f"position:{SUBSCRIBED}", "select": {"operation": "CREATE"}}
    knows = node.run("subscriptions", "--help").returncode == 0
    subscribed = json.loads(node.put("subscriptions/billing", subscription).body) if knows else None
    facts = {
        "events": [{"sha256": digest(body), "token": token} for body, token in log],
        "transactions": {
            signed.id: digest(node.get(f"transactions/{signed.id}").body.strip()) for signed in _transactions()
        },
        "unspent": {owner.public_key: unspent(node, owner.public_key) for owner in (ALICE, BOB)},
        "validators": json.loads(node.get("validators").body),
        "proofs": {str(position): json.loads(node.get(f"events/{position}/proof").body) for position in (1, head)},
        "taken": {name: lane_file(node, name) for name in LANES},
        "parked": list(PARKED),
        "subscription": subscribed,
    }
    assert node.stop() == 0
    return facts


def _write_invalid_block(folder: Path) -> None:
    """Write a ledger whose second block repeats a transaction of the first: no client can bring that about."""
    folder.mkdir(mode=0o700)
    make_chain_id(folder)
    body = build.create([ALICE], data={"name": "the first one"}).body
    with open_store(folder) as store:
        ledger = ledger_over(store.writer)
        for _ in range(2):
            decide(ledger, propose(store.writer, body))


def _transactions() -> list[build.Signed]:
    """Return CREATEs of ALICE, each of which goes to BOB afterwards; the same ones each time."""
    found = []
    for serial in range(TRANSACTION_COUNT // 2):
        created = build.create([ALICE], data={"serial": serial, "name": f"pallet {serial}"})
        spend = build.Spend(OutputRef(created.id, 0), details_of([ALICE.public_key]), (ALICE,))
        payment = build.Payment(details_of([BOB.public_key]), 1)
        moved = build.transfer(created.id, [spend], [payment], metadata={"serial": serial})
        found += [created, moved]
    del found[-1]  # ALICE keeps one
    return [*found, build.create([BOB], data={"name": "the last one"})]


def _installed(folder: Path) -> dict[str, str]:
    """Install the plugins into a folder; return the environment that has them."""
    site = folder / "installed"
    if not site.exists():
        advertise(site, "kept", {name: f"{name}_plugin" for name in LANES})
        for name in LANES:
            (site / f"{name}_plugin.py").write_text(PLUGIN.format(name=name, refused=REFUSED[name]))
    return {"PYTHONPATH": str(site)}


def _archive(folder: Path, file: Path) -> None:
    """Pack data, configuration and what the plugins wrote; times and owners do not matter and are left out."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mtime = 0
        return member

    with (
        lzma.open(file, "wb", preset=9 | lzma.PRESET_EXTREME) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for name in ("bigchaindb.json", "data", *(f"{lane}.txt" for lane in LANES)):
            archive.add(folder / name, name, filter=plain)
    assert file.stat().st_size <= ARCHIVE_BYTES_MAX, f"{file}: {file.stat().st_size} bytes"


def _commit(checkout: Path) -> str:
    line = ["git", "-C", str(checkout), "rev-parse", "--short=12", "HEAD"]
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    KEPT.mkdir(exist_ok=True)
    print(make(Path(sys.argv[1]) if len(sys.argv) > 1 else CHECKOUT))
