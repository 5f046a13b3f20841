"""Clients of the WebSocket stream: what they send, what they do not read, and how connections end.

Source: docs/reference/contract/websocket-api.md, section 4.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from copy import copy
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.frames import Close

from bigchaindb.config import Limits
from bigchaindb.eventlog.token import decode
from bigchaindb.serving.frame_budget import FRAME_COUNT_MAX
from bigchaindb.streams import websocket_frames
from bigchaindb.streams.follower import Follower
from bigchaindb.streams.websocket import FLOOD, PATH, RECEIVE_BYTES
from tests.integration.api.conftest import Start
from tests.support.frames import frame
from tests.support.raw import UPGRADE, Wire, narrow, request, until, wire
from tests.support.served import CHAIN_ID, Served
from tests.support.stream_clients import WITHIN_S, everything, following, ids, quiet, token

RECEIVED_BYTES_MAX = 4 * RECEIVE_BYTES
"""The kernel doubles what is asked for, and one read may come while frames are held already."""


class TestClients:
    """What clients send, and how connections end. Source: section 4."""

    async def test_garbage_is_ignored_and_disturbs_nobody(self, served: Served) -> None:
        async with following(served) as noisy, following(served) as other:
            for message in ("text", b"\x00\xff", "", 60_000 * "x", '{"a":1}'):
                await noisy.send(message)
            [committed] = await served.commit()
            assert await ids(noisy, 1) == [committed]
            assert await ids(other, 1) == [committed]

    async def test_a_ping_is_answered_with_its_payload(self, served: Served) -> None:
        async with following(served, ping_interval=None) as client:
            await asyncio.wait_for(await client.ping(b"payload"), WITHIN_S)
            await client.pong(b"unsolicited")
            await asyncio.wait_for(await client.ping(), WITHIN_S)

    @pytest.mark.parametrize("code", [1000, 4321])
    async def test_a_close_is_answered(self, served: Served, code: int) -> None:
        async with following(served) as client:
            await client.close(code)
            assert client.close_code in {1000, code}
        await until(lambda: served.stream.connection_count == 0, "the connection closed")

    @pytest.mark.parametrize(
        ("sent", "code"),
        [
            (b"\x81\x82\0\0\0\0\xff\xfe", 1007),
            (b"\x82\xff" + (70_000).to_bytes(8, "big") + 4 * b"\0" + 70_000 * b"x", 1009),
            (b"\x01\x81\0\0\0\0\xc3" + frame(0, b"x"), 1007),
            (frame(8, b"\x03\xe8\xff"), 1007),
            (frame(1, b"unmasked", is_masked=False), 1002),
            (frame(0, b"nothing to continue"), 1002),
            (frame(3, b"no opcode"), 1002),
            (b"\xc1\x80\0\0\0\0", 1002),
            (frame(9, 126 * b"x"), 1002),
            (frame(8, b"\x03"), 1002),
        ],
        ids=[
            "no UTF-8",
            "too large",
            "no UTF-8 across frames",
            "no UTF-8 in a reason",
            "no mask",
            "nothing begun",
            "unknown opcode",
            "a reserved bit",
            "a long ping",
            "half a code",
        ],
    )
    async def test_what_may_not_be_sent_closes_with_its_code(self, served: Served, sent: bytes, code: int) -> None:
        async with wire(served.stream.port) as opened:
            assert (await opened.ask(request("GET", PATH, None, **UPGRADE))).status == 101
            await opened.send(sent)
            header = await opened.reader.readexactly(4)
        assert (header[0], int.from_bytes(header[2:4], "big")) == (0x88, code)

    async def test_a_text_may_be_cut_within_a_letter(self, served: Served) -> None:
        async with wire(served.stream.port) as opened:
            await opened.ask(request("GET", PATH, None, **UPGRADE))
            await opened.send(b"\x01\x81\0\0\0\0\xc3" + frame(9, b"y") + frame(0, b"\xa9") + frame(9, b"x"))
            assert await opened.reader.readexactly(6) == b"\x8a\x01y\x8a\x01x"

    async def test_a_client_that_reads_nothing_may_not_hold_its_place_by_closing(self, start: Start) -> None:
        served = await start()
        async with wire(served.stream.port, is_narrow=True) as opened:
            await opened.ask(request("GET", PATH, None, **UPGRADE))
            opened.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await served.commit(500)
            await served.commit(500)
            await opened.send(frame(8, b"\x03\xe8"))
            await until(lambda: served.stream.connection_count == 0, "the place to be free")

    async def test_a_reset_is_forgotten(self, served: Served) -> None:
        for _ in range(10):
            async with wire(served.stream.port) as opened:
                await opened.ask(request("GET", PATH, None, **UPGRADE))
        await until(lambda: served.stream.connection_count == 0, "all connections gone")
        await served.commit()

    async def test_a_silent_client_is_pinged_and_let_go_if_it_stays_silent(self, start: Start) -> None:
        served = await start(heartbeat_s=0.2)
        async with wire(served.stream.port) as dead, following(served, ping_interval=None) as alive:
            await dead.ask(request("GET", PATH, None, **UPGRADE))
            pings = await dead.ended()  # a node that stood still asks again
            assert pings == len(pings) // 2 * b"\x89\x00" != b""
            await asyncio.sleep(0.5)
            [committed] = await served.commit()
            assert await ids(alive, 1) == [committed]

    async def test_a_node_that_stood_still_blames_no_client(self, start: Start) -> None:
        """A machine too busy to run the node, or one that was suspended, would close every stream when it goes on."""
        served = await start(heartbeat_s=0.2)
        async with wire(served.stream.port) as opened:
            await opened.ask(request("GET", PATH, None, **UPGRADE))
            assert await opened.reader.readexactly(2) == b"\x89\x00"
            for _ in range(4):
                time.sleep(0.15)  # noqa: ASYNC251 - the node's loop is the one that stands still
                await asyncio.sleep(0)
            await opened.send(b"\x8a\x80\0\0\0\0")
            [committed] = await served.commit()
            assert committed.encode() in await opened.reader.readuntil(b"}")

    async def test_a_stop_closes_with_1001_and_a_token(self, start: Start) -> None:
        served = await start()
        async with following(served) as client:
            await served.commit(3)
            stopping = asyncio.create_task(served.stream.stop())
            seen, close = await everything(client)
            await stopping
        assert (len(seen), close.code) == (3, 1001)
        assert decode(close.reason, CHAIN_ID, served.hub.head).position == served.hub.head

    async def test_a_stop_tells_a_client_that_catches_up_how_far_it_got(
        self, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What it is written while its token is made belongs to what it has: else it would get that again."""
        monkeypatch.setattr(websocket_frames, "PIECE_BYTES", 1)
        served = await start()
        committed = [(await served.commit())[0] for _ in range(300)]
        async with following(served, token(served, 0)) as client:
            seen = await ids(client, 1)
            stopping = asyncio.create_task(served.stream.stop())
            more, close = await everything(client)
            await stopping
        seen += more
        assert seen == committed[: len(seen)]
        assert close.code == 1001
        assert decode(close.reason, CHAIN_ID, served.hub.head).position == len(seen)


