"""A client that means harm, a process of its own: `python -m bench.attacker KIND PORT`.

It works until it is ended, and connects again where it is thrown out. `bench.hostile` tells what each kind stands for.
"""

import asyncio
import contextlib
import ipaddress
import itertools
import os
import ssl
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, Final

import uvloop

from bigchaindb.access.keys import RANDOM_BYTES, make
from bigchaindb.transaction.build import Payment, create
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.keys import KeyPair

STREAM_COUNT: Final = 16
POSTER_COUNT: Final = 32
CHUNKER_COUNT: Final = 8
SEARCHER_COUNT: Final = 8
SHAKER_COUNT: Final = 64
SHAKER_ADDRESSES: Final = 16
ADDRESS_COUNT: Final = 100_000
DEPTH: Final = 90
DOCUMENT_COUNT: Final = 48
"""Different documents of a kind; blanks behind them make each post another one to whoever compares bytes."""
PIECE_BYTES: Final = 64 * 1024
AGAIN_S: Final = 0.05
_UPGRADE: Final = (
    b"GET /api/v1/streams/valid_transactions HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YmVuY2gtYmVuY2gtYmVuYw==\r\n\r\n"
)
SUBSCRIPTION: Final = "attacked"
_CONSUME: Final = (
    f"GET /api/v1/subscriptions/{SUBSCRIPTION}?window=1000 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YmVuY2gtYmVuY2gtYmVuYw==\r\n"
    "Sec-WebSocket-Protocol: bigchaindb.subscription.v1\r\n\r\n"
).encode()
_PULL_BODY: Final = b'{"ack":[%b]}' % b",".join([b'"a"'] * 65_000)
_PULL: Final = b"POST /api/v1/subscriptions/%b/pull HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%b" % (
    SUBSCRIPTION.encode(),
    len(_PULL_BODY),
    _PULL_BODY,
)
_CHUNKED: Final = b"POST /api/v1/transactions HTTP/1.1\r\nHost: bench\r\nTransfer-Encoding: chunked\r\n\r\n"
_GET: Final = b"GET /api/v1/ HTTP/1.1\r\nHost: bench\r\n\r\n"
_SEARCHES: Final = [
    f"GET /api/v1/{target} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
    for target in (
        "assets?search=bench&limit=0",
        "metadata?search=bench",
        "transactions?asset_id=" + "0" * 64,
        "events?limit=1000",
        "assets?search=%22no%20such%20words%22",
    )
]
_KEY: Final = KeyPair.from_seed(bytes(range(32)))


def _frame(opcode: int, payload: bytes) -> bytes:
    return bytes((0x80 | opcode, 0x80 | len(payload))) + bytes(4) + payload


def _documents(kind: str) -> list[bytes]:
    """Make valid documents that cost more than their size tells."""
    seed = int.from_bytes(os.urandom(6), "big")
    signers = [_KEY]
    if kind == "signatures":
        signers = [KeyPair.from_seed(number.to_bytes(32, "big")) for number in range(1, 2_001)]
    return [create(signers, **_costly(kind, seed + index)).body for index in range(DOCUMENT_COUNT)]


def _costly(kind: str, seed: int) -> dict[str, Any]:
    one = Payment(details_of([_KEY.public_key]))
    data: dict[str, dict[str, Any]] = {
        "nested": {"lists": [[[[[]]]]] * 2_700},
        "exponents": {"numbers": [1e99] * 16_000, "fill": 500_000 * "x"},
        "controls": {"texts": [{"\x0f" * 8: 1e99, "\x1f" * 8: "\x0b" * 30}] * 2_700},
        "depth": {"lists": [_deep()] * 175},
        "names": {f"n{seed + number:x}": number for number in range(15_000)} if kind == "names" else {},
    }
    if kind == "words":
        return {"metadata": {"seed": seed, "words": " ".join(f"w{seed + number:x}" for number in range(60_000))}}
    payments = {"outputs": [one] * 1_800, "signatures": [one]}.get(kind)
    return {"data": {"seed": seed, **data.get(kind, {})}, **({} if payments is None else {"payments": payments})}


def _deep() -> list[Any]:
    made: list[Any] = []
    for _ in range(DEPTH - 1):
        made = [made]
    return made


