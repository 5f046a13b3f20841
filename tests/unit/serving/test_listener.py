"""Which addresses a name stands for, and what a listener makes of its sockets."""

import asyncio
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import pytest
import uvloop

from bigchaindb.errors import StartupError
from bigchaindb.serving import unix_socket
from bigchaindb.serving.answering import last_text
from bigchaindb.serving.connection import Connection, ConnectionLimits, Handler, Texts
from bigchaindb.serving.listener import Listener, bind
from bigchaindb.serving.parsing import AHEAD_BYTES
from bigchaindb.serving.places import Room
from bigchaindb.serving.request import Request
from tests.support.raw import request, until, wire

READ_BYTES_MAX: Final = 256 * 1024
"""What the system's loop reads at once."""


@pytest.fixture
def open_sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def addresses(stack: ExitStack, host: str, port: int = 0) -> list[tuple[str, int]]:
    return [stack.enter_context(closing(sock)).getsockname()[:2] for sock in bind(host, port)]


def test_localhost_is_both_loopback_addresses_on_one_port(open_sockets: ExitStack) -> None:
    """Current Node resolves it to ::1 first (driver-expectations.md, 2.2)."""
    first, second = addresses(open_sockets, "localhost")
    assert (first[0], second[0]) == ("127.0.0.1", "::1")
    assert first[1] == second[1] > 0


@pytest.mark.parametrize(
    ("host", "address"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("::", "::"), ("::1", "::1")]
)
def test_an_address_is_itself(open_sockets: ExitStack, host: str, address: str) -> None:
    [(bound, _)] = addresses(open_sockets, host)
    assert bound == address


def test_the_unspecified_ipv6_address_takes_ipv4_too(open_sockets: ExitStack) -> None:
    """`[::]:9984` is how operators say "everywhere"."""
    [sock] = bind("::", 0)
    open_sockets.enter_context(closing(sock))
    sock.listen()
    with socket.create_connection(("127.0.0.1", sock.getsockname()[1]), timeout=5):
        pass


@pytest.mark.parametrize("taken", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("host", ["localhost", "::"])
def test_a_port_that_is_taken_is_named(open_sockets: ExitStack, taken: str, host: str) -> None:
    [sock] = bind(taken, 0)
    open_sockets.enter_context(closing(sock))
    sock.listen()
    port = sock.getsockname()[1]
    with pytest.raises(StartupError, match=f"^cannot listen on .*:{port}: .*in use"):
        bind(host, port)


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 64, "a..b"])
def test_a_host_that_does_not_exist_is_named(host: str) -> None:
    with pytest.raises(StartupError, match=re.escape(f"cannot listen on {host}:0: ")):
        bind(host, 0)


async def test_a_socket_in_the_file_system_is_served_as_others_are(tmp_path: Path) -> None:
    listener = listening(echo)
    path = tmp_path / "socket"
    await listener.listen([unix_socket.bound(path)])
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"GET /lanes HTTP/1.1\r\nHost: node\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
    assert await reader.readline() == b"/lanes\n"
    assert listener.connection_count == 1
    await listener.stop(1.0)
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def test_a_defect_of_a_handler_ends_its_connection_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(connection: Connection, asked: Request) -> None:
        if asked.target == "/defect":
            raise ZeroDivisionError
        await echo(connection, asked)

    listener = listening(answer)
    await listener.start("127.0.0.1", 0)
    async with wire(listener.port) as other, wire(listener.port) as broken:
        await broken.send(request("GET", "/defect"))
        assert await broken.ended() == b""
        assert (await other.ask(request("GET", "/"))).status == 200
    assert [one.message for one in caplog.records] == ["a request failed"]
    await listener.stop(1.0)


async def test_what_nobody_reads_of_a_body_stays_with_the_client() -> None:
    """An answer may take seconds, and a body without end would fill the memory meanwhile."""
    served: list[tuple[Connection, Request]] = []
    may_answer = asyncio.Event()

    async def answer(connection: Connection, asked: Request) -> None:
        served.append((connection, asked))
        await may_answer.wait()
        await echo(connection, asked)

    listener = listening(answer)
    await listener.start("127.0.0.1", 0)
    async with wire(listener.port) as opened:
        opened.writer.write(request("GET", "/", 8_000_000 * b"x"))
        await until(lambda: bool(served) and not served[0][0].transport.is_reading(), "reading to pause")
        [(connection, asked)] = served
        assert asked.body.size + len(connection._unparsed) <= AHEAD_BYTES + 2 * READ_BYTES_MAX
        may_answer.set()
        answered = await opened.answer()
        assert (answered.status, answered.headers["connection"]) == (200, "close")
    await listener.stop(1.0)


async def test_a_stop_cuts_off_what_takes_too_long() -> None:
    async def answer(connection: Connection, asked: Request) -> None:
        await asyncio.Event().wait()
        await echo(connection, asked)

    listener = listening(answer)
    await listener.start("127.0.0.1", 0)
    async with wire(listener.port) as opened, wire(listener.port):
        await opened.send(request("GET", "/"))
        await until(lambda: any(one.serving for one in listener._places), "the request to be in hand")
        await listener.stop(0.1)
        assert listener.connection_count == 0
        assert await opened.ended() == b""


async def echo(connection: Connection, asked: Request) -> None:
    connection.answer_text(asked, 200, asked.target)


def listening(handler: Handler) -> Listener:
    refusal = last_text(503, "refused")
    limits = ConnectionLimits(Room(8, 8, 8), head_s_max=60, stall_s_max=60)
    return Listener(handler, limits, Texts(refusal, refusal, refusal), Connection.answer_text, name="test")


def test_another_that_listens_between_bind_and_listen_ends_the_start() -> None:
    """Linux binds both, and uvloop's own listening fails in silence: a node would be ready, and reached by nobody."""

    async def late(sock: socket.socket) -> None:
        await listening(echo).listen([sock])

    with closing(bind("127.0.0.1", 0)[0]) as first:
        address = first.getsockname()
        [second] = bind(*address)
        first.listen()
        with pytest.raises(StartupError, match=rf"^cannot listen on 127\.0\.0\.1:{address[1]}: .*in use$"):
            uvloop.run(late(second))
        assert second.fileno() == -1
