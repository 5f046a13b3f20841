"""The engine of one node over a store that is damaged, full, or broken: what stops, and what is lost."""

import asyncio
import logging
from dataclasses import dataclass

import pytest

from bigchaindb.config import Limits
from bigchaindb.engine.engine import Mode, Standing, Status
from bigchaindb.errors import EngineError, Overloaded, Stopping, StoreError, StoreFull
from bigchaindb.ledger.effects import Effects
from bigchaindb.ledger.view import LoadedView, Needs
from bigchaindb.store import Store
from bigchaindb.store.damages import Damages
from tests.support.chains import CHILD, PARENT, create
from tests.support.engines import START, GatedClock, GatedStore, HeldCheck, engine_over, is_committed, running, until
from tests.support.flips import Column, flip

DAMAGE = (
    r"^the node's ledger is damaged, and it takes no transaction: ledger\.db: outputs \d+ is not what was written; "
    "run `bigchaindb check`, and restore a backup$"
)


async def test_damage_that_a_block_meets_ends_nothing_but_commits(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """The row was whole when the transaction was admitted, and is damaged when its block needs it."""
    async with running(engine_over(store.writer)) as engine:
        await engine.submit(PARENT.body, Mode.COMMIT)
    store.writer.recent.open.unspent.clear()  # as if it were older than what memory has: it is read
    clock = GatedClock()
    async with running(engine_over(store.writer, now=clock, damages=store.damages)) as engine:
        before = asyncio.create_task(engine.submit(create(1).body, Mode.COMMIT))
        await until(clock.asked.is_set)
        waiting = asyncio.create_task(engine.submit(CHILD.body, Mode.COMMIT))
        await until(lambda: engine.standing(CHILD.id) is not None)
        flip(store.directory.ledger, Column("outputs", "amount"), at=0.0)
        clock.opened.set()
        await before
        with pytest.raises(Overloaded, match=DAMAGE):
            await waiting
        with pytest.raises(Overloaded, match=DAMAGE):
            await engine.submit(create(2).body, Mode.ASYNC)
        assert is_committed(store, PARENT)
        assert not is_committed(store, CHILD)
        assert engine.standing(CHILD.id) == Standing(Status.BACKLOG)
    assert {one.message for one in caplog.records if one.levelno == logging.CRITICAL} == {
        "a block needs what is damaged: no transaction is taken, and reads are served until a person restores it",
        "accepted transactions are not committed",
    }

    later = Damages(store.directory.damage)  # as the next process finds it
    async with running(engine_over(store.writer, damages=later)) as engine:
        with pytest.raises(Overloaded, match=DAMAGE):
            await engine.submit(create(3).body, Mode.COMMIT)


async def test_what_was_being_checked_when_damage_was_met_is_refused(store: Store) -> None:
    clock = GatedClock()
    async with running(engine_over(store.writer)) as engine:
        await engine.submit(PARENT.body, Mode.COMMIT)
    store.writer.recent.open.unspent.clear()  # as above
    async with running(engine_over(store.writer, now=clock, damages=store.damages)) as engine:
        before = asyncio.create_task(engine.submit(create(1).body, Mode.COMMIT))
        await until(clock.asked.is_set)
        first = asyncio.create_task(engine.submit(CHILD.body, Mode.COMMIT))
        await until(lambda: engine.standing(CHILD.id) is not None)
        held = HeldCheck(engine)
        second = asyncio.create_task(engine.submit(create(4).body, Mode.COMMIT))
        await held.checked.wait()
        flip(store.directory.ledger, Column("outputs", "amount"), at=0.0)
        clock.opened.set()
        await before
        with pytest.raises(Overloaded, match=DAMAGE):
            await first
        held.opened.set()
        with pytest.raises(Overloaded, match=DAMAGE):
            await second


@dataclass
class FullStore(GatedStore):
    """The real store on a disk that may be full."""

    full: bool = True

    def commit(self, effects: Effects) -> None:
        if self.full:
            raise StoreFull("no room")
        super().commit(effects)


class CountingClock:
    """Is asked at each try to make a block."""

    asked_count = 0

    def __call__(self) -> float:
        self.asked_count += 1
        return START


async def test_a_full_disk_stops_admission_and_loses_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bigchaindb.engine.solo.FULL_RETRY_S", 0.01)
    clock, disk = CountingClock(), FullStore(store.writer)
    async with running(engine_over(disk, now=clock)) as engine:
        waiting = asyncio.create_task(engine.submit(PARENT.body, Mode.COMMIT))
        await until(lambda: clock.asked_count > 2)
        with pytest.raises(Overloaded, match="the disk is full"):
            await engine.submit(CHILD.body, Mode.ASYNC)
        await until(lambda: engine.standing(PARENT.id) == Standing(Status.BACKLOG))  # in no block until there is room
        disk.full = False
        assert await waiting == PARENT
        await engine.submit(CHILD.body, Mode.COMMIT)
    assert caplog.text.count("the disk is full") == 1


async def test_a_disk_that_is_nearly_full_stops_admission_until_there_is_room(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the reserve a node would find out by a failed write, and could not even commit at its stop."""
    monkeypatch.setattr("bigchaindb.engine.solo.FULL_RETRY_S", 0.01)
    free = [Limits().disk_free_bytes_min]
    async with running(engine_over(store.writer, free_bytes=lambda: free[0])) as engine:
        waiting = asyncio.create_task(engine.submit(PARENT.body, Mode.COMMIT))
        await asyncio.sleep(0)  # it is taken, and not checked yet
        free[0] -= 1
        await until(lambda: engine.standing(PARENT.id) is not None)
        with pytest.raises(Overloaded, match="disk_free_bytes_min"):
            await engine.submit(CHILD.body, Mode.ASYNC)
        free[0] += 1
        assert await waiting == PARENT


async def test_a_stop_uses_the_reserve_to_commit_what_was_accepted(store: Store) -> None:
    free = [Limits().disk_free_bytes_min]
    async with running(engine_over(store.writer, free_bytes=lambda: free[0])) as engine:
        accepted = asyncio.create_task(engine.submit(PARENT.body, Mode.ASYNC))
        await asyncio.sleep(0)
        free[0] = 0
        await accepted
    assert store.writer.tip().height == 1


async def test_p7_an_idle_node_sees_that_others_fill_its_disk(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is committed, so no block finds out; the first client is refused at once, not kept waiting."""
    async with running(engine_over(store.writer, free_bytes=lambda: 0)) as engine:
        await until(lambda: "the disk of the ledger is filling up" in caplog.text)
        with pytest.raises(Overloaded, match="disk_free_bytes_min"):
            await engine.submit(PARENT.body, Mode.COMMIT)


class NoRoomToTidy(GatedStore):
    def tidy(self) -> bool:
        raise StoreFull("no room")


async def test_a_disk_too_full_to_tidy_up_stops_nothing(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    async with running(engine_over(NoRoomToTidy(store.writer))) as engine:
        await engine.submit(PARENT.body, Mode.COMMIT)
        await engine.submit(CHILD.body, Mode.COMMIT)
    assert caplog.text.count("the store was not tidied") == 2


async def test_a_stop_on_a_full_disk_says_what_is_lost(store: Store) -> None:
    engine = engine_over(FullStore(store.writer))
    task = asyncio.create_task(engine.run())
    waiting = asyncio.create_task(engine.submit(PARENT.body, Mode.COMMIT))
    await until(lambda: engine.standing(PARENT.id) is not None)
    engine.stop()
    with pytest.raises(EngineError, match="1 accepted transactions are not committed: StoreFull"):
        await task
    with pytest.raises(EngineError):
        await waiting


class BrokenStore(GatedStore):
    def commit(self, effects: Effects) -> None:
        if effects.tip.height > 1:
            raise StoreError("the disk answers no more")
        super().commit(effects)


async def test_any_other_failure_of_the_store_stops_the_engine(store: Store) -> None:
    """What is on the disk is unknown then: going on could tell two histories."""
    engine = engine_over(BrokenStore(store.writer))
    task = asyncio.create_task(engine.run())
    await engine.submit(PARENT.body, Mode.COMMIT)
    with pytest.raises(EngineError):
        await engine.submit(CHILD.body, Mode.COMMIT)
    with pytest.raises(EngineError, match="StoreError"):
        await task
    with pytest.raises(Stopping):
        await engine.submit(CHILD.body, Mode.COMMIT)


class UnreadableStore(GatedStore):
    def view(self, needs: Needs) -> LoadedView:
        raise StoreError(f"cannot read {len(needs.transaction_ids)} rows")


async def test_a_failing_check_stops_the_engine_and_answers_its_batch(store: Store) -> None:
    engine = engine_over(UnreadableStore(store.writer))
    task = asyncio.create_task(engine.run())
    with pytest.raises(EngineError, match="stopped before the transaction was checked"):
        await engine.submit(PARENT.body, Mode.ASYNC)
    with pytest.raises(EngineError, match="cannot read 1 rows"):
        await task
