"""Connections over TLS keep every promise of plain ones; handshakes are bounded."""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import pytest

from bigchaindb.agreed import ASK_OVER_TLS
from bigchaindb.serving import connection, handshakes, secured
from bigchaindb.serving.answering import last_text
from bigchaindb.serving.connection import Connection, ConnectionLimits, Handler, Texts
from bigchaindb.serving.handshakes import ADDRESS_PART, Handshakes
from bigchaindb.serving.listener import Listener
from bigchaindb.serving.parsing import AHEAD_BYTES
from bigchaindb.serving.places import Room
from bigchaindb.serving.request import Request
from tests.support.raw import HEAD_BYTES_MAX, Wire, request, until, wire
from tests.support.tls import Authority, Pair, change_keys, open_connection, server_context

LARGE: Final = 3_000_000 * b"x"
READ_BYTES_MAX: Final = 256 * 1024
"""What the system's loop reads at once."""
HANDSHAKE_COUNT: Final = 2 * ADDRESS_PART
"""Two of one address."""


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.sign()


class Serving:
    """A listener over TLS."""

    def __init__(self, pair: Pair, authority: Authority, handler: Handler) -> None:
        self.authority = authority
        refusal = last_text(503, "refused")
        limits = ConnectionLimits(Room(64, 64, 64), head_s_max=60, stall_s_max=60)
        self.listener = Listener(handler, limits, Texts(refusal, refusal, refusal), Connection.answer_text, name="test")
        self.handshakes = Handshakes(server_context(pair), HANDSHAKE_COUNT)

    @asynccontextmanager
    async def client(self, source: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
        """Connect from an address of this machine."""
        context = context or self.authority.client()
        to = ("127.0.0.1", self.listener.port)
        opened = Wire(*await open_connection(context, *to, limit=HEAD_BYTES_MAX, local_addr=(source, 0)))
        try:
            yield opened
        finally:
            opened.close()


@asynccontextmanager
async def serving(pair: Pair, authority: Authority, handler: Handler) -> AsyncIterator[Serving]:
    server = Serving(pair, authority, handler)
    await server.listener.start("127.0.0.1", 0, server.handshakes)
    try:
        yield server
    finally:
        await server.listener.stop(1.0)
        server.handshakes.close()


@pytest.fixture
async def server(pair: Pair, authority: Authority) -> AsyncIterator[Serving]:
    async with serving(pair, authority, echo) as made:
        yield made


async def echo(connection: Connection, asked: Request) -> None:
    body = asked.body
    while body.is_open:
        await body.more()
    connection.answer(asked, 200, body.joined() if body.size else asked.target.encode(), b"")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_large_body_both_ways_and_a_request_in_many_pieces(server: Serving, version: ssl.TLSVersion) -> None:
    context = server.authority.client()
    context.maximum_version = version
    async with server.client(context=context) as opened:
        for byte in request("GET", "/small"):
            await opened.send(bytes([byte]))
        assert (await opened.answer()).body == b"/small"
        opened.writer.write(request("POST", "/", LARGE))
        assert (await opened.answer()).body == LARGE
        opened.writer.write(request("GET", "/1") + request("GET", "/2"))
        assert [(await opened.answer()).body for _ in range(2)] == [b"/1", b"/2"]


async def test_a_client_that_closes_its_side_gets_its_answers(server: Serving) -> None:
    async with server.client() as opened:
        opened.writer.write(request("GET", "/1") + request("GET", "/2"))
        opened.writer.write_eof()
        assert [(await opened.answer()).body for _ in range(2)] == [b"/1", b"/2"]
        assert await opened.ended() == b""


async def test_the_end_of_an_answer_is_told_from_a_cut_connection(server: Serving) -> None:
    """An answer may end with its connection: without a farewell somebody on the way could cut it short."""

    def ask() -> bytes:
        raw = socket.create_connection(("127.0.0.1", server.listener.port))
        context = server.authority.client()
        with context.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False) as client:
            client.sendall(b"GET /last HTTP/1.0\r\n\r\n")
            return b"".join(iter(lambda: client.recv(4096), b""))

    assert (await asyncio.to_thread(ask)).endswith(b"/last")


