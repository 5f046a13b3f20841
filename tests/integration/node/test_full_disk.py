"""A disk that really fills up under a real node: it says so, loses nothing, and goes on by itself.

Source: docs/reference/promises.md, P2, P7, L5.
"""

import asyncio
import random
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path
from typing import Final

import pytest

from tests.integration.node.audit import audit
from tests.integration.node.owners import Owner, trading
from tests.support.node import COMMAND, START_S, Node, configuration_of
from tests.support.raw import ask, until
from tests.support.served import serving
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.waiting import until as until_true
from tests.support.waiting import whole_lines

DISK_BYTES: Final = 48 << 20
RESERVE: Final = 8 << 20
OWNERS: Final = 4
ENOUGH: Final = 40
"""Commits that show that a node works."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", size_bytes=DISK_BYTES) as mounted:
        yield mounted


@pytest.fixture
def busy(tmp_path: Path, disk: SmallDisk, plugins: Mapping[str, str]) -> Iterator["Busy"]:
    one = Busy(tmp_path, disk, plugins)
    yield one
    one.node.kill()


class Busy:
    """A node with its data on a small disk, clients that trade, and a plugin whose record lies elsewhere."""

    def __init__(self, folder: Path, disk: SmallDisk, plugins: Mapping[str, str]) -> None:
        self.disk = disk
        self.record = folder / "record"
        settings = {
            "database": {"path": str(disk.path / "data")},
            "events_plugins": {"recorder": {"start": "genesis", "options": {"record": str(self.record)}}},
        }
        self.node = Node(folder, configuration_of(folder, settings), plugins, COMMAND)
        self.owners = [Owner(f"owner {number}", random.Random(number)) for number in range(OWNERS)]

    def start(self, *, least: int) -> None:
        """Start it with so many bytes as `limits.disk_free_bytes_min`."""
        limits = {"disk_free_bytes_min": least, "disk_free_bytes_warn": DISK_BYTES // 2}
        self.node.settings = {**self.node.settings, "limits": limits}
        self.node.start()

    def trading(self) -> AbstractAsyncContextManager[None]:
        return trading(self.node, self.owners)

    def promised(self) -> int:
        return sum(len(owner.promised) for owner in self.owners)

    async def until_committed(self, count: int = ENOUGH) -> None:
        """Wait until so many more transactions are committed."""
        wanted = self.promised() + count
        await until(lambda: self.promised() >= wanted, f"{count} more commits")

    async def until_refused(self) -> None:
        """Wait until clients are told that the disk is full, and when to come back."""
        while (answer := await asyncio.to_thread(self.node.post, {}, mode="async")).status != 503:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert "the disk is full" in answer.json()["message"]
        assert int(answer.headers["retry-after"]) >= 1
        assert (await asyncio.to_thread(self.node.get, "")).status == 200  # whoever reads is served

    async def until_recorded(self) -> None:
        """Wait until the plugin has seen all that is committed; nobody may commit any more."""
        with closing(sqlite3.connect(f"file:{self.node.data}/ledger.db?mode=ro", uri=True)) as connection:
            ((head,),) = connection.execute("SELECT position FROM tip").fetchall()
        await until(lambda: len(set(self.recorded())) == head, f"the plugin to have seen {head} events")

    def recorded(self) -> list[str]:
        """Return the block ids that the plugin has seen."""
        return [line.split()[1] for line in whole_lines(self.record)]

    def audit(self) -> None:
        """Compare the files of a stopped node with everything that clients and plugin know."""
        audited = audit(self.node.data / "ledger.db")
        for owner in self.owners:
            owner.require_kept(audited.bodies)  # L5
        assert list(dict.fromkeys(self.recorded())) == list(audited.block_ids)  # P2, P3


@pytest.mark.parametrize("least", [RESERVE, 1], ids=["reserve", "to the last byte"])
async def test_p7_a_node_on_a_full_disk_loses_nothing_and_goes_on_when_there_is_room(busy: Busy, least: int) -> None:
    """With the reserve, as by default, the node stops in time; without it writes fail in the middle of a block."""
    busy.start(least=least)
    async with busy.trading():
        await busy.until_committed()
        assert "filling up" not in busy.node.log
        busy.disk.fill(but=least // 2)
        await busy.until_refused()
        warning = re.compile(r"\[warning\] the disk of the ledger is filling up .*free_bytes=\d+ .*hours_left=")
        await asyncio.to_thread(busy.node.until_logged, warning)
        if least == 1:
            await asyncio.to_thread(busy.node.until_logged, "cannot save the progress of events plugins")
        busy.disk.make_room()
        await busy.until_committed()
        await asyncio.to_thread(busy.node.until_logged, "the disk of the ledger has room again")

        busy.disk.fill(but=least // 2)
        await busy.until_refused()
        busy.node.kill()
    busy.disk.make_room()
    busy.start(least=least)
    async with busy.trading():
        await busy.until_committed()
        assert busy.node.stop() == 0
    for owner in busy.owners:
        owner.stopped_cleanly()
    busy.start(least=least)
    await busy.until_recorded()
    assert busy.node.stop() == 0
    busy.audit()
    recorded = busy.recorded()
    assert len(recorded) - len(set(recorded)) <= 1  # P6, by the kill: what could not be written was not forgotten


@pytest.mark.parametrize("free_bytes", [0, 4_096, 40_960])
async def test_a_start_on_a_full_disk_serves_reads_and_goes_on_when_there_is_room(busy: Busy, free_bytes: int) -> None:
    """A node that ended would be started again and again, until its service manager gives up."""
    busy.start(least=RESERVE)
    async with busy.trading():
        await busy.until_committed()
        assert busy.node.stop() == 0
    busy.disk.fill(but=free_bytes)
    busy.node.start()
    busy.node.until_logged(
        re.compile(r"\[error\] the disk is full, the node serves reads and takes no transaction .*free_bytes=\d+")
    )
    await busy.until_refused()
    transaction = next(iter(busy.owners[0].promised))
    assert busy.node.get(f"transactions/{transaction}").status == 200
    await busy.until_recorded()
    busy.node.kill()
    busy.node.start()  # once more: the room that was put by is used up by now
    await busy.until_refused()

    busy.disk.make_room()
    async with busy.trading():
        await busy.until_committed()
        assert busy.node.stop() == 0
    busy.node.start()
    await busy.until_recorded()
    assert busy.node.stop() == 0
    busy.audit()


@pytest.mark.parametrize("goes_on", [True, False], ids=["room is made", "it is stopped"])
def test_a_start_without_any_room_waits_for_it(busy: Busy, *, goes_on: bool) -> None:
    """As on the first start of this version: SQLite cannot even read. It calls that a "disk I/O error"."""
    busy.start(least=RESERVE)
    assert busy.node.stop() == 0
    (busy.node.data / "reserve").unlink()
    busy.disk.fill()
    begun = len(busy.node.log)
    busy.node.launch()
    said = re.compile(
        r"\[error\] the disk is full, the node waits for room to start .*free_bytes=0.*no room on the disk"
    )
    busy.node.until_logged(said, since=begun)
    assert busy.node.process is not None
    assert busy.node.process.poll() is None
    if goes_on:
        busy.disk.make_room()
        until_true(busy.node.answers, what="it to go on by itself", within_s=START_S)
    assert busy.node.stop() == 0


async def test_a_subscription_that_finds_no_room_is_not_there(disk: SmallDisk) -> None:
    """Half of it would refuse its name; and its client must learn that it is worth another try."""
    path = "/api/v1/subscriptions/billing"
    async with serving(disk.path) as served:
        disk.fill()
        body = b'{"select": {"metadata.text": "%b"}}' % (b"x" * 1_000)
        answers = [await ask(served.api.port, "PUT", f"{path}-{number}", body) for number in range(40)]
        refused = [answer for answer in answers if answer.status != 201]
        assert {(one.status, one.headers["retry-after"]) for one in refused} == {(503, "1")}
        there = {one["name"] for one in (await ask(served.api.port, "GET", "/api/v1/subscriptions")).json()}
        assert len(there) == 40 - len(refused)
        assert {*served.store.node.lane_names()} == there
        disk.make_room()
        answers = [await ask(served.api.port, "PUT", f"{path}-{number}", body) for number in range(40)]
        assert sorted(one.status for one in answers) == [200] * len(there) + [201] * len(refused)
