"""Who runs a node reads of a filling disk long before it is full."""

import logging
from dataclasses import dataclass
from pathlib import Path

import pytest

from bigchaindb.config import Limits
from bigchaindb.engine.room import AGAIN, MEASURE_S, Room, Usage, usage_of
from bigchaindb.store import Store

FEW = 1_000_000
LEAST = 100_000


@dataclass
class Disk:
    """A disk and a clock."""

    free_bytes: int = 2 * FEW
    ledger_bytes: int = 0
    now_s: float = 0.0
    look_count: int = 0

    def __post_init__(self) -> None:
        limits = Limits(disk_free_bytes_min=LEAST, disk_free_bytes_warn=FEW)
        self.room = Room(self.usage, limits, lambda: self.now_s)

    def usage(self) -> Usage:
        self.look_count += 1
        return Usage(self.free_bytes, self.ledger_bytes)

    def after(self, seconds: float, *, used: int) -> None:
        """Grow the ledger, then have the room measured."""
        self.now_s += seconds
        self.free_bytes -= used
        self.ledger_bytes += used
        self.room.measure()


@pytest.fixture
def disk(caplog: pytest.LogCaptureFixture) -> Disk:
    caplog.set_level(logging.INFO)
    return Disk()


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, int]]:
    """Return level and free bytes of what was logged since the last time."""
    found = [(record.levelname, vars(record)["free_bytes"]) for record in caplog.records]
    caplog.clear()
    return found


def test_p7_a_warning_says_how_long_the_room_will_last(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    """The log is never cut, so the disk fills for certain: without this the first sign is a node that takes nothing."""
    disk.after(0, used=0)
    disk.after(100, used=FEW + 100_000)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    fields = vars(record)
    assert (fields["free_bytes"], fields["ledger_bytes"]) == (900_000, 1_100_000)
    assert fields["ledger_bytes_per_s"] == 11_000
    assert fields["hours_left"] == round((900_000 - LEAST) / 11_000 / 3600, 1)


def test_it_comes_once_and_again_at_half_of_what_was_left(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    """A line a second would hide the others, and a single one is forgotten."""
    disk.after(1, used=FEW)
    assert lines(caplog) == []
    disk.after(1, used=200_000)
    for _ in range(40):
        disk.after(1, used=10_000)
    assert lines(caplog) == [("WARNING", 800_000)]
    disk.after(1, used=10_000)
    disk.after(1, used=190_000)
    assert lines(caplog) == [("WARNING", 390_000)]
    disk.after(1, used=10_000)
    assert lines(caplog) == [("WARNING", 190_000)]


def test_it_is_withdrawn_when_there_is_room_again(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    disk.after(1, used=FEW + 1)
    disk.after(1, used=-1)  # within the swing
    assert lines(caplog) == [("WARNING", FEW - 1)]
    disk.after(1, used=-int(FEW * (AGAIN - 1)))
    disk.after(1, used=0)
    assert lines(caplog) == [("INFO", int(FEW * AGAIN))]
    disk.after(1, used=int(FEW * AGAIN) - FEW + 1)
    assert lines(caplog) == [("WARNING", FEW - 1)]


def test_a_little_room_that_was_made_counts(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    disk.after(1, used=2 * FEW - 200_000)
    disk.after(1, used=-700_000)
    disk.after(1, used=440_000)
    assert lines(caplog) == [("WARNING", 200_000)]
    disk.after(1, used=11_000)
    assert lines(caplog) == [("WARNING", 449_000)]


def test_the_first_look_knows_no_rate(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    disk.after(0, used=FEW + 1)
    (record,) = caplog.records
    assert {"hours_left", "ledger_bytes_per_s"}.isdisjoint(vars(record))


def test_a_disk_that_got_emptier_lasts_for_no_time(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody made room, not enough of it: hours below zero would be no help."""
    disk.free_bytes = 0
    disk.after(1, used=0)
    disk.after(1, used=-900_000)
    disk.after(1, used=500_000)
    _, second = caplog.records
    assert vars(second)["free_bytes"] == 400_000
    assert "hours_left" not in vars(second)


def test_the_disk_is_looked_at_once_a_second(disk: Disk) -> None:
    """Not for every transaction and block: a slow file system would slow all of them."""
    assert disk.room.shortage() is None
    disk.free_bytes = LEAST - 1
    assert disk.room.shortage() is None
    assert disk.look_count == 1
    disk.now_s += MEASURE_S
    assert str(disk.room.shortage()) == "99999 bytes are free, limits.disk_free_bytes_min is 100000"
    disk.free_bytes = LEAST
    disk.now_s += MEASURE_S
    assert disk.room.shortage() is None


def test_a_look_counts_the_ledger_with_its_write_ahead_log(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    ledger = store.directory.ledger
    with_wal = usage_of(ledger)
    store.close()
    assert with_wal.ledger_bytes > usage_of(ledger).ledger_bytes == ledger.stat().st_size
    assert with_wal.free_bytes > 0
