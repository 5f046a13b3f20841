"""Transactions that come together are each checked by themselves, and whoever brought them waits once."""

import asyncio

import pytest

from bigchaindb.engine.together import Together
from bigchaindb.errors import DoubleSpend, EngineError, Overloaded
from tests.support.chains import create

ONE, TWO = create(1), create(2)


async def test_outcomes_stand_in_the_order_of_the_bodies_whatever_comes_first() -> None:
    together = Together([ONE.body, b"{", TWO.body])
    waiting = asyncio.create_task(together.outcomes())
    refused = DoubleSpend("spent")
    for index, outcome in ((2, TWO), (1, refused)):
        together.entries[index].resolve(outcome)
        await asyncio.sleep(0)
        assert not waiting.done()
    together.entries[0].resolve(ONE)
    assert await waiting == [ONE, refused, TWO]


async def test_the_first_outcome_counts() -> None:
    """The queue answers all that waits when it closes, whoever was answered before."""
    together = Together([ONE.body])
    together.entries[0].resolve(ONE)
    together.entries[0].resolve(Overloaded("late"))
    assert await together.outcomes() == [ONE]


async def test_nothing_together_is_not_waited_for() -> None:
    assert await Together([]).outcomes() == []


async def test_whoever_gave_up_waiting_is_not_answered() -> None:
    together = Together([ONE.body])
    waiting = asyncio.create_task(together.outcomes())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    together.entries[0].resolve(EngineError("the engine stopped"))
