"""A process whose read of the log keeps the disk from being freed is ended, and no other (S1)."""

import asyncio
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.eventlog import facts
from bigchaindb.eventlog.lane import Progress
from bigchaindb.subscribers.lane_page import LanePage, Word
from bigchaindb.subscribers.machine import Machine
from bigchaindb.subscribers.plugin_run import READ_S_MAX, PluginRun
from tests.support.lane_pages import kept

WAL_BYTES_MAX: Final = 1_000
NOW_NS: Final = 10**15
READ_NS_MAX: Final = int(READ_S_MAX * 1e9)
REASON: Final = "a read of the log lasted over 5 s and kept the disk from being freed"


class ModelHost:
    """The port of a plugin's process, as a model that only ends."""

    pid = 1

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    def nudge(self) -> None:
        pass

    def answer(self, answer: facts.Answer) -> None:
        raise NotImplementedError

    def kill(self) -> None:
        self.ended.set()


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger whose write-ahead log is larger than it may be."""
    (tmp_path / "ledger.db-wal").write_bytes(bytes(WAL_BYTES_MAX + 1))
    return tmp_path / "ledger.db"


def run_reading(ledger: Path, since_ns: int) -> PluginRun:
    """Make a process that has read the log since a moment; 0: it does not read."""
    page = kept(LanePage.create(ledger.with_name("lane.1"), Progress(), head=1, slot_count=4))
    page.words[Word.READ_SINCE] = since_ns
    return PluginRun(page, Machine(monotonic_ns=lambda: NOW_NS), ModelHost())


def is_ended(run: PluginRun, ledger: Path) -> bool:
    run.end_pinning_read(ledger, WAL_BYTES_MAX)
    assert run.is_blameless is run.host.ended.is_set()
    return run.is_blameless


def test_a_read_that_lasts_too_long_is_ended_for_no_fault_of_an_event(ledger: Path) -> None:
    run = run_reading(ledger, NOW_NS - READ_NS_MAX)
    assert is_ended(run, ledger)
    assert run.last == facts.Raised(REASON)


@pytest.mark.parametrize("since_ns", [0, NOW_NS - READ_NS_MAX + 1], ids=["none", "a short one"])
def test_no_other_read_is(ledger: Path, since_ns: int) -> None:
    """A busy node's write-ahead log may be large for a moment, and every plugin would be started anew."""
    assert not is_ended(run_reading(ledger, since_ns), ledger)


@pytest.mark.parametrize("wal_bytes", [WAL_BYTES_MAX, None], ids=["small", "missing"])
def test_nor_is_one_that_keeps_nothing(ledger: Path, wal_bytes: int | None) -> None:
    wal = ledger.with_name("ledger.db-wal")
    if wal_bytes is None:
        wal.unlink()
    else:
        wal.write_bytes(bytes(wal_bytes))
    assert not is_ended(run_reading(ledger, 1), ledger)
