"""The WebSocket API: one stream of committed transactions, on a port of its own.

Source: docs/reference/contract/websocket-api.md.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from bigchaindb.access.addresses import NO_PROXIES, Proxies
from bigchaindb.access.gate import Denial, Gate, Principal
from bigchaindb.access.origins import ALL, Origins
from bigchaindb.config import Limits, WebSocketServer
from bigchaindb.config.access import READ
from bigchaindb.config.limits import KIB
from bigchaindb.errors import EventError, StoreError
from bigchaindb.serving.answering import last_text
from bigchaindb.serving.connection import CROWDED, Connection, ConnectionLimits, Texts
from bigchaindb.serving.frame_budget import BYTES_MAX, FRAME_COUNT_MAX
from bigchaindb.serving.handshakes import Handshakes
from bigchaindb.serving.listener import Listener
from bigchaindb.serving.request import Request
from bigchaindb.serving.server import Server
from bigchaindb.serving.summary import Summary
from bigchaindb.serving.websocket import accepted, is_upgrade, wrong_upgrade
from bigchaindb.streams.feed import Feed
from bigchaindb.streams.follower import Follower
from bigchaindb.streams.shared_log import LogSource

PATH: Final = "/api/v1/streams/valid_transactions"
GOING_AWAY: Final = 1001
POLICY_VIOLATION: Final = 1008
FLOOD: Final = f"more than {FRAME_COUNT_MAX} frames or {BYTES_MAX // KIB} KiB a second; this stream expects no messages"
FOREIGN: Final = "pages of this Origin may not open this stream; the operator can add it to access.origins"
UNREADABLE: Final = "the node cannot read its log; use another node or inform the operator"
RECEIVE_BYTES: Final = 4 * KIB
"""Unread bytes that the system keeps for each client, or twice as many: enough for a request. Bytes beyond a client's
budget stay in the buffers of its own system."""
LAST_WORDS_S: Final = 1.0
"""How long a stop waits for clients to read the last durable blocks and the close frame."""
ABORTED_S: Final = 0.1
"""How long handlers may take to notice that their connections have ended."""
CHECK_S_MAX: Final = 1.0

_log: Final = logging.getLogger(__name__)


class StreamServer(Server):
    """The WebSocket API of a node. Belongs to the event loop."""

    def __init__(
        self,
        source: LogSource,
        limits: Limits,
        settings: WebSocketServer,
        gate: Gate,
        *,
        origins: Origins = ALL,
        proxies: Proxies = NO_PROXIES,
    ) -> None:
        self._gate = gate
        self._origins = origins
        self._limits = limits
        self._heartbeat_s = settings.heartbeat
        self._feed = Feed(source, limits.stream_stall_s_max)
        self._tasks: list[asyncio.Task[None]] = []
        self._watches: dict[Follower, Callable[[], None]] = {}
        self._flood_count = 0
        self._floods = Summary(_log_floods)
        texts = Texts(
            last_text(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections"),
            last_text(HTTPStatus.SERVICE_UNAVAILABLE, CROWDED),
            last_text(HTTPStatus.REQUEST_TIMEOUT, "too slow"),
        )
        connections = ConnectionLimits.of(limits, limits.stream_connection_count_max, proxies)
        super().__init__(
            Listener(self._serve, connections, texts, self.refuse, name="stream", receive_bytes=RECEIVE_BYTES)
        )

    @property
    def late_count(self) -> int:
        """How many clients are behind the head and served at their own speed."""
        return sum(follower.late for follower in self._feed.followers)

    @property
    def flood_count(self) -> int:
        """How many clients were closed since the start because they would not stop sending."""
        return self._flood_count

    async def start(self, host: str, port: int, handshakes: Handshakes | None = None) -> None:
        """See `Server.start`."""
        await super().start(host, port, handshakes)
        self._tasks.append(asyncio.create_task(self._feed.run()))
        if self._heartbeat_s > 0:
            self._tasks.append(asyncio.create_task(self._check_heartbeats()))

    async def until_level(self) -> None:
        """Wait until everything durable is written to each client that is not late."""
        await self._feed.until_level()

    async def stop(self) -> None:
        """Write everything durable; close every client with 1001 and the token to reconnect with."""
        self._listener.close()
        if not self._tasks:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                await self._feed.until_level()
                followers = self._feed.followers
                for follower in followers:
                    follower.end(GOING_AWAY, follower.token)
                await asyncio.gather(*(follower.gone.wait() for follower in followers))
        for follower in self._feed.followers:
            follower.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._listener.stop(ABORTED_S)
        await self._feed.stop()
        self._floods.close()

    async def _serve(self, connection: Connection, request: Request) -> None:
        request.lines = self.identify(request)
        try:
            principal = self._admitted(connection, request)
            refusal = principal if isinstance(principal, Denial) else _wrong_upgrade(request)
            if isinstance(principal, Principal) and refusal is None:
                await self._follow(connection, request, principal)
        except EventError as error:
            refusal = Denial(400, f"after: {error}")
        except StoreError:  # The reader has logged what it could not read.
            refusal = Denial(500, UNREADABLE)
        if refusal is not None:
            connection.answer_text(request, *refusal)

    def _admitted(self, connection: Connection, request: Request) -> Principal | Denial:
        visitor = self.visitor(connection, request)
        principal = self._gate.admit(visitor, READ)
        if isinstance(principal, Principal) and not self._origins.may_use(request.headers):
            return self._gate.refuse(Denial(403, FOREIGN), principal.who, visitor, READ)
        return principal

    async def _follow(self, connection: Connection, request: Request, principal: Principal) -> None:
        # Fix the place before the 101 is sent: events that commit after the client has seen the 101 are behind it.
        begin = await self._feed.log.begin(_argument(request.target, "after"))
        transport = connection.transport
        if transport.is_closing():
            return
        transport.write(accepted(request))
        follower = Follower(
            transport,
            begin,
            buffer_bytes_max=self._limits.stream_buffer_bytes_max,
            message_bytes_max=self._limits.stream_message_bytes_max,
            on_flood=lambda follower: self._end_flood(connection, follower),
            on_left=lambda follower: self._leave(connection, follower),
        )
        self._feed.add(follower)
        connection.upgrade(follower.socket)
        self._watches[follower] = self._gate.watch(principal, follower.end)

    def _leave(self, connection: Connection, follower: Follower) -> None:
        self._feed.remove(follower)
        if (unwatch := self._watches.pop(follower, None)) is not None:  # the client left within its upgrade
            unwatch()
        connection.connection_lost(None)

    def _end_flood(self, connection: Connection, follower: Follower) -> None:
        self._flood_count += 1
        self._floods.note(self._listener.address_of(connection))
        follower.end(POLICY_VIOLATION, FLOOD)

    async def _check_heartbeats(self) -> None:
        loop, every_s = asyncio.get_running_loop(), min(CHECK_S_MAX, self._heartbeat_s / 8)
        while True:
            await asyncio.sleep(every_s)
            now_s = loop.time()
            for follower in self._feed.followers:
                if not follower.check_heartbeat(now_s, self._heartbeat_s, every_s):
                    follower.abort()


def _log_floods(count: int, last: str) -> None:
    _log.warning("WebSocket clients closed: %s", FLOOD, extra={"count": count, "last": last})


def _wrong_upgrade(request: Request) -> Denial | None:
    """Return the answer to an incorrect upgrade, else None. Source: websocket-api.md, section 2."""
    if request.target.partition("?")[0].removesuffix("/") != PATH:
        return Denial(404, "Not found")
    if request.method not in {"GET", "HEAD"}:
        return Denial(405, "Method not allowed", b"Allow: GET,HEAD\r\n")
    if not is_upgrade(request):
        return Denial(400, "this address serves a WebSocket stream; send an upgrade request")
    return wrong_upgrade(request)


def _argument(target: str, name: str) -> str | None:
    """Return the first query argument of that name; all others are ignored."""
    arguments = parse_qsl(target.partition("?")[2], keep_blank_values=True, errors="replace")
    return next((value for key, value in arguments if key == name), None)
