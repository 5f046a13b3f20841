"""What access and TLS cost a request, and how fast a revocation reaches an open stream."""

import asyncio
import itertools
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from bench.measure import Scale, alternate, median, thread_us_each
from bench.node import Node
from bench.report import Figure, at_most
from bench.secured import figures as figures_of_tls
from bigchaindb.access.book import KeyBook
from bigchaindb.access.exposure import OPEN
from bigchaindb.access.gate import Gate, Visitor
from bigchaindb.access.keys import RANDOM_BYTES, make
from bigchaindb.access.rates import Rates
from bigchaindb.access.scopes import Scopes
from bigchaindb.cli.control import ControlClient
from bigchaindb.config import Access
from bigchaindb.config.access import RateSettings, ScopeRates
from bigchaindb.control import answers
from bigchaindb.store import Store
from bigchaindb.streams.websocket import PATH

REQUEST_COUNT: Final = 200_000
KEY_COUNT: Final = 1_000
ADDRESS_COUNT: Final = 100_000
REVOCATION_COUNT: Final = 20
KEY_US_MAX: Final = 2.0
"""An access key and its bucket, for each request."""
REFUSAL_US_MAX: Final = 20.0
REVOKE_MS_MAX: Final = 100.0
_UPGRADE: Final = (
    f"GET {PATH} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YmVuY2gtYmVuY2gtYmVuYw==\r\n"
).encode() + b"Authorization: Bearer %b\r\n\r\n"
_WIDE: Final = ScopeRates(write=(1e9, 1e9), read=(1e9, 1e9))


def run(scale: Scale) -> list[Figure]:
    """Measure the gate by itself, then revocations at a node."""
    store = Store(scale.folder / "access")
    try:
        gate, texts = _gate(store)
        passing, refusing = asyncio.run(_decide(scale, gate, texts))
    finally:
        store.close()
    revoked_ms = _revoke(scale)
    return [
        Figure(
            what="an access key and its bucket",
            value=passing[1] - passing[0],
            unit="us",
            peer=passing[0],
            peer_name="us an anonymous request without a rate",
            limit=at_most(KEY_US_MAX),
        ),
        Figure(
            what=f"a wrong key, from {ADDRESS_COUNT:,} addresses in turn",
            value=refusing,
            unit="us",
            limit=at_most(REFUSAL_US_MAX),
        ),
        Figure(
            what="revoked to stream closed, longest",
            value=max(revoked_ms),
            unit="ms",
            peer=median(revoked_ms),
            peer_name="ms, median",
            limit=at_most(REVOKE_MS_MAX),
        ),
        *figures_of_tls(scale),
    ]


def _gate(store: Store) -> tuple[Gate, list[str]]:
    """Make a gate with keys and rates; return it and the keys."""
    book = KeyBook(store.node, 2 * KEY_COUNT)
    texts = [book.new(f"bench-{number}", Scopes(("read", "write")), None, 1.0)[1] for number in range(KEY_COUNT)]
    for key in book.keys.values():
        book.note_use(key, time.time(), is_exposed=False)
    book.write_uses()  # as a node does each minute: the day of use is written once a day
    rates = Rates(Access(rates=RateSettings(anonymous=_WIDE, known=_WIDE)), 10_000)
    return Gate(OPEN, book, rates=rates), texts


async def _decide(scale: Scale, gate: Gate, texts: list[str]) -> tuple[tuple[float, float], float]:
    """Return the CPU time of an anonymous request, of one with a key, and of a refusal, in µs."""
    count = scale.count(REQUEST_COUNT)
    plain, keyed = [_visitor()], [_visitor(text) for text in texts]
    wrong = [
        _visitor(make(os.urandom(RANDOM_BYTES))[1], f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        for number in range(ADDRESS_COUNT)
    ]
    found = alternate(
        scale.rounds,
        [
            partial(thread_us_each, _admitting(Gate(OPEN), plain, count), count),
            partial(thread_us_each, _admitting(gate, keyed, count), count),
            partial(thread_us_each, _admitting(gate, wrong, count), count),
        ],
    )
    anonymous, known, refused = map(median, found)
    return (anonymous, known), refused


def _visitor(key: str | None = None, address: str = "192.0.2.7") -> Visitor:
    headers = {"host": "ledger.example:9984"}
    return Visitor(key, address, "/api/v1/transactions?mode=commit", False, headers, "POST")  # noqa: FBT003


def _admitting(gate: Gate, visitors: list[Visitor], count: int) -> Callable[[], None]:
    def work() -> None:
        for visitor in itertools.islice(itertools.cycle(visitors), count):
            gate.admit(visitor, "write")

    return work


def _revoke(scale: Scale) -> list[float]:
    """Revoke one key after the other; return the times until their streams were closed, in ms."""
    with Node(scale.folder / "access-node") as node:
        client = ControlClient(node.data / "control.sock")
        return [asyncio.run(_revoke_one(node, client)) for _ in range(scale.count(REVOCATION_COUNT))]


async def _revoke_one(node: Node, client: ControlClient) -> float:
    made = await asyncio.to_thread(client.change_access, answers.NewKey("bench", "read", None), answers.MadeKey)
    assert made is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", node.stream_port)
    writer.write(_UPGRADE % made.text.encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    begin = time.perf_counter()
    revoking = asyncio.create_task(
        asyncio.to_thread(client.change_access, answers.RevokeKey(made.key.id), answers.KeyStatus)
    )
    assert (await reader.readexactly(1))[0] & 0x0F == 8, "not a close frame"
    taken_ms = (time.perf_counter() - begin) * 1e3
    await revoking
    writer.transport.abort()
    return taken_ms
