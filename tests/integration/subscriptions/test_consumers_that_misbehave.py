"""What one consumer does wrong costs another of the same subscription nothing, and loses no event.

Source: docs/reference/subscriptions.md; promises P17 to P19.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bigchaindb.simulated.chain import Recipe
from tests.integration.subscriptions.conftest import Here, Start
from tests.support.frames import frame
from tests.support.raw import UPGRADE, Wire, request, until, wire
from tests.support.subscriber import PROTOCOL, Consumer, connected, place_of

BLOCKS = 120
STALE = frame(1, b'{"type":"ack","tags":[999]}')
MASKED_PONG = frame(10, b"")


@asynccontextmanager
async def upgraded(here: Here, query: str) -> AsyncIterator[Wire]:
    """Connect by hand, with small buffers."""
    path = f"/api/v1/subscriptions/one{query}"
    async with wire(here.served.api.port, is_narrow=True) as one:
        assert (await one.ask(request("GET", path, **UPGRADE, Sec_WebSocket_Protocol=PROTOCOL))).status == 101
        one.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        yield one


async def answer_pings_alone(one: Wire) -> None:
    """Do what a library does whose application hangs."""
    while await one.reader.read(65_536):
        await one.send(MASKED_PONG)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", ["floods", "pings", "reads nothing", "answers nothing", "answers pings alone"])
async def test_another_consumer_goes_on_and_gets_what_the_first_one_had(begin: Start, kind: str) -> None:
    here = await begin(recipe=Recipe(blocks=BLOCKS, transactions=1))
    await here.subscribe(order="none", window=1_000)
    beside: asyncio.Task[None] | None = None
    async with upgraded(here, "?window=3") as bad, connected(here.url, "one") as client:
        match kind:
            case "floods":
                bad.writer.write(STALE * 50_000)
            case "pings":
                bad.writer.write(frame(9, b"") * 200_000)
            case "answers pings alone":
                beside = asyncio.create_task(answer_pings_alone(bad))
            case _:
                pass
        other, taken = Consumer(client), set[int]()
        here.grow(10)
        await until(lambda: any(one.in_hand_count == 3 for one in here.status.consumers), "the first to have its fill")
        while here.hub.head < BLOCKS:
            here.grow()
            while here.hub.head not in taken:  # each event reaches the other one, whatever the first one does
                events = (await other.next("events"))["events"]
                taken |= {place_of(one["event"])[0] for one in events}
                await other.say(type="ack", tags=[one["tag"] for one in events])
                if len({*range(1, here.hub.head + 1)} - taken) <= 3:
                    break  # the first one may have it
        missing = {*range(1, BLOCKS + 1)} - taken
        assert len(missing) <= 3
        if beside is not None:
            beside.cancel()
        bad.close()
        while missing - taken:
            events = (await other.next("events"))["events"]
            taken |= {place_of(one["event"])[0] for one in events}
            await other.say(type="ack", tags=[one["tag"] for one in events])
    await here.until(lambda status: status.position == BLOCKS)


async def test_what_is_nacked_together_without_a_delay_comes_again(here: Here) -> None:
    """A second delay that is over already was an error on the loop of a node, and ended the connection."""
    here.grow(5)
    await here.subscribe(order="none")
    async with connected(here.url, "one") as client:
        consumer = Consumer(client)
        first = await consumer.events(5)
        await consumer.say(type="nack", tags=[one["tag"] for one in first], delay_s=0, ref=1)
        assert (await consumer.next("done"))["stale"] == []
        again = await consumer.events(5)
        assert [(one["event"]["id"], one["attempt"]) for one in again] == [(one["event"]["id"], 2) for one in first]
