"""One client's connection, with the bounds that aiohttp leaves to its users.

Nothing about the content of requests belongs here. `Listener` enforces the times: it checks every connection about once
a second, so that a request costs no timer.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Final, NamedTuple, Self, cast

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.http_websocket import WebSocketReader

from bigchaindb.config import Limits
from bigchaindb.serving.inbound import Inbound
from bigchaindb.serving.places import Places, Room

KEEP_ALIVE_S: Final = 75.0
"""Idle time after which a connection is closed: above the 60 s that clients count on (driver-expectations.md, 1.4)."""
LINGER_S: Final = 2.0
"""How long further bytes of a client are discarded after an early answer, so that the client can read the answer."""
HEADER_COUNT_MAX: Final = 100
LINE_BYTES_MAX: Final = 8190
"""Largest request line and largest header. Source: http-api.md, section 1."""
BEGIN_S: Final = 0.1
"""A handler starts within this time on every request that arrived before the client closed its side."""
CROWDED: Final = "too many connections from your address (limits.address_connection_count_max); try again later"
"""To a client whose address has as many connections as are allowed."""
PIECE_BYTES: Final = 4 * 1024
"""Bytes that are parsed before other clients get a turn; a body of announced length is parsed at once."""
CHUNKS_PIECE_BYTES: Final = 1024
"""The same for a body in chunks: 170 of one byte, at 8 µs each."""
FRAMING_BYTES_MAX: Final = 4 * 1024
"""Bytes that chunks may take beyond twice their content. Chunks of one byte take six times their content, and with them
eight clients delayed every commit by 2.8 s."""


class ConnectionLimits(NamedTuple):
    """Bounds of all connections of one listener.

    Attributes:
        room: how many connections are allowed.
        head_s_max: time from a request's first byte to the end of its head.
        stall_s_max: time without progress while there is something to send.
    """

    room: Room
    head_s_max: float
    stall_s_max: float

    @classmethod
    def of(cls, limits: Limits, count_max: int) -> Self:
        """Bound a listener that has `count_max` places."""
        return cls(Room.of(limits, count_max), limits.body_read_s_max, limits.stream_stall_s_max)


class Texts(NamedTuple):
    """Whole HTTP answers for clients that reach no handler.

    Attributes:
        full: for a client beyond the listener's bound.
        crowded: for a client beyond the bound of its address.
        slow: for a client whose head did not arrive in time.
    """

    full: bytes
    crowded: bytes
    slow: bytes


Refusal = Callable[[web.BaseRequest, int, str], web.StreamResponse]
"""Answers a request that no handler sees. Arguments: the request, without data if it is no HTTP; a status; a text."""


class TinyChunks(web.RequestPayloadError):
    """A body arrived in chunks that are mostly framing; the text has both numbers."""


class Connection(web.RequestHandler):
    """A connection that stays open until each request that has arrived is answered, and not for longer.

    Attributes:
        exempt: whether it has left HTTP and its handler bounds slow reading itself, as the WebSocket stream does.
        on_gone: set while an answer without end is written; called when the client leaves. A client that closes its
            side has left then, since it cannot wait for the end of such an answer.
        on_flood: called when a WebSocket client has exceeded its budget for too long (`Inbound`).
    """

    __slots__ = (
        "_body_bytes_before",
        "_ended",
        "_framed_bytes",
        "_head_since",
        "_inbound",
        "_is_deaf",
        "_is_full",
        "_next_piece",
        "_places",
        "_refuse",
        "_request",
        "_unparsed",
        "_unsent",
        "_unsent_since",
        "_wire",
        "exempt",
        "on_flood",
        "on_gone",
    )

    def __init__(
        self,
        manager: web.Server,
        loop: asyncio.AbstractEventLoop,
        places: "Places[Connection]",
        refuse: Refusal,
    ) -> None:
        super().__init__(
            manager,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # aiohttp itself documents None as "no access log"
            keepalive_timeout=KEEP_ALIVE_S,
            lingering_time=LINGER_S,
            max_headers=HEADER_COUNT_MAX,
            max_line_size=LINE_BYTES_MAX,
            max_field_size=LINE_BYTES_MAX,
            auto_decompress=False,
        )
        self.exempt = False
        self.on_gone: Callable[[], object] | None = None
        self.on_flood: Callable[[], None] = self.abort
        self._inbound: Inbound | None = None
        self._places = places
        self._refuse = refuse
        self._wire: asyncio.Transport | None = None
        self._head_since: float | None = None
        self._request: web.BaseRequest | None = None
        self._ended = False
        self._unsent = 0
        self._unsent_since = 0.0
        self._unparsed = b""
        self._framed_bytes = 0
        self._body_bytes_before = 0
        self._is_deaf = False
        self._is_full = False
        self._next_piece: asyncio.Handle | None = None

    def begin(self, request: web.BaseRequest) -> None:
        """Record that a request's head is complete and a handler works on it."""
        self._request = request
        self._head_since = None
        self._framed_bytes = 0
        self._body_bytes_before = request.content.total_bytes
        if self._ended:
            self._break_off(request)

    def end(self) -> None:
        """Record that the request is answered."""
        self._request = None
        if self._unparsed:
            self._go_on_soon()
        if self._ended:
            self.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._wire = cast("asyncio.Transport", transport)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See `asyncio.Protocol`."""
        self._places.leave(self)
        if self.on_gone is not None:
            self.on_gone()
        super().connection_lost(exc)

    def set_parser(self, parser: WebSocketReader, data_received_cb: Callable[[], None] | None = None) -> None:
        """See aiohttp, which calls it when an upgrade is answered; all further bytes are frames."""
        assert self._wire is not None
        # Without this, all bytes that have arrived would be parsed at once.
        tail, self._message_tail = self._message_tail + self._unparsed, b""
        if self._unparsed:
            self._unparsed = b""
            self._wire.resume_reading()
        super().set_parser(parser, data_received_cb)
        self._inbound = Inbound(self._wire, super().data_received, self._end_flood)
        if tail:
            self._inbound.receive(tail)

    def _end_flood(self) -> None:
        self.on_flood()

    def _pause_transport_reading(self) -> None:
        """See aiohttp: one of its queues is full."""
        self._is_full = True
        super()._pause_transport_reading()
        if self._inbound is not None:
            self._inbound.block(is_blocked=True)

    def _resume_transport_reading(self) -> None:
        """See aiohttp: there is room in its queues."""
        self._is_full = False
        if self._unparsed:
            self._go_on_soon()
            return
        super()._resume_transport_reading()
        if self._inbound is not None:
            self._inbound.block(is_blocked=False)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`; aiohttp itself calls it with no data to continue where its parser stopped."""
        if self._inbound is not None:
            self._inbound.receive(data)
        elif self._is_deaf:
            return
        elif data and (self._unparsed or self._upgraded or len(data) > self._piece_bytes()):
            assert self._wire is not None
            self._wire.pause_reading()
            self._unparsed += data
            self._go_on_soon()
        else:
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        if data and self._request is None and self._head_since is None:
            self._head_since = self._loop.time()
        super().data_received(data)
        if self._request is None:
            return
        self._bound_framing(self._request, len(data))
        if self._messages:
            # Either the body is complete and this is the next request, or the chunks are broken: then aiohttp queues
            # an error behind the body that the handler waits for, without ending the body.
            self._break_off(self._request)

    def _piece_bytes(self) -> int:
        """Return how many bytes may be parsed before other clients get a turn."""
        request = self._request
        if request is None or request.content.is_eof():
            return PIECE_BYTES
        return CHUNKS_PIECE_BYTES if request.content_length is None else sys.maxsize

    def _go_on_soon(self) -> None:
        if self._next_piece is None:
            self._next_piece = self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """Parse the next piece of the bytes that were read."""
        assert self._wire is not None
        self._next_piece = None
        if self._wire.is_closing() or self._is_deaf or self._is_full or not self._unparsed:
            return
        if self._upgraded:  # Frames wait until their parser is there (`set_parser`) or the upgrade is refused (`end`).
            return
        if self._request is not None or not self._messages:  # Otherwise its handler starts within two turns.
            size = self._piece_bytes()
            piece, self._unparsed = self._unparsed[:size], self._unparsed[size:]
            self._parse(piece)
        if self._unparsed:
            self._go_on_soon()
        elif not (self._is_full or self._wire.is_closing()):
            self._wire.resume_reading()

    def _bound_framing(self, request: web.BaseRequest, size: int) -> None:
        content = request.content
        if request.content_length is not None or content.is_eof():
            return
        self._framed_bytes += size
        body_bytes = content.total_bytes - self._body_bytes_before
        if self._framed_bytes > 2 * body_bytes + FRAMING_BYTES_MAX:
            self._is_deaf = True
            self._unparsed = b""
            self._break_off(request, TinyChunks(f"chunks too small: {self._framed_bytes} bytes carry {body_bytes}"))

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio lets it return whether to stay open
        """See `asyncio.Protocol`. A client that closes its side after a request still gets the answer."""
        endless = self.exempt or self.on_gone is not None
        if endless or (self._request is None and self._head_since is None):
            return False
        self._ended = True
        if self._request is not None:
            self._break_off(self._request)
        self._loop.call_later(BEGIN_S, self._end_unless_serving)
        return True

    def sweep(self, now_s: float, limits: ConnectionLimits, slow: bytes) -> None:
        """End the connection if it exceeds a bound at `now_s`, a time of the loop."""
        assert self._wire is not None
        if self._head_since is not None and now_s - self._head_since > limits.head_s_max:
            self._end_slow(slow)
            return
        unsent = self._wire.get_write_buffer_size()
        if self.exempt or self._unsent == 0 or unsent < self._unsent:
            self._unsent_since = now_s
        elif now_s - self._unsent_since > limits.stall_s_max:
            self._wire.abort()
        self._unsent = unsent

    def abort(self) -> None:
        """End the connection and drop unsent bytes."""
        assert self._wire is not None
        self._wire.abort()

    @staticmethod
    def _break_off(request: web.BaseRequest, error: web.RequestPayloadError | None = None) -> None:
        if not request.content.is_eof():
            request.content.set_exception(error or web.RequestPayloadError("nothing more of the body can come"))
            request.content.feed_eof()  # Otherwise aiohttp waits for the rest of the body after the answer.

    def _end_unless_serving(self) -> None:
        if self._request is None:
            self.force_close()

    def _end_slow(self, slow: bytes) -> None:
        assert self._wire is not None
        if self._wire.is_closing():  # The last sweep sent the answer, and the client has not read it since.
            self._wire.abort()
        else:
            self._wire.write(slow)
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer bytes that are no HTTP request, the only case: handlers answer their own errors."""
        if isinstance(exc, LineTooLong) or (message or "").startswith("Too many headers"):
            text = f"more than {HEADER_COUNT_MAX} headers, or more than {LINE_BYTES_MAX} bytes in a line of the head"
            return self._refuse(request, 431, text)
        reason = (message or "unknown error").partition("\n")[0].rstrip(":.")
        return self._refuse(request, status, f"malformed HTTP request: {reason}")
