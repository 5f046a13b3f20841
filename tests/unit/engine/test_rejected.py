"""Rejected transactions on their way into the log: none is lost or repeated, and nobody waits for the disk."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from bigchaindb.engine import rejected as rejected_module
from bigchaindb.engine.rejected import Record, Rejected
from bigchaindb.errors import DoubleSpend, InputDoesNotExist, Overloaded, StoreFull
from bigchaindb.ledger.ports import RejectedRow
from tests.support.chains import CHILD, PARENT
from tests.support.engines import WITHIN_S, until

ERROR = DoubleSpend("taken")


def added(rejected: Rejected, *bodies: bytes) -> None:
    for number, body in enumerate(bodies):
        rejected.record(f"{number:064x}", body, ERROR)


class Disk:
    """A log in memory, whose writes can be held back or refused."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.opened.set()
        self.is_full = False
        self.attempt_count = 0
        self.batches: list[list[RejectedRow]] = []
        self.announced: list[int] = []

    def write(self, rows: Sequence[RejectedRow]) -> int:
        assert self.opened.wait(WITHIN_S)
        self.attempt_count += 1
        if self.is_full:
            raise StoreFull("node.db: no room on the disk; nothing was written")
        self.batches.append(list(rows))
        return sum(map(len, self.batches))

    @property
    def record(self) -> Record:
        return Record(self.write, self.announced.append)


async def test_it_names_the_asset_and_the_rule() -> None:
    rejected = Rejected()
    rejected.add(CHILD, ERROR)
    rejected.add(PARENT, InputDoesNotExist("gone"))
    assert rejected.batch() == [
        RejectedRow(CHILD.id, PARENT.id, "DoubleSpend", "taken", CHILD.body),
        RejectedRow(PARENT.id, PARENT.id, "InputDoesNotExist", "gone", PARENT.body),
    ]


async def test_what_other_nodes_accepted_is_not_recorded() -> None:
    rejected = Rejected(lambda id_: id_ == CHILD.id)
    for one in (PARENT, CHILD):
        rejected.add(one, ERROR)
    assert [row.id for row in rejected.batch()] == [CHILD.id]
    assert rejected.get(PARENT.id) is None


async def test_a_flood_writes_some_lines_and_their_number(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A stranger may have the whole pool rejected at once: 10,000 lines would hold up the loop for a second."""
    monkeypatch.setattr(rejected_module, "LINES_A_SECOND", 2)
    rejected = Rejected(lambda _: False)
    for _ in range(5):
        rejected.add(CHILD, ERROR)
    await until(lambda: len(caplog.records) == 3)
    first, _, last = caplog.records
    assert vars(first)["transaction"] == CHILD.id
    assert (vars(last)["count"], vars(last)["errors"]) == (3, {"DoubleSpend": 3})


async def test_one_that_is_rejected_twice_is_two_events_and_known_until_the_second_is_written() -> None:
    rejected = Rejected()
    last = InputDoesNotExist("gone")
    rejected.record("a", PARENT.body, ERROR)
    first = rejected.batch()
    rejected.record("a", PARENT.body, last)
    rejected.written(first)
    assert rejected.get("a") is last
    rejected.written(rejected.batch())
    assert (rejected.get("a"), rejected.bytes, rejected.batch(), rejected.added_count) == (None, 0, [], 2)


async def test_a_batch_is_bounded_by_bytes_and_by_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """node.db has one writer: lanes and access keys wait for it meanwhile."""
    size = len(PARENT.body)
    monkeypatch.setattr(rejected_module, "BATCH_BYTES_MAX", 2 * size)
    rejected = Rejected()
    added(rejected, *[PARENT.body] * 5)
    assert len(rejected.batch()) == 2
    monkeypatch.setattr(rejected_module, "BATCH_BYTES_MAX", 1)
    assert len(rejected.batch()) == 1  # else it would never be written
    monkeypatch.setattr(rejected_module, "BATCH_BYTES_MAX", 10 * size)
    monkeypatch.setattr(rejected_module, "BATCH_COUNT_MAX", 3)
    assert len(rejected.batch()) == 3


async def test_nothing_is_accepted_while_too_much_waits() -> None:
    rejected = Rejected()
    added(rejected, PARENT.body)
    assert rejected.shortage(len(PARENT.body) + 1) is None
    with pytest.raises(Overloaded, match="bytes of rejected transactions are not recorded yet; try again later"):
        raise rejected.shortage(len(PARENT.body)) or AssertionError


async def test_all_is_written_in_order_before_the_end_and_announced_afterwards() -> None:
    rejected, disk = Rejected(), Disk()
    disk.opened.clear()
    running = asyncio.create_task(rejected.run(disk.record))
    added(rejected, PARENT.body, CHILD.body)
    await asyncio.sleep(0.05)
    assert disk.announced == []  # P4
    rejected.record("c", PARENT.body, ERROR)
    rejected.end()
    disk.opened.set()
    await running
    assert [row.id for batch in disk.batches for row in batch] == [f"{0:064x}", f"{1:064x}", "c"]
    assert disk.announced == [2, 3]


async def test_a_full_disk_is_waited_for(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(rejected_module, "FULL_RETRY_S", 0.01)
    rejected, disk = Rejected(), Disk()
    disk.is_full = True
    running = asyncio.create_task(rejected.run(disk.record))
    added(rejected, PARENT.body)
    await until(lambda: disk.attempt_count >= 3)
    assert rejected.get(f"{0:064x}") is ERROR
    disk.is_full = False
    await until(lambda: disk.announced == [1])
    rejected.end()
    await running
    told = [one.getMessage() for one in caplog.records if one.levelname == "ERROR"]
    assert told == ["the disk is full, rejected transactions are not recorded"]


async def test_a_disk_that_is_full_at_the_end_is_an_error() -> None:
    """As what a crash finds in memory they are lost, and the stop says that."""
    rejected, disk = Rejected(), Disk()
    disk.is_full = True
    added(rejected, PARENT.body)
    rejected.end()
    with pytest.raises(StoreFull):
        await rejected.run(disk.record)
