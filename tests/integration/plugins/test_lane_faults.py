"""Lanes whose process cannot be started, or whose files cannot be written. Source: promises P2, P3 and P6."""

import asyncio
import contextlib
import errno
import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bigchaindb.config import PluginSettings
from bigchaindb.config.settings import RetrySettings
from bigchaindb.errors import StoreError, StoreFull
from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.orders import Pause, Retry, Seek
from bigchaindb.eventlog.retrying import Backoff
from bigchaindb.subscribers import host_protocol as wire
from bigchaindb.subscribers.host_process import HostProcess
from bigchaindb.subscribers.lane_page import Word
from bigchaindb.subscribers.machine import Host, Machine
from bigchaindb.subscribers.supervisor import Supervisor
from tests.integration.plugins.conftest import AT_ONCE, Running, until
from tests.support.processes import children_of

NAME = "misbehaving"


class FullMachine:
    """A machine on which some starts find no room for another process."""

    def __init__(self, *failing: int) -> None:
        """Fail at these starts, counted from 1."""
        self.failing = failing
        self.count = 0

    def start(self, orders: wire.Launch, report: Callable[[wire.Report], None], ended: Callable[[str], None]) -> Host:
        self.count += 1
        if self.count in self.failing:
            raise BlockingIOError("no room for another process")
        return HostProcess(orders, report, ended)


async def started(
    running: Running, machine: FullMachine, *, attempts: int = 1, backoff: Backoff = AT_ONCE, **options: object
) -> Supervisor:
    settings = {
        "start": "genesis",
        "retry": RetrySettings(attempts=attempts, duration_s=0),
        "options": running.options(**options),
    }
    full = Machine(start_host=machine.start, draw=lambda: 1.0)
    supervisor = running.supervisor({NAME: settings}, machine=full, backoff=backoff)
    await supervisor.start()
    return supervisor


def cursor(running: Running) -> int:
    """Return the lane's cursor as it is on disk."""
    return (running.store.node.lane(NAME) or pytest.fail("no row")).acked


async def test_no_event_is_blamed_for_a_process_that_did_not_start(running: Running) -> None:
    """Position 2 ended a process once. What fails after that is the machine's fault, and must not park it."""
    machine = FullMachine(2, 3, 4)
    supervisor = await started(running, machine, attempts=2, fault="kill", at=2)
    running.commit(3)
    await running.until_seen(4)
    assert [(seen.position, seen.attempt) for seen in running.seen()] == [(1, 1), (2, 1), (2, 2), (3, 1)]
    assert machine.count == 5
    assert supervisor.status()[0].parked_count == 0
    assert len(open_pages()) == 1


async def test_p8_a_page_that_is_damaged_beneath_its_process_waits_for_a_word(running: Running) -> None:
    """The next process passes over events that nobody had, in silence."""
    supervisor = await running.run()
    running.commit(3)
    await running.until_settled(supervisor, 3)
    run = supervisor._lanes.all[NAME].run
    assert run is not None
    run.page.words[Word.REACHED] ^= 4
    run.host.kill()
    await until(lambda: supervisor.status()[0].state is State.GAPPED, what="the lane to wait")
    error = supervisor.status()[0].error
    assert "how far its events were read is not what was written" in error
    assert f"bigchaindb plugins seek {NAME} position:" in error
    running.commit(6)
    await supervisor.order(NAME, Seek("position:4"))
    await running.until_seen(9)
    assert running.positions() == [*range(1, 10)]