class TestFloods:
    """Clients have nothing to say here, and whoever sends all the same delays nobody (S1)."""

    PING = frame(9, b"x")
    PONG = b"\x8a\x01x"

    async def test_as_many_pings_as_the_budget_has_are_answered_at_once(self, served: Served) -> None:
        async with wire(served.stream.port) as opened:
            await opened.ask(request("GET", PATH, None, **UPGRADE))
            await opened.send(FRAME_COUNT_MAX * self.PING)
            assert await opened.reader.readexactly(FRAME_COUNT_MAX * 3) == FRAME_COUNT_MAX * self.PONG
            assert all(one.transport.is_reading() for one in connections(served))

    async def test_a_burst_is_heard_out_second_by_second(self, served: Served) -> None:
        """A library that sends at once what it had kept is no flood."""
        async with wire(served.stream.port) as opened:
            await opened.ask(request("GET", PATH, None, **UPGRADE))
            count = 2 * FRAME_COUNT_MAX + 1
            await opened.send(count * self.PING)
            await until(lambda: not any(one.transport.is_reading() for one in connections(served)), "reading to pause")
            assert await opened.reader.readexactly(count * 3) == count * self.PONG
            await until(lambda: all(one.transport.is_reading() for one in connections(served)), "reading to go on")
            assert served.stream.flood_count == 0

    @pytest.mark.parametrize("with_the_request", [False, True])
    async def test_a_flood_is_not_read_costs_others_nothing_and_ends_with_1008(
        self, served: Served, caplog: pytest.LogCaptureFixture, *, with_the_request: bool
    ) -> None:
        """16 such clients stopped all commits, and SIGTERM, for 11 s."""
        async with AsyncExitStack() as stack:
            other = await stack.enter_async_context(following(served))
            floods = [await stack.enter_async_context(wire(served.stream.port)) for _ in range(16)]
            upgrade = request("GET", PATH, None, **UPGRADE)
            for one in floods:
                if with_the_request:
                    one.writer.write(upgrade + 500_000 * self.PING)
                else:
                    await one.ask(upgrade)
                    one.writer.write(500_000 * self.PING)
            reading = [asyncio.create_task(self.received(one)) for one in floods]
            for _ in range(20):
                committed = await served.commit()
                assert await ids(other, 1) == committed
            await until(lambda: served.stream.flood_count == 16, "all floods to be ended")
            followers = served.stream._feed.followers
            assert all(one.socket._inbound.held_bytes <= RECEIVED_BYTES_MAX for one in followers)
            for received in await asyncio.gather(*reading):
                assert received.endswith(frame(8, (1008).to_bytes(2, "big") + FLOOD.encode(), is_masked=False))
                assert received.count(self.PONG) <= 12 * FRAME_COUNT_MAX  # 5 s beyond the budget, 5 s to close
            await quiet(other)
        lines = [one for one in caplog.records if one.message == f"WebSocket clients closed: {FLOOD}"]
        assert 1 <= len(lines) < 16

    @staticmethod
    async def received(opened: Wire) -> bytes:
        """Read to the end, which is a reset where the server has left something unread."""
        seen = b""
        with contextlib.suppress(ConnectionError):
            while piece := await opened.reader.read(65_536):
                seen += piece
        return seen

    async def test_a_flood_that_reads_no_answers_is_not_read_either(self, served: Served) -> None:
        """Pongs that nobody takes must not pile up, nor the pings behind them."""
        async with wire(served.stream.port, is_narrow=True) as opened:
            await opened.ask(request("GET", PATH, None, **UPGRADE))
            opened.writer.transport.pause_reading()  # type: ignore[attr-defined]
            opened.writer.write(500_000 * frame(9, 125 * b"x"))
            await until(lambda: served.stream.flood_count == 1, "the flood to be ended")
            for one in connections(served):
                assert one.transport.get_write_buffer_size() < 12 * FRAME_COUNT_MAX * 127
            await until(lambda: served.stream.connection_count == 0, "the connection to be let go")

    async def test_a_stop_does_not_wait_for_floods(self, start: Start) -> None:
        served = await start()
        async with wire(served.stream.port) as opened:
            await opened.ask(request("GET", PATH, None, **UPGRADE))
            opened.writer.write(500_000 * self.PING)
            await until(lambda: not any(one.transport.is_reading() for one in connections(served)), "reading to pause")
            await served.stream.stop()
            assert served.stream.connection_count == 0


