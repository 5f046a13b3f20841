"""The WebSocket API: one stream of committed transactions, on a port of its own.

Source: docs/reference/contract/websocket-api.md.
"""

import asyncio
import base64
import contextlib
import logging
from functools import partial
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import parse_qsl

from aiohttp import web

from bigchaindb.config import Limits, WebSocketServer
from bigchaindb.config.settings import KIB
from bigchaindb.errors import EventError, StoreError
from bigchaindb.serving.connection import CROWDED, Connection, ConnectionLimits, Texts
from bigchaindb.serving.frame_budget import BYTES_MAX, FRAME_COUNT_MAX
from bigchaindb.serving.listener import Listener
from bigchaindb.serving.phrases import STATUS_LINES, plain, refusal
from bigchaindb.serving.places import group
from bigchaindb.serving.server import Server
from bigchaindb.serving.summary import Summary
from bigchaindb.streams.feed import Feed
from bigchaindb.streams.follower import CLOSE_S, Follower
from bigchaindb.streams.shared_log import LogSource

PATH: Final = "/api/v1/streams/valid_transactions"
VERSION: Final = "13"
KEY_BYTES: Final = 16
GOING_AWAY: Final = 1001
POLICY_VIOLATION: Final = 1008
FLOOD: Final = f"more than {FRAME_COUNT_MAX} frames or {BYTES_MAX // KIB} KiB a second; this stream expects no messages"
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

    def __init__(self, source: LogSource, limits: Limits, settings: WebSocketServer) -> None:
        self._limits = limits
        self._heartbeat_s = settings.heartbeat
        self._feed = Feed(source, limits.stream_stall_s_max)
        self._tasks: list[asyncio.Task[None]] = []
        self._flood_count = 0
        self._floods = Summary(_log_floods)
        texts = Texts(
            _text(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections"),
            _text(HTTPStatus.SERVICE_UNAVAILABLE, CROWDED),
            _text(HTTPStatus.REQUEST_TIMEOUT, "too slow"),
        )
        connections = ConnectionLimits.of(limits, limits.stream_connection_count_max)
        super().__init__(Listener(self._serve, connections, texts, refusal, name="stream", receive_bytes=RECEIVE_BYTES))

    @property
    def late_count(self) -> int:
        """How many clients are behind the head and served at their own speed."""
        return sum(follower.late for follower in self._feed.followers)

    @property
    def flood_count(self) -> int:
        """How many clients were closed since the start because they would not stop sending."""
        return self._flood_count

    async def start(self, host: str, port: int) -> None:
        """See `Server.start`."""
        await super().start(host, port)
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

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return _wrong_upgrade(request) or await self._follow(request)
        except EventError as error:
            return plain(400, f"after: {error}")
        except StoreError:  # The reader has logged what it could not read.
            return plain(500, UNREADABLE)

    async def _follow(self, request: web.BaseRequest) -> web.StreamResponse:
        # Fix the place before the 101 is sent: events that commit after the client has seen the 101 are behind it.
        begin = await self._feed.log.begin(_argument(request.raw_path, "after"))
        limits = self._limits
        socket = web.WebSocketResponse(
            autoping=False, compress=False, timeout=CLOSE_S, max_msg_size=limits.stream_message_bytes_max
        )
        writer = await socket.prepare(_without_subprotocols(request))
        if writer is None or request.transport is None:
            return socket
        connection = cast("Connection", request.protocol)
        connection.exempt = True
        follower = Follower(socket, writer, request.transport, begin, buffer_bytes_max=limits.stream_buffer_bytes_max)
        connection.on_flood = partial(self._end_flood, follower, group(request.transport.get_extra_info("peername")))
        self._feed.add(follower)
        try:
            await follower.serve()
        finally:
            self._feed.remove(follower)
        return socket

    def _end_flood(self, follower: Follower, peer: str) -> None:
        self._flood_count += 1
        self._floods.note(peer)
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


def _wrong_upgrade(request: web.BaseRequest) -> web.Response | None:
    """Return the answer to an incorrect upgrade, else None. Source: websocket-api.md, section 2."""
    headers = request.headers
    if request.raw_path.partition("?")[0].removesuffix("/") != PATH:
        return plain(404, "Not found")
    if request.method not in {"GET", "HEAD"}:
        return plain(405, "Method not allowed", {"Allow": "GET,HEAD"})
    upgrades = headers.get("Upgrade", "").strip().lower() == "websocket" and "upgrade" in _words(
        headers.get("Connection", "")
    )
    if request.method != "GET" or not upgrades:
        return plain(400, "this address serves a WebSocket stream; send an upgrade request")
    if headers.get("Sec-WebSocket-Version", "").strip() != VERSION:
        named = {"Sec-WebSocket-Version": VERSION}
        return plain(400, f"Sec-WebSocket-Version must be {VERSION}", named)
    if not _is_key(headers.get("Sec-WebSocket-Key", "")):
        return plain(400, f"Sec-WebSocket-Key must be {KEY_BYTES} bytes in base64")
    return None


def _without_subprotocols(request: web.BaseRequest) -> web.BaseRequest:
    """Remove the offered subprotocols: none is ever chosen, and aiohttp would log each unknown one."""
    if "Sec-WebSocket-Protocol" not in request.headers:
        return request
    headers = request.headers.copy()
    headers.popall("Sec-WebSocket-Protocol")
    return request.clone(headers=headers)


def _words(value: str) -> set[str]:
    return {word.strip().lower() for word in value.split(",")}


def _is_key(value: str) -> bool:
    try:
        return len(base64.b64decode(value.strip(), validate=True)) == KEY_BYTES
    except ValueError:
        return False


def _argument(raw_path: str, name: str) -> str | None:
    """Return the first query argument of that name; all others are ignored."""
    arguments = parse_qsl(raw_path.partition("?")[2], keep_blank_values=True, errors="replace")
    return next((value for key, value in arguments if key == name), None)


def _text(status: HTTPStatus, text: str) -> bytes:
    head = f"Content-Type: text/plain\r\nContent-Length: {len(text) + 1}\r\nConnection: close\r\n\r\n"
    return STATUS_LINES[status] + f"{head}{text}\n".encode()
