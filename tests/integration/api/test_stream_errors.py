"""A client of the WebSocket stream whose next event cannot be read is closed: it never takes a later one for the next.

Source: docs/reference/contract/websocket-api.md.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from bigchaindb.access.exposure import LOCAL
from bigchaindb.access.gate import Gate
from bigchaindb.config import Limits
from bigchaindb.config.settings import WebSocketServer
from bigchaindb.errors import StoreDamaged
from bigchaindb.eventlog.token import WHOLE, encode
from bigchaindb.events import EventTypes
from bigchaindb.ledger.effects import NO_DIGEST
from bigchaindb.ledger.ports import Announcement
from bigchaindb.streams.feed import INTERNAL_ERROR
from bigchaindb.streams.hub import Hub
from bigchaindb.streams.shared_log import LogSource
from bigchaindb.streams.websocket import PATH, StreamServer
from tests.support.event_logs import ListLog

CHAIN = "solo-1"
WITHIN_S = 60.0
DAMAGE = StoreDamaged("events, row 1: its checksum differs")


class FailingLog(ListLog):
    """A log whose every read of a block's transactions fails."""

    def __init__(self, error: Exception) -> None:
        super().__init__([EventTypes.BLOCK_VALID])
        self._errors = {1: error}

    def announcements(self, position: int) -> list[Announcement]:
        raise self._errors[position]

    def close(self) -> None:
        pass


@asynccontextmanager
async def following(hub: Hub, error: Exception, query: str = "") -> AsyncIterator[ClientConnection]:
    """Connect a client to a server over a log that fails."""
    log = FailingLog(error)
    server = StreamServer(LogSource(hub, lambda: log, CHAIN), Limits(), WebSocketServer(heartbeat=0), Gate(LOCAL))
    await server.start("localhost", 0)
    try:
        async with connect(f"ws://127.0.0.1:{server.port}{PATH}{query}") as client:
            yield client
    finally:
        await server.stop()


async def closed(client: ClientConnection) -> int:
    """Return the code with which the server closes the connection; no message comes before it."""
    with pytest.raises(ConnectionClosedError) as caught:
        await asyncio.wait_for(client.recv(), WITHIN_S)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code


@pytest.mark.parametrize("error", [DAMAGE, OSError("the disk fails")], ids=["damage", "another"])
async def test_a_client_behind_the_head_is_closed(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    token = encode(CHAIN, 0, WHOLE, NO_DIGEST)
    with caplog.at_level(logging.ERROR):
        async with following(Hub(1), error, f"?after={token}") as client:
            assert await closed(client) == INTERNAL_ERROR
    (line,) = [one for one in caplog.records if one.name == "bigchaindb.streams.feed"]
    said = "a WebSocket client cannot be served behind position 0"
    assert line.message == (f"{said}: {DAMAGE}" if error is DAMAGE else said)
    assert bool(line.exc_info) is (error is not DAMAGE), "the row says all of damage"


async def test_clients_at_the_head_are_closed_where_the_next_event_is_damaged() -> None:
    hub = Hub(0)
    async with following(hub, DAMAGE) as client:
        hub.announce(1)
        assert await closed(client) == INTERNAL_ERROR
