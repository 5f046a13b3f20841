"""`/api/v1/streams/events`: the event log over WebSockets. Source: docs/reference/http-events.md."""

import asyncio
import logging
from typing import Final

from bigchaindb.access.gate import Gate
from bigchaindb.api.answers import Answer, Reply
from bigchaindb.api.arguments import Parsed, Unknown, parse, parse_query
from bigchaindb.api.call import Call, Context
from bigchaindb.api.events import AFTER, ARGUMENTS, choice_of
from bigchaindb.api.problems import argument_error, plain
from bigchaindb.api.route import Route
from bigchaindb.api.upgrades import Opening, WebSocketRoute
from bigchaindb.config import Limits
from bigchaindb.config.access import READ
from bigchaindb.errors import MalformedToken, StoreError
from bigchaindb.serving.websocket import accepted
from bigchaindb.streams.follower import Follower
from bigchaindb.streams.shared_log import Place
from bigchaindb.streams.sse import EventStream, EventStreams
from bigchaindb.streams.websocket import FLOOD, GOING_AWAY, POLICY_VIOLATION

PATH: Final = "/api/v1/streams/events"
HEARTBEAT_S: Final = 30.0
"""Silence after which a client is pinged, as on the other WebSockets; it has half as long to answer."""
CHECK_S: Final = 1.0
INTERNAL_ERROR: Final = 1011
TRY_AGAIN_LATER: Final = 1013
STALLED: Final = "nothing was read for too long (limits.stream_stall_s_max); come back with the last token"
LOST: Final = "the log does not hold what is next; come back with the last token, and learn what it holds"
STOPPING: Final = "the node stops; come back with the last token"
UNREADABLE: Final = "the node cannot read its log behind the last token; use another node or inform the operator"

_log: Final = logging.getLogger(__name__)


async def get(_: Context, __: Call) -> Reply:
    """Answer a request that does not upgrade."""
    return plain(400, "this address serves a WebSocket; send an upgrade request, or use /api/v1/events")


class EventSockets:
    """All clients of this stream. Belongs to the event loop.

    Attributes:
        route: where they come in.
    """

    def __init__(self, streams: EventStreams, gate: Gate, limits: Limits) -> None:
        self._streams = streams
        self._gate = gate
        self._limits = limits
        self.route = WebSocketRoute(PATH, lambda _: READ, self._open, lambda: None)  # `streams` ends them

    async def _open(self, opening: Opening) -> Answer | None:
        sent = parse_query(opening.query)
        asked = Parsed(sent, parse(ARGUMENTS, sent, Unknown.ADVISED, self._limits))
        try:
            stream = await self._streams.open(choice_of(asked), AFTER.of(asked))
        except MalformedToken as error:
            raise argument_error({"after": str(error)}) from None
        try:
            await self._serve(opening, stream)
        finally:
            stream.close()
        return None

    async def _serve(self, opening: Opening, stream: EventStream) -> None:
        """Take over the connection and write until one side ends it."""
        connection, transport = opening.connection, opening.connection.transport
        if transport.is_closing():
            return
        transport.write(accepted(opening.request))
        follower = Follower(
            transport,
            (Place(0), ""),
            buffer_bytes_max=self._limits.stream_buffer_bytes_max,
            message_bytes_max=self._limits.stream_message_bytes_max,
            on_flood=lambda follower: follower.end(POLICY_VIOLATION, FLOOD),
            on_left=lambda _: connection.connection_lost(None),
        )
        connection.upgrade(follower.socket)
        writing, beating = asyncio.create_task(self._write(follower, stream)), asyncio.create_task(self._beat(follower))
        unwatch = self._gate.watch(opening.principal, follower.end, READ)
        try:
            left = asyncio.create_task(follower.gone.wait())
            await asyncio.wait({writing, left}, return_when=asyncio.FIRST_COMPLETED)
            left.cancel()
            if writing.done():
                writing.result()
        finally:
            unwatch()
            writing.cancel()
            beating.cancel()

    async def _write(self, follower: Follower, stream: EventStream) -> None:
        try:
            async for piece in stream.pieces:
                if not await follower.drained(self._limits.stream_stall_s_max):
                    follower.end(TRY_AGAIN_LATER, STALLED)
                    return
                if follower.closing:
                    return
                follower.socket.transport.write(piece)
            if self._streams.is_stopping:
                follower.end(GOING_AWAY, STOPPING)
            else:
                follower.end(TRY_AGAIN_LATER, LOST)
        except ConnectionError:
            return
        except StoreError as error:
            _log.error("a WebSocket client cannot be served: %s", error)
            follower.end(INTERNAL_ERROR, UNREADABLE)
        except Exception:  # noqa: BLE001 - a defect of ours: without a close frame it looks like one of the network
            _log.exception("a WebSocket client cannot be served")
            follower.end(INTERNAL_ERROR, "")

    async def _beat(self, follower: Follower) -> None:
        """Ping a client that is silent, and abandon one that does not answer: it is gone, and nobody was told."""
        loop, unsent = asyncio.get_running_loop(), 0
        while True:
            await asyncio.sleep(CHECK_S)
            before, unsent = unsent, follower.unsent_bytes
            if unsent < before:
                follower.hear()
            if not follower.full and not follower.check_heartbeat(loop.time(), HEARTBEAT_S, CHECK_S):
                follower.abort()


ROUTES: Final = (
    Route(
        "GET",
        PATH,
        get,
        READ,
        id="openEvents",
        tag="events",
        summary="A WebSocket of the ledger's events; the arguments of `/api/v1/events`",
        answer=None,
        status=101,
        arguments=ARGUMENTS,
        errors=(400, 410),
    ),
)
