"""Clients that stop taking what they have asked for."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

from bigchaindb.eventlog.token import WHOLE, encode
from bigchaindb.ledger.effects import NO_DIGEST
from bigchaindb.streams.websocket import PATH
from bigchaindb.transaction.build import Payment, Signed, create
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.keys import KeyPair
from tests.support import scale
from tests.support.node import Node
from tests.support.raw import UPGRADE, Wire, narrow, request, wire

ALICE: Final = KeyPair.from_seed(b"a" * 32)
CONNECTION_COUNT: Final = 8
RETRY_S: Final = 0.02


@asynccontextmanager
async def slow_list(node: Node) -> AsyncIterator[None]:
    """Ask for a list of megabytes, and take no more of it than its head."""
    details = details_of([ALICE.public_key])
    for serial in range(21):
        signed = create([ALICE], [Payment(details)] * 1_800, data={"serial": serial})
        assert (await asyncio.to_thread(node.post, signed.body)).status == 202
    async with _asked(node.port, request("GET", f"/api/v1/outputs?public_key={ALICE.public_key}"), 200):
        yield


@asynccontextmanager
async def unread_stream(node: Node) -> AsyncIterator[None]:
    """Follow the stream from the beginning of a long ledger without reading it, so that no buffer has room for more."""
    chain_id = (node.data / "chain_id").read_text().strip()
    beginning = encode(chain_id, 0, WHOLE, NO_DIGEST)
    async with _asked(node.settings["wsserver"]["port"], request("GET", f"{PATH}?after={beginning}", **UPGRADE), 101):
        yield


@asynccontextmanager
async def _asked(port: int, question: bytes, status: int) -> AsyncIterator[None]:
    """Ask, and take no more of the answer than its first line."""
    reader, writer = await asyncio.open_connection(sock=narrow(port), limit=1024)
    try:
        writer.write(question)
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 %d " % status)
        yield
    finally:
        writer.transport.abort()


async def make_long_ledger(node: Node) -> None:
    """Commit so many transactions that the stream of them fits into no socket's buffer: some take 3 MB for a client."""
    signed = (create([ALICE], data={"serial": serial}) for serial in range(scale.LONG_LEDGER_TRANSACTIONS))
    await asyncio.gather(*(post(node, signed) for _ in range(CONNECTION_COUNT)))


async def post(node: Node, transactions: Iterable[Signed]) -> None:
    """Have transactions accepted, one after the other, over a connection of its own."""
    async with wire(node.port) as connection:
        for signed in transactions:
            while await ask(connection, signed, "async") == 503:  # noqa: ASYNC110 -- the pool is full
                await asyncio.sleep(RETRY_S)


async def ask(connection: Wire, signed: Signed, mode: str) -> int:
    """Post a transaction; return the status, of success or overload."""
    answer = await connection.ask(request("POST", f"/api/v1/transactions?mode={mode}", signed.body))
    assert answer.status in {202, 503}, answer
    return answer.status
