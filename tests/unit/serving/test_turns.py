"""Frames pass in order, whatever the reads; those without effect wait, and a client on hold is not read."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest

from bigchaindb.serving.turns import BUSY_SHARE, TURN_FRAME_COUNT, Pace, Turns
from tests.support.frames import frame

PING = frame(9, b"")


class Server(asyncio.Protocol):
    """The node's end: what passed, turn by turn."""

    def __init__(self, had_effect: Callable[[bytes], bool]) -> None:
        self.passed: list[bytes] = []
        self.had_effect = had_effect
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.turns = Turns(cast("asyncio.Transport", transport), Pace(), self._feed)

    def data_received(self, data: bytes) -> None:
        self.turns.receive(data)

    def connection_lost(self, _: BaseException | None) -> None:
        self.turns.close()
        self.ended.set()

    def _feed(self, data: bytes) -> bool:
        self.passed.append(data)
        return self.had_effect(data)

    async def until(self, count: int) -> bytes:
        async with asyncio.timeout(60):
            while sum(map(len, self.passed)) < count:  # noqa: ASYNC110 - nobody is told of it
                await asyncio.sleep(0.001)
        return b"".join(self.passed)


@asynccontextmanager
async def connected(had_effect: Callable[[bytes], bool]) -> AsyncIterator[tuple[Server, asyncio.StreamWriter]]:
    made: list[Server] = []

    def make() -> Server:
        made.append(Server(had_effect))
        return made[0]

    listening = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
    try:
        while not made:  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0.001)
        yield made[0], writer
    finally:
        writer.transport.abort()
        made[0].turns._transport.abort()  # it may not be read, and then notices no end
        listening.close()
        await made[0].ended.wait()


@pytest.mark.parametrize("had_effect", [True, False, None])
async def test_all_passes_in_order(had_effect: bool | None) -> None:  # noqa: FBT001 - a case
    draw = random.Random(7)
    frames = [frame(draw.choice([1, 9]), draw.randbytes(draw.choice([0, 5, 125, 300, 70_000]))) for _ in range(300)]
    whole = b"".join(frames)
    async with connected(lambda _: draw.random() < 0.5 if had_effect is None else had_effect) as (server, writer):
        at = 0
        while at < len(whole):
            size = draw.choice([1, 7, 100, 5_000, 200_000])
            writer.write(whole[at : at + size])
            await writer.drain()
            at += size
        assert await server.until(len(whole)) == whole
        assert server.turns.held_bytes == 0


async def test_a_turn_has_so_many_frames() -> None:
    async with connected(lambda _: True) as (server, writer):
        writer.write(PING * 1_000)
        await server.until(1_000 * len(PING))
        assert max(map(len, server.passed)) == TURN_FRAME_COUNT * len(PING)


async def test_after_frames_without_effect_nothing_is_read_for_a_while() -> None:
    """Small writes must not take more of the loop than large ones."""
    async with connected(lambda _: False) as (server, writer):
        server.turns._pace.next_s(30.0 * BUSY_SHARE)  # others have taken the share of half a minute
        writer.write(PING)
        await server.until(len(PING))
        assert not server.turns._transport.is_reading()


async def test_a_client_on_hold_is_not_read() -> None:
    async with connected(lambda _: True) as (server, writer):
        server.turns.hold()
        writer.write(PING * 100)
        await asyncio.sleep(0.02)
        assert server.passed == []
        server.turns.let_go()
        await server.until(100 * len(PING))


async def test_a_client_that_is_put_on_hold_by_its_own_frames_keeps_the_rest() -> None:
    async with connected(lambda _: hold()) as (server, writer):

        def hold() -> bool:
            server.turns.hold()
            return True

        writer.write(PING * 40)
        await server.until(1)
        await asyncio.sleep(0.02)
        assert len(server.passed) == 1
        server.turns.let_go()
        await server.until(len(server.passed[0]) + 1)


def test_those_without_effect_share_a_part_of_the_loop() -> None:
    pace = Pace()
    waits = [pace.next_s(10.0) for _ in range(10)]
    assert waits[0] == pytest.approx(10.0 / BUSY_SHARE)
    assert waits[-1] == pytest.approx(10 * 10.0 / BUSY_SHARE, rel=0.05), "one behind the other"