def connections(served: Served) -> list[Any]:
    """Return the server's side of all clients."""
    return list(served.stream._listener._places)


class TestSlowClients:
    """Whoever does not read delays nobody, costs a bounded buffer, and misses nothing (S1)."""

    LIMITS = Limits(stream_buffer_bytes_max=100_000, stream_stall_s_max=WITHIN_S)
    IMPATIENT = Limits(stream_buffer_bytes_max=50_000, stream_stall_s_max=1.0)

    async def test_a_late_client_is_served_on_from_the_log(self, start: Start) -> None:
        served = await start(limits=self.LIMITS)
        async with sleeping(served) as slow, following(served) as quick:
            committed = await commit_before(quick, served)
            await until(lambda: len(late_of(served)) == 1, "the quick one alone to be level")
            assert await ids(slow, len(committed)) == committed
            await until(lambda: not late_of(served), "the client to be level again")
            last = await served.commit()
            assert await ids(slow, 1) == last
            await quiet(slow)

    async def test_a_client_that_takes_nothing_is_closed_with_a_token_and_comes_back(self, start: Start) -> None:
        served = await start(limits=self.IMPATIENT)
        async with sleeping(served) as stuck, following(served) as quick:

            async def given_up() -> tuple[list[str], Close]:
                await until(lambda: any(f.closing for f in served.stream._feed.followers), "the client to be given up")
                return await everything(stuck)

            leaving = asyncio.create_task(given_up())  # beside the commits: what is not taken soon goes with a reset
            committed = await commit_before(quick, served)
            seen, close = await leaving
        assert close.code == 1013
        assert len(close.reason.encode()) <= 123
        async with following(served, close.reason) as back:
            seen += await ids(back, len(committed) - len(seen))
            await quiet(back)
        assert seen == committed

    async def test_one_that_never_reads_again_is_let_go(self, start: Start) -> None:
        served = await start(limits=self.IMPATIENT)
        async with sleeping(served), following(served) as quick:
            await commit_before(quick, served)
            await until(lambda: served.stream.connection_count == 1, "the connection to be given up")

    async def test_one_that_closes_its_side_and_reads_nothing_is_let_go(self, start: Start) -> None:
        served = await start(limits=self.LIMITS)
        async with sleeping(served) as stuck, following(served) as quick:
            await commit_before(quick, served)
            assert any(f._transport.get_write_buffer_size() for f in served.stream._feed.followers), "nothing is unsent"
            stuck.transport.write_eof()
            await until(lambda: served.stream.connection_count == 1, "the connection to be given up")

    async def test_a_full_buffer_is_known_to_a_stream_that_takes_it_over(self, start: Start) -> None:
        """Answers that a client did not read fill it before the upgrade, and it is reported full once."""
        served = await start(limits=Limits(stream_buffer_bytes_max=20_000, stream_stall_s_max=WITHIN_S))
        async with wire(served.stream.port, is_narrow=True) as opened:
            await until(lambda: len(connections(served)) == 1, "the connection to be there")
            [connection] = connections(served)
            connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            sent = 0
            while connection.transport.get_write_buffer_size() < 25_000:
                opened.writer.write(20 * request("GET", "/nothing", None))
                sent += 20
                # Requests that pile up would fill the buffer beyond the mark at which no more are served.
                await until(lambda: next(copy(served.stream._ids._numbers)) > sent, "the answers")  # noqa: B023
            opened.writer.write(request("GET", PATH, None, **UPGRADE))
            await until(lambda: bool(served.stream._feed.followers), "the upgrade")
            [follower] = served.stream._feed.followers
            assert follower.socket.flow.drained is not None

    async def test_memory_for_a_client_is_bounded_by_its_buffer_and_a_block(self, start: Start) -> None:
        served = await start(limits=self.LIMITS)
        async with sleeping(served), following(served) as quick:
            for _ in range(3):
                await commit_before(quick, served)
                await until(lambda: len(late_of(served)) == 1, "the quick one alone to be level")
                [slow] = late_of(served)
                assert slow._transport.get_write_buffer_size() < 100_000 + 2 * 300_000


def late_of(served: Served) -> list[Follower]:
    """Return the clients that are behind; one may have received the last message before the node knows it level."""
    return [follower for follower in served.stream._feed.followers if follower.late]


@asynccontextmanager
async def sleeping(served: Served) -> AsyncIterator[ClientConnection]:
    """Connect a client that takes next to nothing until it is asked to, with little room in both kernel buffers."""
    options: dict[str, Any] = {"sock": narrow(served.stream.port), "max_queue": 1, "ping_interval": None}
    async with following(served, None, **options, close_timeout=0.1) as client:
        for follower in served.stream._feed.followers:
            follower._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        yield client


async def commit_before(client: ClientConnection, served: Served) -> list[str]:
    """Commit a megabyte of messages; return their ids as another client gets them, without delay.

    That client reads meanwhile: else it would be a slow one itself wherever the kernel's buffers do not hold all.
    """
    reading = asyncio.create_task(ids(client, 4_000))
    for _ in range(8):
        await served.commit(500)
    return await reading