async def test_a_process_that_cannot_be_watched_is_ended(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no descriptor is left a lane starts again and again: each start would leave a process behind."""
    watch, count = os.pidfd_open, itertools.count(1)
    others = set(children_of(os.getpid()))

    def without_descriptors(pid: int, flags: int = 0) -> int:
        if next(count) == 2:
            raise OSError(errno.EMFILE, "Too many open files")
        return watch(pid, flags)

    monkeypatch.setattr(os, "pidfd_open", without_descriptors)
    await started(running, FullMachine(), attempts=2, fault="kill", at=2)
    running.commit(3)
    await running.until_seen(4)
    assert next(count) == 4, "it was started, without a descriptor, and once more"
    await until(lambda: len(set(children_of(os.getpid())) - others) == 1, what="the end of that one")


def open_pages() -> set[Path]:
    """Return the lane pages that this process has open."""
    found = set()
    for fd in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(fd.readlink())
    return {path for path in found if path.parent.name == "lanes"}


async def test_p2_an_event_that_came_back_and_fails_again_is_parked_again(running: Running) -> None:
    """However soon: no process ran between its being parked and the order."""
    backoff = Backoff(base_s=600, max_s=600)
    supervisor = await started(running, FullMachine(2), backoff=backoff, fault="raise", at=1, times=2)
    running.commit(1)
    await until(lambda: supervisor.status()[0].error.startswith("cannot start"), what="a start that fails")
    await supervisor.order(NAME, Retry((1,)))
    running.commit(2)
    await running.until_seen(4)
    await until(lambda: cursor(running) == 3, what="the cursor in node.db")
    assert running.positions() == [1, 1, 2, 3]
    assert [row.position for row in running.store.node.parked(NAME)] == [1]


async def test_a_lane_goes_on_after_an_order_that_could_not_be_written_down(running: Running) -> None:
    supervisor = await started(running, FullMachine())
    running.commit(2)
    await running.until_seen(2)
    lanes = running.store.directory.lanes
    lanes.rename(lanes.with_name("elsewhere"))
    with pytest.raises(OSError, match="No such file"):
        await supervisor.order(NAME, Seek("now"))
    lanes.with_name("elsewhere").rename(lanes)
    running.commit(1)
    await running.until_seen(3)
    assert running.positions() == [1, 2, 3]


async def test_p6_progress_is_written_down_after_a_read_that_failed(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = await started(running, FullMachine(), fault="raise", at=1)
    running.commit(1)
    await until(lambda: supervisor.status()[0].parked_count == 1, what="a parked event")
    await supervisor.order(NAME, Retry())
    failed = []

    def fail(_lane: str) -> int:
        failed.append(1)
        raise StoreError("node.db: disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(running.store.node, "parked_count", fail)
        running.commit(1)
        await until(lambda: failed, what="the read that fails")
    running.commit(2)
    await until(lambda: cursor(running) == 4, what="the cursor in node.db")
    await until(lambda: supervisor.status()[0].parked_count == 0, what="the new count")


async def test_a_plugin_that_is_being_enabled_takes_no_order_before_it_runs(running: Running) -> None:
    """Else the one who waits for it to run would wait for ever, and nobody could enable another."""
    supervisor = running.supervisor({})
    await supervisor.start()
    settings = PluginSettings(start="genesis", options=running.options())
    enabling = asyncio.create_task(supervisor.reload({NAME: settings}))
    while not supervisor.status() or supervisor.status()[0].state is State.STOPPED:  # noqa: ASYNC110 - each turn counts
        await asyncio.sleep(0)
    assert (await supervisor.order(NAME, Pause())).state is State.PAUSED
    async with asyncio.timeout(60):
        assert await enabling == {}


async def test_a_plugin_can_be_enabled_again_after_a_disk_was_full(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = PluginSettings(start="genesis", options=running.options())
    supervisor = running.supervisor({NAME: {"start": "genesis", "options": running.options()}})
    await supervisor.start()
    full = StoreFull("node.db: no room")

    def refuse(*_: object, **__: object) -> None:
        raise full

    with monkeypatch.context() as patched:
        patched.setattr(running.store.node, "save_lanes", refuse)
        running.commit(1)
        await running.until_seen(1)
        with pytest.raises(StoreFull):
            await supervisor.reload({})
    assert await supervisor.reload({NAME: settings}) == {}
    running.commit(1)
    await until(lambda: 2 in running.positions(), what="position 2")