def _posts(kind: str) -> Iterator[bytes]:
    documents = _documents(kind)
    for round_number in itertools.count():
        for body in documents:
            padded = body + b" " * round_number
            head = (
                f"POST /api/v1/transactions?mode=async HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(padded)}\r\n\r\n"
            )
            yield head.encode() + padded


def _wrong_keys() -> Iterator[bytes]:
    for number in itertools.count():
        address = ipaddress.IPv4Address(0x0A000000 + number % ADDRESS_COUNT)
        key = make(os.urandom(RANDOM_BYTES))[1]
        yield (
            f"GET /api/v1/ HTTP/1.1\r\nHost: bench\r\nX-Forwarded-For: {address}\r\nAuthorization: Bearer {key}\r\n\r\n"
        ).encode()


async def _flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, opening: bytes, piece: bytes) -> None:
    """Send without end; whatever is answered is read and forgotten."""
    writer.write(opening)
    forgetting = asyncio.create_task(_forget(reader))
    try:
        while not forgetting.done():
            writer.write(piece)
            await writer.drain()
    finally:
        forgetting.cancel()


async def _forget(reader: asyncio.StreamReader) -> None:
    while await reader.read(PIECE_BYTES):
        pass


async def _consume(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, reads: bool) -> None:
    """Take events, and answer none; or leave them unread."""
    writer.write(_CONSUME)
    if not reads:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()
    await _forget(reader)


async def _post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, posts: Iterator[bytes]) -> None:
    for request in posts:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r", 1)[0]))


async def _begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, opening: bytes) -> None:
    """Begin a handshake, and leave once the server has signed it; one without TLS has a moment."""
    writer.write(opening)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(AGAIN_S):
            await reader.read(PIECE_BYTES)


def _opening() -> bytes:
    """Return the first bytes of a client of TLS."""
    context, sent = ssl.create_default_context(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="127.0.0.1").do_handshake()
    return sent.read()


async def _again(
    port: int,
    attack: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    *,
    source: str = "127.0.0.1",
    pause_s: float = AGAIN_S,
) -> None:
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
            try:
                await attack(reader, writer)
            finally:
                writer.transport.abort()
        except (OSError, EOFError):
            pass
        await asyncio.sleep(pause_s)


async def _attack(kind: str, port: int) -> None:
    floods = {
        "frames": (STREAM_COUNT, _UPGRADE, _frame(1, b"x")),
        "pings": (STREAM_COUNT, _UPGRADE, _frame(9, b"x")),
        "garbage": (STREAM_COUNT, _CONSUME, _frame(1, b"x")),
        "stale": (STREAM_COUNT, _CONSUME, _frame(1, b'{"type":"ack","tags":[1]}')),
        "pipelined": (1, b"", _GET),
        "chunks": (CHUNKER_COUNT, _CHUNKED, b"1\r\n{\r\n"),
    }
    if kind in floods:
        count, opening, unit = floods[kind]
        piece = unit * (PIECE_BYTES // len(unit))
        attacks = [_again(port, lambda r, w: _flood(r, w, opening, piece)) for _ in range(count)]
    elif kind in {"unanswering", "unread"}:
        attacks = [_again(port, partial(_consume, reads=kind == "unanswering")) for _ in range(STREAM_COUNT)]
    elif kind == "searches":
        attacks = [_again(port, lambda r, w: _post(r, w, itertools.cycle(_SEARCHES))) for _ in range(SEARCHER_COUNT)]
    elif kind == "keys":
        tries = _wrong_keys()
        attacks = [_again(port, lambda r, w: _post(r, w, tries)) for _ in range(SEARCHER_COUNT)]
    elif kind == "handshakes":
        opening = _opening()
        attacks = [
            _again(
                port, lambda r, w: _begin(r, w, opening), source=f"127.0.1.{1 + number % SHAKER_ADDRESSES}", pause_s=0
            )
            for number in range(SHAKER_COUNT)
        ]
    else:
        posts = itertools.repeat(_PULL) if kind == "pulls" else _posts(kind)
        attacks = [_again(port, lambda r, w: _post(r, w, posts)) for _ in range(POSTER_COUNT)]
    print("ready", flush=True)
    await asyncio.gather(*attacks)


if __name__ == "__main__":
    uvloop.run(_attack(sys.argv[1], int(sys.argv[2])))
