"""Transactions reach CometBFT in their order and in few requests, and nobody waits for it."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest

from bigchaindb.engine.cometbft import submitter
from bigchaindb.engine.cometbft.submitter import BATCH_BYTES_MAX, BATCH_COUNT_MAX, KNOWN, Submitter
from bigchaindb.errors import CometBftUnavailable
from bigchaindb.ledger.bundle import bundle_of, unbundled
from bigchaindb.ledger.rejections import WAKE_MARK
from tests.support.engines import WITHIN_S, until

BUNDLE_BYTES_MAX = 1024 * 1024


@dataclass
class Mempool:
    """Takes batches; away while `gate` is closed, and refuses what it is told to."""

    batches: list[list[bytes]] = field(default_factory=list)
    carried: list[list[bytes]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    failure_count: int = 0
    attempt_count: int = 0
    at_once: int = 0
    refusals: dict[bytes, str] = field(default_factory=dict)

    @property
    def taken(self) -> list[bytes]:
        return [*unbundled(carried for batch in self.batches for carried in batch)]

    async def broadcast(self, transactions: Sequence[bytes]) -> list[str | None]:
        self.attempt_count += 1
        self.at_once += 1
        assert self.at_once == 1, "one batch at a time"
        try:
            await self.gate.wait()
            if self.failure_count:
                self.failure_count -= 1
                raise CometBftUnavailable("away")
        finally:
            self.at_once -= 1
        self.batches.append([*unbundled(transactions)])
        self.carried.append(list(transactions))
        return [self.refusals.get(body) for body in transactions]


@dataclass
class Running:
    mempool: Mempool
    submitter: Submitter
    work: asyncio.Task[None]


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    mempool = Mempool()
    mempool.gate.set()
    submitter = Submitter(mempool.broadcast, bundle_bytes_max=BUNDLE_BYTES_MAX)
    work = asyncio.create_task(submitter.run())
    await asyncio.sleep(0)
    yield Running(mempool, submitter, work)
    submitter.stop()
    mempool.gate.set()
    async with asyncio.timeout(WITHIN_S):
        await work


def bodies(count: int, first: int = 0) -> list[bytes]:
    return [b'{"n":%d}' % number for number in range(first, first + count)]


async def test_what_comes_in_one_turn_goes_out_in_one_batch_in_its_order(running: Running) -> None:
    for body in bodies(150):
        assert running.submitter.put(body)
    await until(lambda: running.mempool.batches == [bodies(150)])
    assert running.submitter.count == 0


async def test_what_comes_after_a_pause_does_not_wait(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node with little to do answers as fast as it can."""
    monkeypatch.setattr(submitter, "GATHER_S_MAX", 60)
    running.submitter.put(b"first")
    await until(lambda: running.mempool.batches == [[b"first"]])


