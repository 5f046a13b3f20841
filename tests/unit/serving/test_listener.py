"""Which addresses a name stands for."""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from aiohttp.http_parser import HttpRequestParser, HttpRequestParserPy

from bigchaindb.errors import StartupError
from bigchaindb.serving.listener import bind


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


def test_aiohttp_parses_in_c() -> None:
    """Its Python parser is slower and differs in what it takes."""
    assert HttpRequestParser is not HttpRequestParserPy
