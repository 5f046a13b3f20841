"""The wall clock is set forward or back under subscriptions: what they wait for is counted on another clock."""

import time
from pathlib import Path

import pytest

from bigchaindb.subscribers.machine import Machine
from tests.support.subscribed import running
from tests.support.takers import FRAME_BYTES, Taker, deliveries

YEAR_S = 366 * 24 * 3_600.0


@pytest.mark.parametrize("jump_s", [YEAR_S, -YEAR_S], ids=["forward", "back"])
async def test_delays_limits_and_expiry_do_not_see_the_clock_jump(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    """All that waits comes at once, or in a year, and a subscription that was just used is deleted."""
    really, jumped = time.time, [0.0]

    def now() -> float:
        return really() + jumped[0]

    monkeypatch.setattr(time, "time", now)
    async with running(tmp_path, machine=Machine(now=now)) as node:
        node.grow(4)
        await node.subscribe("idle", expires_s=3_600)
        await node.subscribe(order="none", answer_s=3_600)
        taker = Taker(node.desks, "one")
        held, later, soon, parked = deliveries(await taker.take(4))
        taker.seat.nack([later], delay_s=3_600.0, error="later", is_unavailable=False)
        jumped[0] = jump_s
        taker.seat.nack([soon], delay_s=0.05, error="soon", is_unavailable=False)
        assert deliveries(await taker.take(1)) == [(soon.number, 2)]
        assert await taker.seat.park([parked], error="no") == []
        node.grow()
        assert [one.number for one in deliveries(await taker.take(1))] == [5]
        assert taker.seat.take(9, FRAME_BYTES) == [], "the other delay is not over"
        assert taker.revoked == []
        assert taker.seat.ack([held]) == []
        assert "idle" in node.desks.subscriptions
