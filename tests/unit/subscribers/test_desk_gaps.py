"""A page or a log that is not what its subscription knew: it is GAPPED until a person seeks (P8)."""

import asyncio
import re
from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.orders import Seek
from bigchaindb.subscribers.lane_page import LanePage, Word
from tests.support.subscribed import running
from tests.support.takers import FRAME_BYTES, Taker, deliveries


@pytest.mark.parametrize("order", ["asset", "none"])
def test_p8_a_slot_of_no_event_is_a_gap_until_a_person_seeks(tmp_path: Path, order: str) -> None:
    """A page has no checksum: the desk looked for such an event without a pause, or failed and began again for ever."""

    async def first() -> None:
        async with running(tmp_path) as node:
            node.grow(3)
            await node.subscribe(granularity="transaction", order=order)
            assert len(await Taker(node.desks, "one").take(15)) == 15

    async def second() -> None:
        async with running(tmp_path) as node:
            taker = Taker(node.desks, "one")
            await node.until(lambda one: not taker.seat.take(15, FRAME_BYTES) and one.state is State.GAPPED)
            assert "does not hold position 2 " in taker.seat.standing.reason
            await node.desks.order("one", Seek("position:2"))
            assert len(await taker.take(10)) == 10

    asyncio.run(first())
    [path] = (tmp_path / "lanes").iterdir()
    with closing(LanePage(path)) as page:
        [slot] = [slot for slot in page.slots if page.words[slot] == 2 << 20 | 1]
        page.words[slot] |= 1 << 12
    asyncio.run(second())


@pytest.mark.parametrize("content", [b"", bytes(8192)], ids=["empty", "zeros"])
def test_p8_a_page_that_is_none_stops_its_subscription_alone(tmp_path: Path, content: bytes) -> None:
    """It kept the whole node from starting."""

    async def first() -> None:
        async with running(tmp_path) as node:
            node.grow(3)
            await node.subscribe()
            taker = Taker(node.desks, "one")
            taker.seat.ack(deliveries(await taker.take(3))[:1])

    async def second() -> None:
        async with running(tmp_path) as node:
            taker = Taker(node.desks, "one")
            assert taker.seat.standing.state is State.GAPPED
            assert re.search(
                r"lanes/one\.1 is no lane page; restore .* say where it goes on, .* seek one position:2$",
                taker.seat.standing.reason,
            )
            await node.desks.order("one", Seek("position:2"))
            assert len(await taker.take(2)) == 2

    asyncio.run(first())
    (tmp_path / "lanes" / "one.1").write_bytes(content)
    asyncio.run(second())


def test_p8_a_log_that_is_shorter_is_sought_where_something_is_owed(tmp_path: Path) -> None:
    """The advice passed over what the log has left and nobody had answered."""

    async def first() -> None:
        async with running(tmp_path) as node:
            node.grow(3)
            await node.subscribe()
            taker = Taker(node.desks, "one")
            taker.seat.ack(deliveries(await taker.take(3))[:1])

    async def second() -> None:
        async with running(tmp_path) as node:
            assert node.status.error == (
                "it had position 9, and the log ends at 3; say where it goes on, with what comes next: "
                "bigchaindb plugins seek one position:2"
            )

    asyncio.run(first())
    with closing(LanePage(tmp_path / "lanes" / "one.1")) as page:
        page.words[Word.REACHED] = 9
    asyncio.run(second())