async def test_what_comes_soon_after_a_batch_is_gathered(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request each is a fifth of the transactions a second."""
    monkeypatch.setattr(submitter, "GATHER_S_MAX", 60)
    for body in bodies(10):
        running.submitter.put(body)
        await asyncio.sleep(0.001)
    assert running.mempool.batches == [bodies(1)]
    assert running.submitter.count == 9


async def test_what_was_gathered_goes_out_in_its_time(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitter, "GATHER_S_MAX", 0.02)
    running.submitter.put(b"first")
    await until(lambda: running.mempool.batches == [[b"first"]])
    running.submitter.put(b"second")
    await until(lambda: running.mempool.batches == [[b"first"], [b"second"]])


async def test_a_full_batch_does_not_wait_for_its_time(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitter, "GATHER_S_MAX", 60)
    running.submitter.put(b"first")
    await until(lambda: running.mempool.batches == [[b"first"]])
    for body in bodies(BATCH_COUNT_MAX + 1):
        running.submitter.put(body)
    await until(lambda: running.mempool.batches[1:] == [bodies(BATCH_COUNT_MAX)])
    assert running.submitter.count == 1
    half = b"x" * (BATCH_BYTES_MAX // 2)
    running.submitter.put(half)
    running.submitter.put(half)
    await until(lambda: running.mempool.batches[2:] == [[bodies(1, BATCH_COUNT_MAX)[0], half]])


async def test_clients_transactions_travel_in_one_bundle_and_the_networks_own_alone(running: Running) -> None:
    one, two, three = bodies(3)
    for body in (one, WAKE_MARK, two, three):
        running.submitter.put(body)
    await until(lambda: bool(running.mempool.carried))
    assert running.mempool.carried == [[WAKE_MARK, bundle_of([one, two, three])]]
    assert running.submitter.has_sent(bundle_of([one, two, three]))
    assert not running.submitter.has_sent(bundle_of([one, two]))


async def test_what_is_to_travel_alone_does(running: Running) -> None:
    one, two, three = bodies(3)
    for body in (one, two, three):
        running.submitter.put(body, alone=body is two)
    await until(lambda: bool(running.mempool.carried))
    assert running.mempool.carried == [[two, bundle_of([one, three])]]


async def test_a_bundle_is_no_larger_than_the_mempool_takes(running: Running) -> None:
    """What is alone is no bundle: a transaction may be as large as the mempool takes, without anything around it."""
    large, small = b"{%s}" % (b" " * (BUNDLE_BYTES_MAX - 2)), bodies(2)
    for body in (*small, large):
        running.submitter.put(body)
    await until(lambda: bool(running.mempool.carried))
    assert running.mempool.carried == [[bundle_of(small), large]]


async def test_the_bundles_that_are_recognized_are_the_newest(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.submitter, "_sent", deque(maxlen=2))
    for number in range(3):
        running.submitter.put(b"%d" % number)
        await until(lambda number=number: len(running.mempool.carried) == number + 1)  # type: ignore[misc]
    assert [running.submitter.has_sent(b"%d" % number) for number in range(3)] == [False, True, True]


async def test_one_batch_is_under_way_and_the_next_gathers_behind_it(running: Running) -> None:
    running.mempool.gate.clear()
    running.submitter.put(b"first")
    await until(lambda: running.mempool.attempt_count == 1)
    for body in bodies(450):
        running.submitter.put(body)
    running.mempool.gate.set()
    await until(lambda: len(running.mempool.batches) == 4)
    assert [len(batch) for batch in running.mempool.batches] == [1, 200, 200, 50]
    assert running.mempool.taken == [b"first", *bodies(450)]


async def test_while_cometbft_is_away_nothing_is_lost_or_overtaken(
    running: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(submitter, "RETRY_S_MIN", 0.001)
    running.mempool.failure_count = 3
    for body in bodies(3):
        running.submitter.put(body)
    await until(lambda: running.mempool.attempt_count == 2)
    running.submitter.put(b"later")
    await until(lambda: running.mempool.batches == [bodies(3), [b"later"]])
    assert [record.getMessage() for record in caplog.records] == ["transactions wait for CometBFT"]


async def test_a_stop_ends_the_attempts(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node whose CometBFT is gone stops as quickly as any other."""
    monkeypatch.setattr(submitter, "RETRY_S_MIN", 2 * WITHIN_S)
    running.mempool.failure_count = 1_000_000
    running.submitter.put(b"one")
    await until(lambda: running.mempool.attempt_count == 1)
    running.submitter.stop()
    async with asyncio.timeout(WITHIN_S):
        await running.work


async def test_a_stop_lets_the_batch_under_way_end_and_sends_no_other(running: Running) -> None:
    running.mempool.gate.clear()
    running.submitter.put(b"first")
    await until(lambda: running.mempool.attempt_count == 1)
    running.submitter.put(b"second")
    running.submitter.stop()
    running.mempool.gate.set()
    await running.work
    assert running.mempool.batches == [[b"first"]]


async def test_the_queue_is_bounded_by_count_and_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever submits is told, and waits for room by itself: `put` never does."""
    monkeypatch.setattr(submitter, "QUEUE_COUNT_MAX", 3)
    queue = Submitter(Mempool().broadcast, bundle_bytes_max=BUNDLE_BYTES_MAX)
    assert [queue.put(body) for body in bodies(4)] == [True, True, True, False]
    monkeypatch.setattr(submitter, "QUEUE_BYTES_MAX", 10)
    queue = Submitter(Mempool().broadcast, bundle_bytes_max=BUNDLE_BYTES_MAX)
    assert [queue.put(bytes(size)) for size in (6, 5, 4)] == [True, False, True]
    with pytest.raises(AssertionError):
        queue.put(bytes(BATCH_BYTES_MAX + 1))


async def test_refusals_are_one_line_and_a_known_transaction_is_none(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    own = [WAKE_MARK + b"%d" % number for number in range(4)]
    running.mempool.refusals = {own[0]: f"Internal error: {KNOWN}", own[1]: "mempool is full", own[2]: "too large"}
    for body in own:
        running.submitter.put(body)
    await until(lambda: bool(running.mempool.batches))
    await until(lambda: bool(caplog.records))
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, "CometBFT refused transactions")
    ]
    assert vars(caplog.records[0])["count"] == 2
    assert vars(caplog.records[0])["first"] == "mempool is full"