async def test_what_nobody_reads_stays_with_the_client(pair: Pair, authority: Authority) -> None:
    """Neither in the parser nor in front of it may bytes pile up."""
    served: list[tuple[Connection, Request]] = []
    may_answer = asyncio.Event()

    async def answer(connection: Connection, asked: Request) -> None:
        served.append((connection, asked))
        await may_answer.wait()
        await echo(connection, asked)

    async with serving(pair, authority, answer) as server, server.client() as opened:
        opened.writer.write(request("POST", "/", LARGE))
        await until(lambda: bool(served) and not served[0][0].transport.is_reading(), "reading to pause")
        await asyncio.sleep(0.1)
        [(connection, asked)] = served
        held = len(connection.transport._held)  # type: ignore[attr-defined]
        assert asked.body.size + len(connection._unparsed) + held <= AHEAD_BYTES + 2 * READ_BYTES_MAX
        may_answer.set()
        assert (await opened.answer()).body == LARGE


async def test_a_client_that_takes_nothing_is_felt(pair: Pair, authority: Authority) -> None:
    """The bound on unsent bytes and the time without progress need to see them."""
    unsent: list[int] = []

    async def answer(connection: Connection, asked: Request) -> None:
        connection.answer(asked, 200, 8 * LARGE, b"")
        unsent.append(connection.transport.get_write_buffer_size())
        await connection.drain()

    async with serving(pair, authority, answer) as server, server.client() as opened:
        opened.writer.transport.pause_reading()  # type: ignore[attr-defined]
        opened.writer.write(request("GET", "/"))
        await until(lambda: bool(unsent), "an answer")
        assert unsent[0] > len(LARGE)
        opened.writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert (await opened.answer()).body == 8 * LARGE


async def test_records_of_one_byte_leave_others_their_turn(server: Serving) -> None:
    """5,000 of them are read at once: each turn decrypts a part."""
    async with server.client() as flooding, server.client() as other:
        for byte in request("POST", "/", 5_000 * b"x"):
            flooding.writer.write(bytes([byte]))
        assert (await other.ask(request("GET", "/other"))).body == b"/other"
        assert (await flooding.answer()).body == 5_000 * b"x"


async def test_plain_http_is_told_what_to_do(server: Serving) -> None:
    async with wire(server.listener.port) as opened:
        answered = await opened.ask(request("GET", "/"))
        assert (answered.status, answered.body.decode().strip()) == (400, ASK_OVER_TLS)
        assert await opened.ended() == b""


@pytest.mark.parametrize(
    "data", [b"\0\0\0\0\0\0\0\0", b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01\xff\xff", b"SSH-2.0-x\r\n"]
)
async def test_no_handshake_at_all_ends(
    server: Serving, data: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(secured, "HANDSHAKE_S_MAX", 0.5)
    caplog.set_level(logging.INFO)
    async with wire(server.listener.port) as opened:
        await opened.send(data)
        await opened.ended()
        await until(lambda: server.listener.connection_count == 0, "the connection to end")
    [line] = [one for one in caplog.records if one.message == "TLS handshakes failed"]
    assert line.last.startswith("127.0.0.1: ")  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_old_versions_are_refused(server: Serving) -> None:
    context = server.authority.client()
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ConnectionError, ssl.SSLError)):
        async with server.client(context=context):
            pass


async def test_a_silent_client_is_a_connection_from_the_first_moment_and_gone_in_time(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secured, "HANDSHAKE_S_MAX", 0.5)
    async with wire(server.listener.port) as silent:
        await until(lambda: server.listener.connection_count == 1, "the connection to count")
        assert await silent.ended() == b""
        await until(lambda: server.listener.connection_count == 0, "the connection to end")


