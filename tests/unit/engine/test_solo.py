"""The engine of one node, over the real store: what submitters are told is so, whatever races."""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bigchaindb.config import Limits
from bigchaindb.engine.admission import BATCH_COUNT_MIN
from bigchaindb.engine.engine import Mode, Standing, Status
from bigchaindb.engine.solo import SoloEngine
from bigchaindb.errors import (
    CommitTimeout,
    DoubleSpend,
    DuplicateTransaction,
    InputDoesNotExist,
    InvalidHash,
    Overloaded,
    Stopping,
    ValidationError,
)
from bigchaindb.events import EventTypes
from bigchaindb.ledger.effects import Effects
from bigchaindb.ledger.view import LoadedView, Needs
from bigchaindb.store import Store
from bigchaindb.transaction import Transaction, build
from tests.support.chains import ALICE, CHILD, GRANDCHILD, PARENT, RIVAL, Coin, create, transfer
from tests.support.engines import START, GatedClock, GatedStore, engine_over, is_committed, log_of, running, until
from tests.support.ledgers import open_store

MODES = list(Mode)


async def outcomes(engine: SoloEngine, submissions: Sequence[tuple[Transaction, Mode]]) -> list[object]:
    return list(
        await asyncio.gather(*(engine.submit(one.body, mode) for one, mode in submissions), return_exceptions=True)
    )


async def test_l5_a_commit_is_answered_when_every_query_sees_it(store: Store) -> None:
    async with running(engine_over(store.writer)) as engine:
        assert await engine.submit(PARENT.body, Mode.COMMIT) == PARENT
        assert is_committed(store, PARENT)
        assert engine.standing(PARENT.id) is None


async def test_what_no_block_can_hold_is_refused_and_ends_nothing(store: Store) -> None:
    """Canonical text may be five times as long as what was posted, so no bound on bodies keeps it out."""
    long = build.create([ALICE], metadata={"n": [1e20] * 200}, version="1.0").body
    posted = long.replace(b"100000000000000000000.0", b"1e20")
    limits = Limits(block_bytes_max=len(long) - 1, body_bytes_max=len(posted))
    async with running(engine_over(store.writer, limits=limits)) as engine:
        for body in (posted, long):
            with pytest.raises(ValidationError, match=f"limits.block_bytes_max is {len(long) - 1}$"):
                await engine.submit(body, Mode.COMMIT)
        assert await engine.submit(PARENT.body, Mode.COMMIT) == PARENT


@pytest.mark.parametrize("mode", [Mode.ASYNC, Mode.SYNC])
async def test_from_the_moment_it_is_accepted_a_transaction_has_a_standing(store: Store, mode: Mode) -> None:
    """A driver polls the status right after the answer and gives up at the first 404."""
    clock = GatedClock()
    async with running(engine_over(store.writer, now=clock)) as engine:
        first = await engine.submit(PARENT.body, mode)
        assert engine.standing(first.id) is not None
        await until(clock.asked.is_set)
        assert engine.standing(first.id) == Standing(Status.UNDECIDED)
        second = await engine.submit(CHILD.body, mode)
        assert engine.standing(second.id) == Standing(Status.BACKLOG)
        clock.opened.set()
        await until(lambda: engine.standing(second.id) is None)
        assert is_committed(store, CHILD)
    assert engine.standing("f" * 64) is None


@pytest.mark.parametrize("mode", MODES)
async def test_of_equal_creates_exactly_one_wins(store: Store, mode: Mode) -> None:
    async with running(engine_over(store.writer)) as engine:
        results = await outcomes(engine, [(PARENT, mode)] * 20)
    assert results.count(PARENT) == 1
    losers = [result for result in results if result != PARENT]
    assert all(isinstance(error, DuplicateTransaction) for error in losers)
    assert is_committed(store, PARENT)


@pytest.mark.parametrize("mode", MODES)
async def test_l1_of_transactions_that_spend_the_same_exactly_one_wins(store: Store, mode: Mode) -> None:
    rivals = [transfer(Coin(PARENT), note=note) for note in range(20)]
    async with running(engine_over(store.writer)) as engine:
        await engine.submit(PARENT.body, Mode.COMMIT)
        results = await outcomes(engine, [(rival, mode) for rival in rivals])
    winners = [result for result in results if isinstance(result, Transaction)]
    assert len(winners) == 1
    assert sum(isinstance(result, DoubleSpend) for result in results) == 19
    assert [is_committed(store, rival) for rival in rivals].count(True) == 1


@pytest.mark.parametrize("mode", MODES)
async def test_a_repeat_of_what_is_committed(store: Store, mode: Mode) -> None:
    async with running(engine_over(store.writer)) as engine:
        await engine.submit(PARENT.body, Mode.COMMIT)
        await engine.submit(CHILD.body, Mode.COMMIT)
        with pytest.raises(DuplicateTransaction):
            await engine.submit(PARENT.body, mode)
        with pytest.raises(DoubleSpend):
            await engine.submit(CHILD.body, mode)


