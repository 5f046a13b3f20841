"""One WebSocket client: its place in the log, and its socket."""

import asyncio
from collections.abc import Callable
from typing import Final

from bigchaindb.serving.heartbeat import Heartbeat
from bigchaindb.serving.inbound import Inbound
from bigchaindb.serving.websocket import WebSocket
from bigchaindb.streams.shared_log import Frames, Place

STALL_CHECK_COUNT: Final = 4
"""Checks for progress within the time that a client may make none."""


class Follower:
    """A connected client. Belongs to the event loop.

    Attributes:
        place: behind everything that is written.
        token: of that place, with which it can reconnect.
        late: whether it is served from the log at its own speed, and not by the feed.
        gone: set once its connection has ended.
        socket: its connection.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        begin: tuple[Place, str],
        *,
        buffer_bytes_max: int,
        message_bytes_max: int,
        on_flood: Callable[["Follower"], None],
        on_left: Callable[["Follower"], None],
    ) -> None:
        """Take over the transport of a client whose upgrade is accepted.

        Args:
            transport: of the client.
            begin: the place behind which it wants to follow, and its token.
            buffer_bytes_max: unsent bytes beyond which it is late.
            message_bytes_max: bytes of its largest message.
            on_flood: called when it does not stop sending.
            on_left: called when it has left.
        """
        self.socket = WebSocket(
            transport,
            message_bytes_max=message_bytes_max,
            inbound=lambda take: Inbound(transport, take, lambda: on_flood(self)),
            on_heard=self.hear,
            on_left=self._leave,
        )
        self._on_left = on_left
        self._transport = transport
        self._buffer_bytes_max = buffer_bytes_max
        self._heartbeat = Heartbeat(transport)
        self.gone = asyncio.Event()
        self.place, self.token = begin
        self.late = False
        transport.set_write_buffer_limits(high=buffer_bytes_max)

    @property
    def closing(self) -> bool:
        """Whether nothing more may be written."""
        return self.socket.is_closing

    @property
    def unsent_bytes(self) -> int:
        """Bytes that wait for the client to read."""
        return self._transport.get_write_buffer_size()

    @property
    def full(self) -> bool:
        """Whether more bytes are unsent than allowed."""
        return self.unsent_bytes > self._buffer_bytes_max

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
        draining = self.socket.flow.drained
        if draining is None:
            return True
        still_count, unsent = 0, self._transport.get_write_buffer_size()
        while not draining.done():
            await asyncio.wait({draining}, timeout=stall_s_max / STALL_CHECK_COUNT)
            before, unsent = unsent, self._transport.get_write_buffer_size()
            still_count = 0 if unsent < before else still_count + 1
            if still_count == STALL_CHECK_COUNT:
                return False
        draining.result()
        return True

    def check_heartbeat(self, now_s: float, heartbeat_s: float, every_s: float) -> bool:
        """See `Heartbeat`; a late client may have a megabyte to read before a ping, so `drained` checks it instead."""
        return self.late or self.closing or self._heartbeat.check(now_s, heartbeat_s, every_s)

    def hear(self) -> None:
        """Record that the client is alive now."""
        self._heartbeat.hear()

    def end(self, code: int, reason: str) -> None:
        """Send a close frame behind all unsent bytes, then end the connection."""
        self.socket.close(code, reason)

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def _leave(self) -> None:
        self.gone.set()
        self._on_left(self)
