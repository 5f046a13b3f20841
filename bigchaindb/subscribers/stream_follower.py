"""One WebSocket client: its place in the log, and its socket."""

import asyncio
import contextlib
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from bigchaindb.subscribers.stream_log import Piece

PING: Final = b"\x89\x00"
CLOSE_S: Final = 5.0
"""How long a client may take to answer a close frame, which lies behind all that it has not read yet."""
STALL_CHECK_COUNT: Final = 4
"""How often progress is looked for within the time that a client may make none."""


class Follower:
    """A connected client. Belongs to the event loop.

    Attributes:
        position: of the last event that is written whole.
        skip: how many transactions of the next event it has seen before it connected.
        late: it is served from the log at its own speed and gets nothing from the feed.
        heard_s: when it last sent anything, a time of the loop.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        writer: AbstractStreamWriter,
        transport: asyncio.Transport,
        *,
        buffer_bytes_max: int,
    ) -> None:
        self._socket = socket
        self._writer = writer
        self._transport = transport
        self._buffer_bytes_max = buffer_bytes_max
        self._closing = False
        self._pinged_s = 0.0
        self.position = 0
        self.skip = 0
        self.late = False
        self.heard_s = asyncio.get_running_loop().time()
        transport.set_write_buffer_limits(high=buffer_bytes_max)

    @property
    def closing(self) -> bool:
        """Whether nothing more may be written."""
        return self._closing or self._socket.closed or self._transport.is_closing()

    @property
    def full(self) -> bool:
        """Whether more is unsent than may be."""
        return self._transport.get_write_buffer_size() > self._buffer_bytes_max

    def write(self, piece: Piece) -> None:
        """Put whole frames into the socket's buffer; they are the next ones of this client."""
        assert piece.position > self.position, (piece.position, self.position)  # exactly once, in order
        if piece.data and not self.closing:
            self._transport.write(piece.data)
        self.position = piece.position
        self.skip = 0

    async def drained(self, stall_s_max: float) -> bool:
        """Wait until there is room; False if nothing at all was taken for `stall_s_max`."""
        still_count = 0
        unsent = self._transport.get_write_buffer_size()
        while self.full and not self.closing:
            await asyncio.sleep(0)  # the transport tells its protocol of a full buffer only then
            try:
                async with asyncio.timeout(stall_s_max / STALL_CHECK_COUNT):
                    await self._writer.drain()
            except TimeoutError:
                before, unsent = unsent, self._transport.get_write_buffer_size()
                still_count = 0 if unsent < before else still_count + 1
                if still_count == STALL_CHECK_COUNT:
                    return False
        return True

    def look(self, now_s: float, heartbeat_s: float) -> bool:
        """Ping a client that is silent; False if it has left that unanswered for half as long again.

        A late client may have a ping behind a megabyte: whether that one is alive, `drained` finds out.
        """
        silent_s = now_s - self.heard_s
        if self.late or self.closing or silent_s < heartbeat_s:
            return True
        if self._pinged_s < self.heard_s:
            self._pinged_s = now_s
            self._transport.write(PING)
        return now_s - self._pinged_s < heartbeat_s / 2

    async def close(self, code: int, reason: str) -> None:
        """Send a close frame behind all that is unsent, and end the connection."""
        self._closing = True
        try:
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(CLOSE_S):
                    await self._socket.close(code=code, message=reason.encode(), drain=False)
        finally:
            self.abort()

    def abort(self) -> None:
        """End the connection at once."""
        self._closing = True
        self._transport.abort()
