"""What a plugin gets, whatever it does. Source: event-plugin-api.md, sections 4 and 5; promises P2, P3, P6, P9, P11."""

import asyncio
import contextlib
import itertools
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from bigchaindb.config import Limits
from bigchaindb.eventlog.lane import State
from bigchaindb.subscribers.lane_page import LanePage, Word, page_path
from tests.integration.plugins.conftest import EXAMPLES, Running, make_known, until
from tests.support import scale


async def test_p3_every_event_arrives_in_order(running: Running) -> None:
    running.commit(300)
    await running.run()
    running.commit(300)
    await running.until_seen(600)
    assert running.positions() == list(range(1, 601))
    assert {seen.attempt for seen in running.seen()} == {1}


async def test_the_plugin_of_2017_prints_each_block_id(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Standard output is inherited, unbuffered and unchanged; a rejected block is not asked for."""
    source = shutil.copytree(EXAMPLES / "print-on-console", tmp_path / "print-on-console")
    monkeypatch.syspath_prepend(str(make_known(source)))
    running.commit(1)
    running.hub.announce(running.writer.invalid())
    running.commit(1)
    supervisor = running.supervisor({"console_print": {"start": "genesis"}})
    await supervisor.start()
    printed = ""

    def both_printed() -> bool:
        nonlocal printed
        printed += capfd.readouterr().out
        return printed.count("-" * 64 + "\n") == 4

    await until(both_printed, what="two block ids")
    with contextlib.closing(running.store.log_reader()) as log:
        first, third = log.entry(1), log.entry(3)
    assert first is not None
    assert third is not None
    line, banner = "-" * 64 + "\n", "=" * 64 + "\n"
    assert printed == (
        f"{banner}print_on_console is waiting for blocks\n{banner}"
        f"{line}{first.block_id}\n{line}{line}{third.block_id}\n{line}"
    )


async def test_a_new_plugin_begins_at_now(running: Running) -> None:
    running.commit(5)
    await running.run(start="now")
    running.commit(2)
    await running.until_seen(2)
    assert running.positions() == [6, 7]


async def test_p2_a_plugin_goes_on_where_it_was_after_a_restart_of_the_node(running: Running) -> None:
    """And not at "now": what was committed while it was away is not lost; what stopped cleanly does not come again."""
    supervisor = await running.run()
    running.commit(3)
    await running.until_settled(supervisor, 3)
    await supervisor.stop()
    running.commit(3)
    await running.run()
    await running.until_seen(6)
    assert running.positions() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("fault", ["raise", "exit", "exit-hard", "kill"])
async def test_p6_only_the_event_in_hand_comes_again(running: Running, fault: str) -> None:
    """Contract, section 4: restart, redeliver from the first event not confirmed."""
    running.commit(5)
    supervisor = await running.run(fault=fault, at=3, times=2)
    await running.until_seen(7)
    assert [(seen.position, seen.attempt) for seen in running.seen()] == [
        (1, 1), (2, 1), (3, 1), (3, 2), (3, 3), (4, 1), (5, 1)
    ]  # fmt: skip
    assert len({seen.pid for seen in running.seen()}) == 3  # P11
    (status,) = supervisor.status()
    assert (
        status.error
        == {
            "raise": "RuntimeError: cannot digest position 3",
            "exit": "sys.exit(4)",
            "exit-hard": "exit code 0",
            "kill": "killed by SIGKILL",
        }[fault]
    )


async def test_run_that_returns_has_dealt_with_its_event(running: Running) -> None:
    running.commit(3)
    await running.run(fault="return", at=2)
    await running.until_seen(3)
    assert running.positions() == [1, 2, 3]
    assert len({seen.pid for seen in running.seen()}) == 2


async def test_run_that_returns_without_an_event_waits_longer_and_longer(running: Running) -> None:
    running.commit(1)
    supervisor = await running.run(fault="return-at-once")
    await until(lambda: supervisor.status()[0].failure_count >= 3, what="three failures")
    (status,) = supervisor.status()
    assert status.error == "run returned without taking an event"
    assert "run returned" in status.warning
    assert status.position == 0


async def test_run_that_returns_after_each_event_is_complained_of(running: Running) -> None:
    """A loop was forgotten: each event costs the start of a process, and nothing else would show it."""
    running.commit(4)
    supervisor = await running.run(fault="return")
    await running.until_seen(3)
    await until(lambda: supervisor.status()[0].warning, what="the warning")
    assert "times in a row after one event or none" in supervisor.status()[0].warning


async def test_p9_no_commit_waits_for_a_plugin_that_is_stopped_in_get_or_in_run(running: Running) -> None:
    """A thousand commits while one process stands still within a read of the log and one within its own work.

    By structure: wake-ups overflow the sockets of both, each of which takes some 280, so a wait for either would last
    until the test ends.
    """
    running.commit(1)
    supervisor = running.supervisor(
        {
            "misbehaving": {"start": "genesis", "options": running.options(fault="hang", at=1)},
            "misbehaving_too": {"start": "genesis", "options": running.options(record="")},
        }
    )
    await supervisor.start()
    await running.until_seen(1)
    in_run, in_get = supervisor.status()
    assert in_run.pid is not None
    os.kill(in_run.pid, signal.SIGSTOP)
    assert in_get.pid is not None
    page = LanePage(page_path(running.store.directory.lanes, "misbehaving_too", in_get.epoch))
    try:
        await _stop_within_a_read(running, in_get.pid, page)
        for _ in range(1_000):
            running.commit(1)
        head = running.hub.head
        assert [status.lag for status in supervisor.status()] >= [1_000, 1_000]
        assert supervisor.status()[0].in_hand == (1,)
        assert supervisor.status()[0].oldest_s > 0
    finally:
        os.kill(in_get.pid, signal.SIGCONT)
    await until(lambda: page.words[Word.REACHED] == head, what="the end of the log")  # and nothing was lost by it
    page.close()


async def _stop_within_a_read(running: Running, pid: int, page: LanePage) -> None:
    """Stop a process at a moment at which it reads the log."""
    for _ in range(10_000):
        running.commit(1)
        for _ in range(200):
            if page.words[Word.READ_SINCE]:
                break
        os.kill(pid, signal.SIGSTOP)
        if page.words[Word.READ_SINCE]:
            return
        os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(0)
    raise AssertionError("the process was never seen reading")


async def test_a_thread_that_ends_with_an_event_in_hand_is_a_failure(running: Running) -> None:
    running.commit(4)
    supervisor = await running.run(fault="thread-ends", at=2)
    await running.until_seen(5)
    assert [(seen.position, seen.attempt) for seen in running.seen()] == [(1, 1), (2, 1), (2, 2), (3, 2), (4, 1)]
    assert "ended with position 3 in hand" in supervisor.status()[0].error


async def test_what_a_plugin_leaves_behind_ends_with_it(running: Running) -> None:
    running.commit(1)
    supervisor = await running.run(fault="leave-child", at=1)
    await running.until_seen(2)
    await supervisor.stop()
    for seen in running.seen():
        await until(lambda: not _living_processes_of_session(seen.pid), what="the end of what it started")  # noqa: B023


@pytest.mark.timeout(120 + scale.PLUGIN_KILLS)
async def test_nothing_is_lost_when_the_plugin_is_killed_at_any_moment(running: Running) -> None:
    """Nothing lost, order kept, and only the event in hand comes again (P3, P6)."""
    moments = random.Random(scale.seed())
    supervisor = await running.run()
    for _ in range(scale.PLUGIN_KILLS):
        expected = len(running.seen()) + moments.randrange(1, 4)
        running.commit(moments.randrange(4, 8))
        await running.until_seen(expected)
        await asyncio.sleep(moments.random() * 0.003)
        if (pid := supervisor.status()[0].pid) is not None:
            os.kill(pid, signal.SIGKILL)
    head = running.hub.head
    await until(lambda: running.positions()[-1:] == [head], what="the last event")
    positions = running.positions()
    assert sorted(set(positions)) == list(range(1, head + 1))
    assert all(after - before in {0, 1} for before, after in itertools.pairwise(positions))
    assert len(positions) <= head + scale.PLUGIN_KILLS


async def test_s1_a_read_that_pins_the_write_ahead_log_is_ended(running: Running) -> None:
    """A process that was stopped within a read would let the log's file grow for ever."""
    supervisor = running.supervisor({"misbehaving": {"options": running.options()}}, limits=Limits(wal_bytes_max=1))
    await supervisor.start()
    (before,) = supervisor.status()
    page = LanePage(page_path(running.store.directory.lanes, "misbehaving", before.epoch))
    running.commit(1)
    await running.until_seen(1)

    def is_replaced() -> bool:
        page.words[Word.READ_SINCE] = time.monotonic_ns() - 6 * 10**9  # a read that the process ends writes it too
        return supervisor.status()[0].epoch > before.epoch

    await until(is_replaced, what="another process")
    assert "a read of the log lasted over 5 s" in supervisor.status()[0].error
    page.close()


async def test_p10_a_stalled_plugin_takes_no_more_memory(running: Running) -> None:
    """The process of a plugin that hangs holds a window, however long the log is."""
    running.hub.announce(running.writer.valid(1))
    supervisor = await running.run(fault="hang", at=2)
    await running.until_seen(1)
    before = _resident_bytes(supervisor.status()[0].pid)
    for _ in range(80):
        running.hub.announce(running.writer.valid(1, body_bytes=500_000))
    await running.until_seen(2)
    assert _resident_bytes(supervisor.status()[0].pid) - before < (8 + 5 + 4) * 2**20
    assert supervisor.status()[0].state in {State.LIVE, State.CATCHING_UP}


def _resident_bytes(pid: int | None) -> int:
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _living_processes_of_session(session: int) -> list[str]:
    states = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, session_of_it = stat.read_text().rpartition(")")[2].split()[:4]
            if int(session_of_it) == session and state != "Z":
                states.append(stat.parent.name)
    return states
