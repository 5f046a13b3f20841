"""Messages a second that 1,000 WebSocket clients get from one node, each of them all, once, in order.

A process of its own serves the stream of a ledger that exists already and announces block after block, as fast as the
clients take them; the peer writes the same bytes from memory to as many sockets. The clients, all in this process,
count bytes and keep a running checksum each.
"""

import base64
import os
import selectors
import signal
import socket
import time
import zlib
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.ledgers import cached
from bench.measure import Scale, alternate, median
from bench.processes import Process, python
from bench.report import Figure, at_least, at_most
from bigchaindb.store import Store
from bigchaindb.streams.websocket import PATH
from bigchaindb.streams.websocket_frames import frames
from tests.support.ports import free_ports

CLIENT_COUNT: Final = 1_000
STALLED_COUNT: Final = 50
"""Further clients that never read, in the runs that ask what they cost the others."""
BLOCK_SIZE: Final = 1_000
BLOCK_COUNT: Final = 12
"""Blocks that each client gets: 12 million messages in all."""
RATE_LEAST: Final = 1_000_000
SHARE_LEAST: Final = 0.9
"""Of the rate that is left to the others while further clients don't read."""
STALLED_KB_MOST: Final = 512.0
"""Memory that a client which does not read may cost: its socket's bounded buffer, and a cursor."""
RECEIVE_BYTES: Final = 256 * 1024
WAIT_S_MAX: Final = 120.0


def run(scale: Scale) -> list[Figure]:
    """Serve the clients by the node's stream server and by the bare peer in turn, then with stalled ones besides."""
    client_count = scale.count(CLIENT_COUNT)
    ledger = cached(scale, BLOCK_SIZE, BLOCK_COUNT) / "data"
    expected = _expected(ledger)
    plan = _Plan(ledger, expected, client_count)
    node, bare, beside = (
        [one.per_s for one in found]
        for found in alternate(
            scale.rounds,
            [
                lambda: _serve("bench.stream_server", plan),
                lambda: _serve("bench.peer_stream", plan),
                lambda: _serve("bench.stream_server", plan, stalled_count=STALLED_COUNT),
            ],
        )
    )
    quiet = _serve("bench.stream_server", plan)
    stalled = _serve("bench.stream_server", plan, stalled_count=STALLED_COUNT)
    return [
        Figure(
            what=f"messages to {client_count:,} clients",
            value=median(node),
            unit="/s",
            peer=median(bare),
            peer_name="/s by a bare server, from memory",
            limit=at_least(RATE_LEAST),
        ),
        Figure(
            what=f"the same beside {STALLED_COUNT} clients that don't read",
            value=median(beside) / median(node),
            unit="of the rate",
            limit=at_least(SHARE_LEAST),
        ),
        Figure(
            what="memory for a client that does not read",
            value=(stalled.memory_mb - quiet.memory_mb) * 1024 / STALLED_COUNT,
            unit="KB",
            limit=at_most(STALLED_KB_MOST),
        ),
    ]


@dataclass(frozen=True)
class _Plan:
    """The messages that are served, the number of clients, and the bytes that each must get."""

    ledger: Path
    expected: bytes
    client_count: int


@dataclass(frozen=True)
class _Served:
    """Messages a second over all clients, and the most memory that the server had."""

    per_s: float
    memory_mb: float


def _expected(ledger: Path) -> bytes:
    """Return the bytes of the whole stream."""
    with closing(Store(ledger)) as store, closing(store.log_reader()) as log:
        return b"".join(frames(log.announcements(position)) for position in range(1, BLOCK_COUNT + 1))


def _serve(module: str, plan: _Plan, *, stalled_count: int = 0) -> _Served:
    (port,) = free_ports(1)
    with (
        Process(python(module, str(plan.ledger), str(port), str(BLOCK_COUNT)), log=plan.ledger / "log") as server,
        ExitStack() as sockets,
    ):
        server.wait_until(lambda: _listens(port))
        clients = [sockets.enter_context(_connect(port)) for _ in range(plan.client_count + stalled_count)]
        os.kill(server.pid, signal.SIGUSR1)
        begin = time.perf_counter()
        _take(clients[: plan.client_count], plan.expected)
        duration_s = time.perf_counter() - begin
        return _Served(plan.client_count * BLOCK_SIZE * BLOCK_COUNT / duration_s, server.memory_mb())


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _connect(port: int) -> socket.socket:
    """Open a client's connection, up to the end of the handshake."""
    connection = socket.create_connection(("127.0.0.1", port), 10)
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(
        f"GET {PATH} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        more = connection.recv(1)
        assert more, head
        head += more
    connection.settimeout(0)
    return connection


class _Client:
    """The part that one client has received."""

    __slots__ = ("byte_count", "checksum", "connection")

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.byte_count = 0
        self.checksum = 0


def _take(connections: Sequence[socket.socket], expected: bytes) -> None:
    """Read until each client has all, and compare."""
    clients = [_Client(connection) for connection in connections]
    buffer = memoryview(bytearray(RECEIVE_BYTES))
    rest = len(clients)
    deadline = time.perf_counter() + WAIT_S_MAX
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.connection, selectors.EVENT_READ, client)
        while rest:
            assert time.perf_counter() < deadline, f"{rest} clients still wait"
            for key, _ in selector.select(1):
                client = key.data
                count = client.connection.recv_into(buffer)
                assert count, "the server has closed"
                client.checksum = zlib.crc32(buffer[:count], client.checksum)
                client.byte_count += count
                if client.byte_count >= len(expected):
                    selector.unregister(client.connection)
                    rest -= 1
    checksum = zlib.crc32(expected)
    assert all((client.byte_count, client.checksum) == (len(expected), checksum) for client in clients)