async def test_one_address_waits_for_its_own_handshakes_and_delays_no_other(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of handshakes costs its own address, and no more than its part of the node."""
    monkeypatch.setattr(connection, "KEEP_ALIVE_S", 60.0)
    never_late(monkeypatch)
    async with AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(wire(server.listener.port)) for _ in range(12)]
        await until(lambda: server.listener.connection_count == len(silent), "all to be connected")
        assert server.handshakes._counts.total() == HANDSHAKE_COUNT // ADDRESS_PART
        async with server.client("127.0.0.2") as other:
            assert (await other.ask(request("GET", "/"))).status == 200
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(ask_once(server))
            await asyncio.sleep(0.2)
            assert not waiting.done()
            for one in silent:
                one.close()
        assert waiting.result() == 200
    await until(lambda: not server.handshakes._addresses, "nothing to be left")
    assert not server.handshakes._waiting
    assert not server.handshakes._counts


async def test_silence_from_many_addresses_delays_a_client_for_a_moment_alone(
    server: Serving, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who holds all places, or all of its own address, and sends nothing must not close the node to others."""
    monkeypatch.setattr(secured, "HANDSHAKE_S_MAX", 1e6)
    monkeypatch.setattr(handshakes, "HURRIED_S", 0.1)
    caplog.set_level(logging.INFO)
    async with AsyncExitStack() as stack:
        for number in range(2 * ADDRESS_PART):
            await silent(server, stack, f"127.0.1.{number % ADDRESS_PART}")
        await until(lambda: server.handshakes._counts.total() == HANDSHAKE_COUNT, "all places to be taken")
        assert await ask_once(server) == 200
        for _ in range(3):
            await stack.enter_async_context(wire(server.listener.port))
        assert await ask_once(server) == 200
    await until(lambda: not server.handshakes._addresses, "nothing to be left")
    assert not server.handshakes._begun


async def test_a_client_is_not_hurried_by_those_who_cannot_have_its_place(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is far away must get in while another address waits for its own places."""
    monkeypatch.setattr(secured, "HANDSHAKE_S_MAX", 1e6)
    monkeypatch.setattr(handshakes, "HURRIED_S", 0.1)
    counts = server.handshakes._counts
    async with AsyncExitStack() as stack:
        await silent(server, stack, "127.0.0.2")
        await until(lambda: counts["127.0.0.2"] == 1, "the first to have a place")
        crowd = [await silent(server, stack, "127.0.0.1") for _ in range(HANDSHAKE_COUNT // ADDRESS_PART + 1)]
        assert await crowd[0].ended() == b""
        assert counts["127.0.0.2"] == 1


async def test_addresses_take_turns(server: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has many clients that wait is not served before the one of another."""
    never_late(monkeypatch)
    counts = server.handshakes._counts
    async with AsyncExitStack() as stack:
        first = [await silent(server, stack, f"127.0.1.{number % ADDRESS_PART}") for number in range(HANDSHAKE_COUNT)]
        await until(lambda: counts.total() == HANDSHAKE_COUNT, "all places to be taken")
        for count, source in enumerate(("127.0.0.2", "127.0.0.2", "127.0.0.3"), HANDSHAKE_COUNT + 1):
            await silent(server, stack, source)
            await until(lambda: server.listener.connection_count == count, "it to be connected")  # noqa: B023
        for number in range(2):
            first[number].close()
        await until(lambda: counts.total() == HANDSHAKE_COUNT == server.listener.connection_count - 1, "two to go on")
        assert (counts["127.0.0.2"], counts["127.0.0.3"]) == (1, 1)


def never_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """End no handshake for the time that it takes."""
    monkeypatch.setattr(secured, "HANDSHAKE_S_MAX", 1e6)
    monkeypatch.setattr(handshakes, "HURRIED_S", 1e6)


async def silent(server: Serving, stack: AsyncExitStack, source: str) -> Wire:
    """Connect from an address of this machine, and send nothing."""
    opened = Wire(*await asyncio.open_connection("127.0.0.1", server.listener.port, local_addr=(source, 0)))
    stack.callback(opened.close)
    return opened


async def test_a_client_that_changes_its_keys_without_end_is_ended(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL replies to each change by itself, and the client need not read the replies."""
    monkeypatch.setattr(secured, "REPLY_BYTES_MAX", 4_000)
    assert 100 < await asyncio.to_thread(change_keys, server.listener.port, 10_000) < 10_000
    await until(lambda: server.listener.connection_count == 0, "the connection to end")


async def ask_once(server: Serving) -> int:
    async with server.client() as opened:
        return (await opened.ask(request("GET", "/"))).status


async def test_who_waits_for_a_handshake_may_not_fill_the_memory(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_late(monkeypatch)
    async with AsyncExitStack() as stack:
        for _ in range(HANDSHAKE_COUNT // ADDRESS_PART):
            await stack.enter_async_context(wire(server.listener.port))
        await until(lambda: server.handshakes._counts.total() > 1, "the places to be taken")
        flooding = await stack.enter_async_context(wire(server.listener.port))
        flooding.writer.write(b"\x16\x03\x01" + 10_000_000 * b"x")
        await until(lambda: server.listener.connection_count == 3, "all to be connected")
        await asyncio.sleep(0.2)
        transports: list[Any] = [one.transport for one in server.listener._places]
        assert sum(len(one._held) for one in transports) <= secured.FIRST_BYTES_MAX


async def test_a_stop_ends_who_has_not_shaken_hands(server: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    never_late(monkeypatch)
    async with AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(wire(server.listener.port)) for _ in range(5)]
        await until(lambda: server.listener.connection_count == len(silent), "all to be connected")
        await server.listener.stop(1.0)
        assert server.listener.connection_count == 0
