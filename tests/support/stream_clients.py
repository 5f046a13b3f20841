"""Clients of the WebSocket stream of a node's inside."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close

from bigchaindb.eventlog.token import WHOLE, encode
from tests.support.served import CHAIN_ID, Served

WITHIN_S: Final = 90
"""Time for what a test waits for, on a busy machine."""


@asynccontextmanager
async def following(served: Served, after: str | None = None, **options: Any) -> AsyncIterator[ClientConnection]:
    """Connect a client."""
    query = "" if after is None else f"?after={after}"
    async with connect(served.stream_url + query, **options) as client:
        yield client


async def received(client: ClientConnection, count: int) -> list[dict[str, Any]]:
    """Take so many messages; each must be text."""
    messages = []
    async with asyncio.timeout(WITHIN_S):
        for _ in range(count):
            message = await client.recv()
            assert isinstance(message, str)
            messages.append(json.loads(message))
    return messages


async def ids(client: ClientConnection, count: int) -> list[str]:
    return [message["transaction_id"] for message in await received(client, count)]


async def everything(client: ClientConnection) -> tuple[list[str], Close]:
    """Take what comes until the server closes; return the ids and how it closed."""
    seen: list[str] = []
    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(ConnectionClosed) as caught:
            await collect(client, seen)
    assert caught.value.rcvd is not None
    return seen, caught.value.rcvd


async def collect(client: ClientConnection, seen: list[str]) -> None:
    while True:
        seen.append(json.loads(await client.recv())["transaction_id"])


async def quiet(client: ClientConnection) -> None:
    """Require that nothing more comes."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client.recv()


def token(served: Served, position: int, index: int = WHOLE) -> str:
    """Return the token of a place in the log."""
    log = served.store.log_reader()
    try:
        entry = log.entry(position)
        return encode(CHAIN_ID, position, index, bytes(32) if entry is None else entry.digest)
    finally:
        log.close()