async def test_a_child_may_follow_its_parent_at_once(store: Store) -> None:
    async with running(engine_over(store.writer)) as engine:
        for one in (PARENT, CHILD, GRANDCHILD):
            await engine.submit(one.body, Mode.ASYNC)
    assert all(is_committed(store, one) for one in (PARENT, CHILD, GRANDCHILD))


async def test_what_is_wrong_is_told_in_every_mode(store: Store) -> None:
    wrong = PARENT.body.replace(PARENT.id.encode(), CHILD.id.encode())
    async with running(engine_over(store.writer)) as engine:
        for mode in MODES:
            with pytest.raises(InvalidHash):
                await engine.submit(wrong, mode)
            with pytest.raises(InputDoesNotExist):
                await engine.submit(CHILD.body, mode)
    assert log_of(store) == []


async def test_a_commit_that_overtakes_a_check_is_seen_by_it(store: Store) -> None:
    """L1: the batch of `RIVAL` loaded its state before `CHILD` was committed, and is concluded after it."""
    gated = GatedStore(store.writer)
    async with running(engine_over(gated)) as engine:
        await engine.submit(PARENT.body, Mode.COMMIT)
        gated.gated = True
        rival = asyncio.create_task(engine.submit(RIVAL.body, Mode.ASYNC))
        await until(gated.loaded.is_set)
        company = [create(serial) for serial in range(100, 100 + BATCH_COUNT_MIN)]  # a batch beside the one in hand
        await outcomes(engine, [(one, Mode.COMMIT) for one in (CHILD, *company)])
        assert is_committed(store, CHILD)
        gated.opened.set()
        with pytest.raises(DoubleSpend):
            await rival


@dataclass
class WatchedStore(GatedStore):
    """The real store, and for each view of spent outputs: how many, and whether a thread of its own loaded it."""

    views: list[tuple[int, bool]] = field(default_factory=list)

    def view(self, needs: Needs) -> LoadedView:
        name = threading.current_thread().name
        if needs.outputs and not name.startswith("writer"):
            self.views.append((len(needs.outputs), name.startswith("view")))
        return self.store.view(needs)

    def is_recent(self, transaction_id: str) -> bool:
        return self.store.is_recent(transaction_id)


async def test_only_state_that_may_lie_on_the_disk_is_loaded_in_a_thread(tmp_path: Path) -> None:
    """A hop to a thread costs more than the rows of the newest transactions, and the pool needs none for its own."""
    with closing(Store(tmp_path / "data", generation_rows=8)) as store:
        watched = WatchedStore(store.writer)
        async with running(engine_over(watched)) as engine:
            await engine.submit(PARENT.body, Mode.COMMIT)
            await engine.submit(CHILD.body, Mode.COMMIT)
            assert watched.views == [(1, False)]
            for number in range(10, 30):  # two generations later
                await engine.submit(create(number).body, Mode.COMMIT)
            assert not store.writer.is_recent(CHILD.id)
            await engine.submit(GRANDCHILD.body, Mode.COMMIT)
            assert watched.views == [(1, False), (1, True)]


async def test_what_spends_from_the_pool_needs_no_state_of_it(store: Store) -> None:
    clock = GatedClock()
    watched = WatchedStore(store.writer)
    async with running(engine_over(watched, now=clock)) as engine:
        await engine.submit(PARENT.body, Mode.ASYNC)
        await engine.submit(CHILD.body, Mode.ASYNC)
        with pytest.raises(DoubleSpend):
            await engine.submit(RIVAL.body, Mode.ASYNC)
        clock.opened.set()
    assert watched.views == []


async def test_the_bytes_that_wait_for_a_check_are_bounded(store: Store) -> None:
    room = len(PARENT.body) + 1
    limits = Limits(admission_bytes_max=room, body_bytes_max=room)
    engine = engine_over(store.writer, limits=limits)
    waiting = asyncio.create_task(engine.submit(PARENT.body, Mode.ASYNC))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match=r"limits\.admission_bytes_max"):
        await engine.submit(CHILD.body, Mode.ASYNC)
    async with running(engine):
        assert await waiting == PARENT


async def test_the_pool_is_bounded(store: Store) -> None:
    clock = GatedClock()
    async with running(engine_over(store.writer, limits=Limits(pool_count_max=1), now=clock)) as engine:
        await engine.submit(PARENT.body, Mode.ASYNC)
        with pytest.raises(Overloaded, match=r"^1 transactions are in the pool"):
            await engine.submit(CHILD.body, Mode.ASYNC)
        clock.opened.set()
        await until(lambda: is_committed(store, PARENT))
        await until(lambda: engine.standing(PARENT.id) is None)
        await engine.submit(CHILD.body, Mode.COMMIT)


