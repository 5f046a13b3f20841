"""Clients that stop taking what they have asked for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from bigchaindb.subscribers.websocket import PATH
from bigchaindb.transaction.build import Payment, create
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.keys import KeyPair
from tests.support.node import Node
from tests.support.raw import narrow, request

ALICE: Final = KeyPair.from_seed(b"a" * 32)
UPGRADE: Final = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


@asynccontextmanager
async def slow_list(node: Node) -> AsyncIterator[None]:
    """Ask for a list of megabytes, and take no more of it than its head."""
    details = details_of([ALICE.public_key])
    for serial in range(20):
        signed = create([ALICE], [Payment(details)] * 2_500, data={"serial": serial})
        assert (await asyncio.to_thread(node.post, signed.body)).status == 202
    reader, writer = await asyncio.open_connection(sock=narrow(node.port), limit=1024)
    writer.write(request("GET", f"/api/v1/outputs?public_key={ALICE.public_key}"))
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200 ")
    yield
    writer.transport.abort()


@asynccontextmanager
async def unread_stream(node: Node) -> AsyncIterator[None]:
    """Follow the stream without reading it."""
    reader, writer = await asyncio.open_connection(sock=narrow(node.settings["wsserver"]["port"]), limit=1024)
    writer.write(request("GET", PATH, **UPGRADE))
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 101 ")
    yield
    writer.transport.abort()
