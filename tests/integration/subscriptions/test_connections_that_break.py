"""Consumers are lost at any moment; no event is, and none comes again without a reason.

Source: promises P2 and P17 to P19; docs/reference/subscriptions.md, "If something ends".
"""

import asyncio
import random

import pytest

from bigchaindb.simulated.chain import Recipe
from tests.integration.subscriptions.conftest import Start
from tests.support import scale
from tests.support.subscriber import Application, Watch

TRANSACTIONS = 20
"""In a block."""


@pytest.mark.timeout(60 + scale.SUBSCRIBED_BY_ASSET / 50)
@pytest.mark.parametrize(
    ("order", "nacks", "parks", "events"),
    [
        ("asset", 0.05, 0.02, scale.SUBSCRIBED_BY_ASSET),
        ("none", 0.05, 0.0, scale.SUBSCRIBED_EVENTS),
        ("log", 0.0, 0.0, scale.SUBSCRIBED_EVENTS),
    ],
)
async def test_every_event_comes_in_order_and_again_only_with_a_reason(
    begin: Start, order: str, nacks: float, parks: float, events: int
) -> None:
    draw, blocks = random.Random(scale.seed()), events // TRANSACTIONS
    here = await begin(recipe=Recipe(blocks=blocks, transactions=TRANSACTIONS, seed=scale.seed()))
    await here.subscribe(granularity="transaction", order=order, window=500)
    watch = Watch(order=order)
    applications = [Application(watch, draw, nacks=nacks, parks=parks) for _ in range(3)]

    def is_done() -> bool:
        return here.status.position == blocks and not here.status.in_hand

    async def grow() -> None:
        while here.hub.head < blocks:
            here.grow()
            await asyncio.sleep(0.005)

    async def disturb() -> None:
        while not is_done():
            await asyncio.sleep(draw.random() * 0.1)
            draw.choice(applications).break_off()

    running = [one.run(lambda: here.url, "one", "?window=100&batch=20", is_done) for one in applications]
    async with asyncio.timeout(60 + events / 50):
        await asyncio.gather(grow(), disturb(), *running)
    places = {(position, index) for position in range(1, blocks + 1) for index in range(TRANSACTIONS)}
    assert watch.seen.keys() == places
    assert watch.answered | watch.confirmed == places
    assert watch.repeats > 0, "nothing was disturbed"