async def test_a_pool_that_fills_up_meanwhile_refuses_the_rest(store: Store) -> None:
    clock = GatedClock()
    async with running(engine_over(store.writer, limits=Limits(pool_count_max=2), now=clock)) as engine:
        results = await outcomes(engine, [(create(serial), Mode.ASYNC) for serial in range(5)])
        clock.opened.set()
    assert sum(isinstance(result, Transaction) for result in results) == 2
    assert sum(isinstance(result, Overloaded) for result in results) == 3


async def test_the_waiters_for_a_commit_are_bounded(store: Store) -> None:
    clock = GatedClock()
    async with running(engine_over(store.writer, limits=Limits(commit_waiter_count_max=1), now=clock)) as engine:
        waiting = asyncio.create_task(engine.submit(PARENT.body, Mode.COMMIT))
        await until(clock.asked.is_set)
        with pytest.raises(Overloaded, match=r"^1 requests wait for their commit \(limits\.commit_waiter_count_max\)"):
            await engine.submit(CHILD.body, Mode.COMMIT)
        clock.opened.set()
        await waiting
        await engine.submit(CHILD.body, Mode.COMMIT)


async def test_a_commit_that_takes_too_long_may_still_come(store: Store) -> None:
    clock = GatedClock()
    async with running(engine_over(store.writer, limits=Limits(commit_wait_s_max=0.02), now=clock)) as engine:
        with pytest.raises(ValidationError):
            await engine.submit(b"", Mode.ASYNC)  # by its answer the check process is there
        with pytest.raises(CommitTimeout, match=r"undecided after 0\.02 s; the transaction may still be committed"):
            await engine.submit(PARENT.body, Mode.COMMIT)
        await until(lambda: engine.standing(PARENT.id) == Standing(Status.UNDECIDED))  # its check takes longer, perhaps
        clock.opened.set()
    assert is_committed(store, PARENT)


async def test_a_submitter_that_goes_away_takes_nothing_along(store: Store) -> None:
    clock = GatedClock()
    async with running(engine_over(store.writer, now=clock)) as engine:
        gone = asyncio.create_task(engine.submit(PARENT.body, Mode.COMMIT))
        await until(clock.asked.is_set)
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await gone
        clock.opened.set()
    assert is_committed(store, PARENT)


async def test_e4_heads_are_announced_in_order_and_durable(store: Store) -> None:
    seen: list[tuple[int, int]] = []
    log = store.log_reader()

    def announce(effects: Effects) -> None:
        seen.append((effects.tip.position, log.head()))

    async with running(engine_over(store.writer, announce=announce)) as engine:
        for serial in range(5):
            await engine.submit(create(serial).body, Mode.COMMIT)
    log.close()
    assert [head for head, _ in seen] == [1, 2, 3, 4, 5]
    assert all(in_log >= head for head, in_log in seen)


async def test_many_wait_for_one_block_and_all_are_answered(store: Store) -> None:
    clock = GatedClock()
    many = [create(serial) for serial in range(350)]
    async with running(engine_over(store.writer, now=clock)) as engine:
        tasks = [asyncio.create_task(engine.submit(one.body, Mode.COMMIT)) for one in many]
        await until(lambda: all(engine.standing(one.id) is not None for one in many))
        clock.opened.set()
        assert await asyncio.gather(*tasks) == many
    assert len(log_of(store)) <= 3  # the fsync of one block is the batching window of the next


async def test_a_clean_stop_commits_what_was_accepted(store: Store) -> None:
    many = [create(serial) for serial in range(600)]
    engine = engine_over(store.writer, limits=Limits(block_count_max=50))
    async with running(engine):
        await asyncio.gather(*(engine.submit(one.body, Mode.ASYNC) for one in many))
    assert all(is_committed(store, one) for one in many)
    with pytest.raises(Stopping):
        await engine.submit(PARENT.body, Mode.ASYNC)


async def test_what_was_not_looked_at_before_the_stop_is_refused(store: Store) -> None:
    engine = engine_over(store.writer)
    waiting = asyncio.create_task(engine.submit(PARENT.body, Mode.COMMIT))
    await asyncio.sleep(0)
    async with running(engine):
        engine.stop()
        with pytest.raises(Stopping):
            await waiting
    assert log_of(store) == []


async def test_a_restart_goes_on_and_time_does_not_go_back(tmp_path: Path) -> None:
    with open_store(tmp_path / "data") as store:
        async with running(engine_over(store.writer)) as engine:
            await engine.submit(PARENT.body, Mode.COMMIT)
    with open_store(tmp_path / "data") as store:
        async with running(engine_over(store.writer, now=lambda: START - 3_600.5)) as engine:
            await engine.submit(CHILD.body, Mode.COMMIT)
            with pytest.raises(DuplicateTransaction):
                await engine.submit(PARENT.body, Mode.COMMIT)
        assert store.writer.tip().timestamp == START
        assert log_of(store) == [(EventTypes.BLOCK_VALID, 1, None), (EventTypes.BLOCK_VALID, 2, None)]
