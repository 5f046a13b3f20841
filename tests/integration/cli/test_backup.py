"""`backup` of a node that works, and what happens when it is restored.

Source: docs/reference/promises.md, P2, P8; decision 0023.
"""

import asyncio
import json
import random
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from bigchaindb.eventlog import token
from bigchaindb.subscribers.lane_page import LanePage
from tests.conftest import StartNode
from tests.integration.node.audit import audit
from tests.integration.node.owners import Owner, trading
from tests.support.node import COMMAND, Node, configuration_of
from tests.support.packages import install
from tests.support.raw import until
from tests.support.small_disk import small_disk

OWNERS: Final = 4
ENOUGH: Final = 40
PLUGIN: Final = """
def run(queue):
    while True:
        queue.get()
"""


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node with a plugin; a test starts it."""
    settings = configuration_of(tmp_path, {"events_plugins": {"follower": {"start": "genesis"}}})
    one = Node(tmp_path, settings, install(tmp_path / "installed", "follower", PLUGIN), COMMAND)
    yield one
    one.kill()


def promised(owners: list[Owner]) -> set[str]:
    return set().union(*(owner.promised for owner in owners))


async def until_committed(owners: list[Owner], count: int = ENOUGH) -> None:
    wanted = len(promised(owners)) + count
    await until(lambda: len(promised(owners)) >= wanted, f"{count} more commits")


async def back_up(node: Node, target: Path) -> dict[str, Any]:
    done = await asyncio.to_thread(node.run, "backup", "--json", str(target))
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def token_at(node: Node, position: int) -> str:
    """Make the token that the node gives out for a place."""
    with closing(sqlite3.connect(f"file:{node.data}/ledger.db?mode=ro", uri=True)) as connection:
        ((digest,),) = connection.execute("SELECT digest FROM events WHERE position = ?", (position,)).fetchall()
    return token.encode((node.data / "chain_id").read_text().strip(), position, token.WHOLE, digest)


def head(ledger: Path) -> int:
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT position FROM tip").fetchall()[0][0])


async def test_p8_a_restored_backup_goes_on_nowhere_by_itself(node: Node, tmp_path: Path) -> None:
    """Events after the backup are gone: whoever has seen them must learn it, not get others under their positions."""
    owners = [Owner(f"owner {number}", random.Random(number)) for number in range(OWNERS)]
    node.start()
    async with trading(node, owners):
        await until_committed(owners)
        before = promised(owners)
        report = await back_up(node, tmp_path / "copy")
        known = token_at(node, report["position"])
        await until_committed(owners)
        assert node.stop() == 0
    lost_head = head(node.data / "ledger.db")
    lost = token_at(node, lost_head)

    copied = audit(tmp_path / "copy" / "ledger.db")
    assert len(copied.block_ids) == report["position"]
    assert before <= copied.bodies.keys()
    for page in (tmp_path / "copy" / "lanes").iterdir():
        with closing(LanePage(page)) as opened:
            assert opened.progress().cursor <= report["position"]

    assert node.run("restore", str(tmp_path / "copy")).returncode == 0
    node.start()
    said = r"not started.* plugin=follower state=GAPPED .*restored from a backup.*plugins seek follower position:\d+"
    await asyncio.to_thread(node.until_logged, re.compile(said))
    with connect(f"{node.stream_url}?after={known}"):
        pass
    assert_lost(node, lost)
    async with trading(node, [Owner("somebody else", random.Random(0))]):
        await until(lambda: head(node.data / "ledger.db") > lost_head, "the log to be longer than it was")
        assert_lost(node, lost)
        assert node.stop() == 0


def assert_lost(node: Node, lost: str) -> None:
    """Require that a client which comes with this token is told, and followed nowhere."""
    with pytest.raises(InvalidStatus) as refused, connect(f"{node.stream_url}?after={lost}"):
        pass
    assert refused.value.response.status_code == 400
    assert b"the log does not hold position" in refused.value.response.body


async def test_a_backup_holds_up_nobody(node: Node, tmp_path: Path) -> None:
    """Commits go on while it is made, and it ends although they do."""
    owners = [Owner(f"owner {number}", random.Random(number)) for number in range(OWNERS)]
    node.start()
    async with trading(node, owners):
        await until_committed(owners)
        for number in range(3):
            begun = len(promised(owners))
            report = await back_up(node, tmp_path / f"copy {number}")
            assert len(promised(owners)) > begun
            assert report["position"] >= number
        assert node.stop() == 0


def test_a_person_is_told_what_is_in_it(start_node: StartNode, tmp_path: Path) -> None:
    node = start_node()
    done = node.run("backup", str(tmp_path / "copy"))
    first, second = done.stdout.splitlines()
    assert first.startswith(f"{tmp_path}/copy: height 0, position 0, ")
    assert second == "The backup holds the node's private key."
    assert (tmp_path / "copy" / "keypair.json").read_bytes() == (node.data / "keypair.json").read_bytes()
    done = node.run("backup", str(tmp_path / "another"), "--without-key")
    assert done.stdout.splitlines()[1] == "The backup does not hold the node's private key."
    again = node.run("backup", str(tmp_path / "copy"))
    assert again.returncode == 1
    assert again.stderr.endswith("/copy' exists and is not empty: name a new directory\n")


def test_a_disk_without_room_for_it_gets_none(start_node: StartNode, tmp_path: Path) -> None:
    """Found out before; and where the room is taken meanwhile, nothing is left that looks like a backup."""
    node = start_node()
    with small_disk(tmp_path / "disk", size_bytes=1 << 20) as disk:
        needed = sum((node.data / name).stat().st_size for name in ("ledger.db", "node.db"))
        for but, said in ((0, "the copy takes about"), (needed + 4_096, "No space left|no room on the disk")):
            disk.fill(but=but)
            done = node.run("backup", str(disk.path / "copy"))
            assert done.returncode == 1
            assert re.search(said, done.stderr)
            assert [path.name for path in disk.path.iterdir()] == ["ballast"]
            disk.make_room()
        mounted = node.run("backup", str(disk.path))
        assert "is a mount point: name a directory in it" in mounted.stderr
