"""Who waits for whom in the engine of one node: light documents, heavy ones, and what they leave to tidy up."""

import asyncio
import itertools
from dataclasses import dataclass, field

import pytest

from bigchaindb.engine.engine import Mode
from bigchaindb.errors import DuplicateTransaction
from bigchaindb.ledger.effects import Effects
from bigchaindb.store import Store
from bigchaindb.transaction import build
from tests.support.chains import ALICE, create
from tests.support.engines import GatedClock, GatedStore, engine_over, running, until


async def test_a_light_document_is_accepted_and_committed_before_32_heavy_ones(store: Store) -> None:
    """Strangers' large documents are theirs to wait for."""
    heavies = [build.create([ALICE], data={"serial": n, "values": [1] * 8_000}).body for n in range(32)]
    async with running(engine_over(store.writer)) as engine:
        waiting = [asyncio.create_task(engine.submit(body, Mode.COMMIT)) for body in heavies]
        await asyncio.sleep(0)
        await engine.submit(create(100).body, Mode.COMMIT)
        assert sum(one.done() for one in waiting) < len(heavies) // 2
        await asyncio.gather(*waiting)


@dataclass
class UntidyStore(GatedStore):
    """The real store, with always another piece to tidy up until it is told that there is none."""

    is_untidy: bool = True
    piece_count: int = 0

    def tidy(self) -> bool:
        super().tidy()
        self.piece_count += 1
        return self.is_untidy


async def test_between_two_pieces_of_tidying_light_ones_are_committed_and_heavy_ones_are_not(store: Store) -> None:
    """What strangers' large documents leave behind is theirs to wait for; and an idle node tidies up."""
    untidy = UntidyStore(store.writer)
    async with running(engine_over(untidy)) as engine:
        await engine.submit(create(1).body, Mode.COMMIT)
        heavy = asyncio.create_task(engine.submit(build.create([ALICE], data={"text": 10_000 * "x"}).body, Mode.COMMIT))
        await until(lambda: engine.figures.pool_count == 1)
        for number in range(2, 5):
            await engine.submit(create(number).body, Mode.COMMIT)
        assert not heavy.done()
        before = untidy.piece_count
        await until(lambda: untidy.piece_count > before + 3)
        untidy.is_untidy = False
        await heavy


async def test_heavy_transactions_wait_for_no_more_light_ones_than_a_few_blocks(store: Store) -> None:
    """Under a load that leaves more to tidy up than is tidied they would never be committed."""
    async with running(engine_over(UntidyStore(store.writer))) as engine:
        await engine.submit(create(1).body, Mode.COMMIT)
        body = build.create([ALICE], data={"text": 10_000 * "x"}).body
        heavy = asyncio.create_task(engine.submit(body, Mode.COMMIT))
        serials = itertools.count(2)

        async def trade() -> None:
            while not heavy.done():
                await engine.submit(create(next(serials)).body, Mode.COMMIT)

        async with asyncio.timeout(60):
            await asyncio.gather(trade(), trade(), trade())
        await heavy


@dataclass
class NotingStore(GatedStore):
    """The real store, and what it did, in order: the ids of each block, or `tidy`."""

    done: list[object] = field(default_factory=list)

    def commit(self, effects: Effects) -> None:
        super().commit(effects)
        self.done.append([one.id for one in effects.transactions])

    def tidy(self) -> bool:
        self.done.append("tidy")
        return super().tidy()


async def test_behind_a_heavy_block_those_who_came_meanwhile_are_first(store: Store) -> None:
    """They have waited for a stranger's document, and need not wait for what it leaves behind."""
    noting, clock = NotingStore(store.writer), GatedClock()
    heavy, light = build.create([ALICE], data={"text": 10_000 * "x"}), create(1)
    async with running(engine_over(noting, now=clock)) as engine:
        await engine.submit(heavy.body, Mode.ASYNC)
        await until(clock.asked.is_set)
        await engine.submit(light.body, Mode.ASYNC)
        clock.opened.set()
        await until(lambda: len(noting.done) > 2)
    assert noting.done[:3] == [[heavy.id], [light.id], "tidy"]


async def test_a_heavy_transaction_that_is_refused_leaves_nothing(store: Store) -> None:
    """Else strangers would fill 80 MiB with them, and four times that with what they are parsed into."""
    engine = engine_over(store.writer)
    made = build.create([ALICE], data={"text": 10_000 * "x"})
    async with running(engine):
        await engine.submit(made.body, Mode.COMMIT)
        with pytest.raises(DuplicateTransaction):
            await engine.submit(made.body, Mode.COMMIT)
        assert len(engine._intake._proven) == 0
