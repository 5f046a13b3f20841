"""One client's connection, with the bounds that aiohttp leaves to its users.

What does not belong here: anything about what is asked for. Times are read and enforced by `Listener`, which looks at
every connection about once a second, so that a request costs no timer.
"""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple, cast

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

KEEP_ALIVE_S: Final = 75.0
"""Idle time after which a connection is closed: above the 60 s that clients count on (driver-expectations.md, 1.4)."""
LINGER_S: Final = 2.0
"""How long what a client still sends is thrown away after an early answer, so that it gets to read the answer."""
HEADER_COUNT_MAX: Final = 100
LINE_BYTES_MAX: Final = 8190
"""Largest request line and largest header. Source: http-api.md, section 1."""
BEGIN_S: Final = 0.1
"""Within this time a handler has begun on any request that had arrived when the client closed its side."""
REFUSAL_S: Final = 1.0
"""How long a client that is one too many is heard out before its connection ends."""


class ConnectionLimits(NamedTuple):
    """Bounds of all connections of one listener.

    Attributes:
        count_max: open connections; who comes then is told so and closed.
        head_s_max: time from a request's first byte to the end of its head.
        stall_s_max: time without progress while there is something to send.
    """

    count_max: int
    head_s_max: float
    stall_s_max: float


class Texts(NamedTuple):
    """Whole HTTP answers for clients that never get as far as a handler.

    Attributes:
        full: to a client that is one too many.
        slow: to a client whose head did not arrive in time.
    """

    full: bytes
    slow: bytes


ErrorAnswer = Callable[[web.BaseRequest, int, str], web.StreamResponse]
"""Answers bytes that are no HTTP request: the request (of which nothing is known), a status and a text."""


class Connection(web.RequestHandler):
    """A connection that is never closed before a request that has arrived is answered, and never held for nothing.

    Attributes:
        exempt: it is no HTTP any more, and its handler looks after slow reading (the WebSocket stream does).
        on_gone: set while an answer without end is written: is told that the client has left. Whoever closes its side
            has left then, since nobody waits for the end of such an answer.
    """

    __slots__ = (
        "_ended",
        "_head_since",
        "_on_error",
        "_open",
        "_request",
        "_unsent",
        "_unsent_since",
        "_wire",
        "exempt",
        "on_gone",
    )

    def __init__(
        self,
        manager: web.Server,
        loop: asyncio.AbstractEventLoop,
        connections: "set[Connection]",
        on_error: ErrorAnswer,
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
        self._open = connections
        self._on_error = on_error
        self._wire: asyncio.Transport | None = None
        self._head_since: float | None = None
        self._request: web.BaseRequest | None = None
        self._ended = False
        self._unsent = 0
        self._unsent_since = 0.0

    def begin(self, request: web.BaseRequest) -> None:
        """Note that a request's head is complete and a handler works on it."""
        self._request = request
        self._head_since = None
        if self._ended:
            self._break_off(request)

    def end(self) -> None:
        """Note that the request is answered."""
        self._request = None
        if self._ended:
            self.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._wire = cast("asyncio.Transport", transport)
        self._open.add(self)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See `asyncio.Protocol`."""
        self._open.discard(self)
        if self.on_gone is not None:
            self.on_gone()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if data and self._request is None and self._head_since is None:
            self._head_since = self._loop.time()
        super().data_received(data)
        if self._request is not None and self._messages:
            # Either the body is complete and this is the next request, or it is what aiohttp makes of broken chunks:
            # it queues an error behind the body that the handler waits for, and does not tell the body.
            self._break_off(self._request)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio lets it return whether to stay open
        """See `asyncio.Protocol`. A client that closes its side after a request is answered all the same."""
        endless = self.exempt or self.on_gone is not None
        if endless or (self._request is None and self._head_since is None):
            return False
        self._ended = True
        if self._request is not None:
            self._break_off(self._request)
        self._loop.call_later(BEGIN_S, self._end_unless_serving)
        return True

    def sweep(self, now_s: float, limits: ConnectionLimits, slow: bytes) -> None:
        """End the connection if it is beyond a bound at `now_s`, a time of the loop."""
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
        """End the connection, whatever is unsent."""
        assert self._wire is not None
        self._wire.abort()

    @staticmethod
    def _break_off(request: web.BaseRequest) -> None:
        if not request.content.is_eof():
            request.content.set_exception(web.RequestPayloadError("nothing more of the body can come"))
            request.content.feed_eof()  # else aiohttp would look for the rest of it after the answer

    def _end_unless_serving(self) -> None:
        if self._request is None:
            self.force_close()

    def _end_slow(self, slow: bytes) -> None:
        assert self._wire is not None
        if self._wire.is_closing():  # it was told at the last sweep and has not taken the answer since
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
        """Answer what is no HTTP request; aiohttp calls it for nothing else, since handlers answer their own errors."""
        if isinstance(exc, LineTooLong) or (message or "").startswith("Too many headers"):
            text = f"request line or headers too large: {LINE_BYTES_MAX} bytes each, {HEADER_COUNT_MAX} headers"
            return self._on_error(request, 431, text)
        reason = (message or "not understood").partition("\n")[0].rstrip(":.")
        return self._on_error(request, status, f"malformed HTTP request: {reason}")


class Refusal(asyncio.Protocol):
    """Tells a client that it is one too many, as soon as it has asked for something, and closes."""

    def __init__(self, loop: asyncio.AbstractEventLoop, text: bytes) -> None:
        self._loop = loop
        self._text = text
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)
        self._loop.call_later(REFUSAL_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        assert data
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._text)
            self._transport.close()
