"""One WebSocket client: its place in the log, and its socket."""

import asyncio
import contextlib
from typing import Any, Final

from aiohttp import WSMsgType, web
from aiohttp.abc import AbstractStreamWriter

from bigchaindb.streams.shared_log import Frames, Place

PING: Final = b"\x89\x00"
CLOSE_S: Final = 5.0
"""How long a client may take to answer a close frame, which follows everything that it has not read yet."""
STALL_CHECK_COUNT: Final = 4
"""Checks for progress within the time that a client may make none."""


class Follower:
    """A connected client. Belongs to the event loop.

    Attributes:
        place: behind everything that is written.
        token: of that place, with which it can reconnect.
        late: whether it is served from the log at its own speed, and not by the feed.
        gone: set once its connection has ended.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        writer: AbstractStreamWriter,
        transport: asyncio.Transport,
        begin: tuple[Place, str],
        *,
        buffer_bytes_max: int,
    ) -> None:
        self._socket = socket
        self._writer = writer
        self._transport = transport
        self._buffer_bytes_max = buffer_bytes_max
        self._ending: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self._heard_s = asyncio.get_running_loop().time()
        self._unanswered_s: float | None = None
        self.gone = asyncio.Event()
        self.place, self.token = begin
        self.late = False
        transport.set_write_buffer_limits(high=buffer_bytes_max)

    @property
    def closing(self) -> bool:
        """Whether nothing more may be written."""
        return self._ending.done() or self._socket.closed or self._transport.is_closing()

    @property
    def full(self) -> bool:
        """Whether more bytes are unsent than allowed."""
        return self._transport.get_write_buffer_size() > self._buffer_bytes_max

    def write(self, frames: Frames) -> None:
        """Put whole frames, this client's next ones, into the socket's buffer."""
        assert frames.place > self.place, (frames.place, self.place)  # exactly once, in order
        if frames.data and not self.closing:
            self._transport.write(frames.data)
        self.place, self.token = frames.place, frames.token

    async def drained(self, stall_s_max: float) -> bool:
        """Wait until there is room; return False if the client has taken nothing for `stall_s_max`.

        Raises:
            ConnectionError: the client is gone.
        """
        await asyncio.sleep(0)  # The transport reports a full buffer to its protocol only then.
        if not self.full:
            return True
        # A task, because a deadline around the call itself would leave aiohttp a cancelled future, for which the next
        # call would wait.
        draining = asyncio.ensure_future(self._writer.drain())
        try:
            return await self._is_taken(draining, stall_s_max / STALL_CHECK_COUNT)
        finally:
            draining.cancel()

    async def _is_taken(self, draining: asyncio.Future[None], check_s: float) -> bool:
        still_count = 0
        unsent = self._transport.get_write_buffer_size()
        while not draining.done():
            await asyncio.wait({draining}, timeout=check_s)
            before, unsent = unsent, self._transport.get_write_buffer_size()
            still_count = 0 if unsent < before else still_count + 1
            if still_count == STALL_CHECK_COUNT:
                return False
        draining.result()
        return True

    def check_heartbeat(self, now_s: float, heartbeat_s: float, every_s: float) -> bool:
        """Ping a silent client; return False if a ping stays unanswered for half of `heartbeat_s`.

        A late client may have a megabyte to read before the ping, so `drained` checks it instead. While the node stands
        still it reads no answers, so the wait is counted in calls, which come each `every_s`.
        """
        if self.late or self.closing or now_s - self._heard_s < heartbeat_s:
            return True
        if self._unanswered_s is None:
            self._unanswered_s = 0.0
            self._transport.write(PING)
            return True
        self._unanswered_s += every_s
        return self._unanswered_s < heartbeat_s / 2

    def hear(self) -> None:
        """Record that the client is alive now."""
        self._heard_s = asyncio.get_running_loop().time()
        self._unanswered_s = None

    def end(self, code: int, reason: str) -> None:
        """Send a close frame behind all unsent bytes, then end the connection."""
        if not self._ending.done():
            self._ending.set_result((code, reason))

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    async def serve(self) -> None:
        """Read what the client sends until it leaves or must be closed; then end the connection.

        Only this method closes: if a handler returns while another task closes, aiohttp drops unsent bytes.
        """
        reading = asyncio.create_task(self._read())
        try:
            either: set[asyncio.Future[Any]] = {reading, self._ending}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            reading.cancel()
            await asyncio.wait({reading})
            if self._ending.done():
                await self._close(*self._ending.result())
        finally:
            reading.cancel()
            self.gone.set()

    async def _read(self) -> None:
        """Read messages of the client: pings are answered, any other message only shows that it is alive."""
        async for message in self._socket:
            self.hear()
            if message.type is WSMsgType.PING and not self.closing:
                await self._socket.pong(message.data)

    async def _close(self, code: int, reason: str) -> None:
        try:
            with contextlib.suppress(ConnectionError, TimeoutError):
                await self._socket.close(code=code, message=reason.encode(), drain=False)
        finally:
            self.abort()
