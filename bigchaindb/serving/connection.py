"""One client's connection: requests are parsed, answered in order, and bounded. Nothing about their content is here.

Requests of one connection are not answered side by side, since a TRANSFER may spend what the CREATE before it makes
(RFC 9112, section 9.3.2). `Listener` enforces the times: it checks every connection about once a second, so that a
request costs no timer.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, NamedTuple, Self, TypeVar, cast

from bigchaindb.access.addresses import NO_PROXIES, Proxies
from bigchaindb.config import Limits
from bigchaindb.errors import forget_frames
from bigchaindb.serving.answering import TEXT_TYPE, head, request_lines
from bigchaindb.serving.flow import Flow
from bigchaindb.serving.parsing import PIECE_BYTES, RequestParser
from bigchaindb.serving.places import Room
from bigchaindb.serving.request import BrokenBody, Request

KEEP_ALIVE_S: Final = 75.0
"""Idle time after which a connection is closed: above the 60 s that clients count on (driver-expectations.md, 1.4)."""
LINGER_S: Final = 2.0
"""How long further bytes of a client are discarded after an early answer, so that the client can read the answer."""
LINGER_BYTES_MAX: Final = 4 * 1024 * 1024
"""How many of them: most bodies that were refused early. Whoever sends without end took two fifths of the loop."""
CROWDED: Final = "too many connections from your address (limits.address_connection_count_max); try again later"
"""To a client whose address has as many connections as are allowed."""

_log: Final = logging.getLogger(__name__)

T = TypeVar("T")


class ConnectionLimits(NamedTuple):
    """Bounds of all connections of one listener.

    Attributes:
        room: how many connections are allowed.
        head_s_max: time from a request's first byte to the end of its head.
        stall_s_max: time without progress while there is something to send.
        proxies: whose connections count for the clients that they name.
    """

    room: Room
    head_s_max: float
    stall_s_max: float
    proxies: Proxies = NO_PROXIES

    @classmethod
    def of(cls, limits: Limits, count_max: int, proxies: Proxies = NO_PROXIES) -> Self:
        """Bound a listener that has `count_max` places."""
        return cls(Room.of(limits, count_max), limits.body_read_s_max, limits.stream_stall_s_max, proxies)


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


class Connection(asyncio.Protocol):
    """A connection that stays open until each request that has arrived is answered, and not for longer.

    Attributes:
        on_gone: set while an answer without end is written; called when the client leaves. A client that closes its
            side has left then, since it cannot wait for the end of such an answer.
        is_upgraded: whether another protocol has its transport.
        has_ended: the client has closed its side, behind a request that is not answered yet.
        serving: the handler's work on the present request.
        transport: set once the connection is made.
    """

    transport: asyncio.Transport

    def __init__(self, handler: "Handler", refuse: "Refuse", left: "Callable[[Connection], None]") -> None:
        """Serve one client.

        Args:
            handler: answers a request.
            refuse: answers a request that no handler gets.
            left: called when the client has left.
        """
        self.on_gone: Callable[[], object] | None = None
        self.serving: asyncio.Task[None] | None = None
        self._handler = handler
        self._refuse = refuse
        self._left = left
        self._loop = asyncio.get_running_loop()
        self._is_paused = False
        self._parser = RequestParser()
        self._unparsed = b""
        self._next_piece: asyncio.Handle | None = None
        self._request: Request | None = None
        self._is_last = False
        self.has_ended = False
        self._linger_bytes = 0
        self._is_leaving = False
        self.is_upgraded = False
        self._flow = Flow()
        self._since_s = self._loop.time()
        self._unsent = 0
        self._unsent_since_s = 0.0

    def answer(self, request: Request, status: int, body: bytes, headers: bytes) -> None:
        """Write a complete answer; it is the last one if the request's body is not complete.

        Args:
            request: that is answered.
            status: of the answer.
            body: of the answer; not sent to HEAD.
            headers: further lines, each with its line end.
        """
        if not request.body.is_complete:
            request.keeps_alive = False
        if not self.transport.is_closing():
            lines = request_lines(request) + headers
            first = head(status, len(body), lines)
            # Without an empty piece: asyncio's own transport, of 3.12 and later, would never be done with it.
            self.transport.writelines((first, body) if body and request.method != "HEAD" else (first,))

    def answer_text(self, request: Request, status: int, line: str, headers: bytes = b"") -> None:
        """Write an answer of one line of text."""
        self.answer(request, status, f"{line}\n".encode(), TEXT_TYPE + headers)

    async def drain(self) -> None:
        """Wait until the client has taken most of what was written.

        Raises:
            ConnectionError: the client is gone.
        """
        if self.transport.is_closing():
            raise ConnectionResetError("the client is gone")
        if self._flow.drained is not None:
            await self._flow.drained

    async def while_there(self, work: Awaitable[T], /) -> T:
        """Return what comes of something, which is cancelled once the client leaves, or closes its side.

        Raises:
            ConnectionError: the client is gone.
        """
        waiting = asyncio.ensure_future(work)
        self.on_gone = waiting.cancel
        if self.has_ended or self.transport.is_closing():
            waiting.cancel()
        try:
            return await waiting
        except asyncio.CancelledError:
            if self.has_ended or self.transport.is_closing():
                raise ConnectionResetError("the client is gone") from None
            raise
        finally:
            self.on_gone = None
            waiting.cancel()

    def upgrade(self, protocol: asyncio.Protocol) -> None:
        """Pass all further bytes to another protocol, which calls this one's `connection_lost` in the end."""
        self.is_upgraded = True
        self._parser.close()
        held, self._unparsed = self._unparsed, b""
        self.transport.set_protocol(protocol)
        if self._flow.drained is not None:  # a transport reports that its buffer is full to one protocol, once
            protocol.pause_writing()
        self._resume()
        if held:
            protocol.data_received(held)

    def end_soon(self) -> None:
        """End the connection with its present answer, or at once if there is none."""
        self._is_last = True
        if self._request is None and not self.is_upgraded:
            self.transport.close()

    def abort(self) -> None:
        """End the connection and drop unsent bytes."""
        if self.serving is not None:
            self.serving.cancel()
        self.transport.abort()

    def sweep(self, now_s: float, limits: ConnectionLimits, slow: bytes) -> None:
        """End the connection if it exceeds a bound at `now_s`, a time of the loop."""
        if self.is_upgraded:
            return
        is_waiting = self._request is None and not self._parser.requests
        if is_waiting and not self.transport.is_closing() and not self._is_leaving:
            self._sweep_waiting(now_s - self._since_s, limits, slow)
        unsent = self.transport.get_write_buffer_size()
        if self._unsent == 0 or unsent < self._unsent:
            self._unsent_since_s = now_s
        elif now_s - self._unsent_since_s > limits.stall_s_max:
            self.transport.abort()
        self._unsent = unsent

    def _sweep_waiting(self, waited_s: float, limits: ConnectionLimits, slow: bytes) -> None:
        if self._parser.in_head and waited_s > limits.head_s_max:
            self.transport.write(slow)
            self._linger()
        elif waited_s > KEEP_ALIVE_S:
            self._close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: BaseException | None) -> None:  # noqa: ARG002  asyncio's own signature
        """See `asyncio.Protocol`."""
        self._left(self)
        self._unparsed = b""
        self._parser.break_off(ConnectionResetError("the client is gone"))
        self._parser.close()
        if self.on_gone is not None:
            self.on_gone()
        self._flow.lose()

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._flow.pause()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._flow.resume()
        self._advance()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._is_leaving:
            self._linger_bytes += len(data)
            if self._linger_bytes > LINGER_BYTES_MAX and not self.transport.is_closing():
                self.transport.pause_reading()  # what is further sent waits in the client's own system
            return
        self._unparsed = self._unparsed + data if self._unparsed else data
        if self._next_piece is None:
            self._advance()

    def eof_received(self) -> bool:
        """See `asyncio.Protocol`. A client that closes its side after a request still gets the answer."""
        is_answered = self._request is None and not self._parser.requests
        if self.on_gone is not None or self._is_leaving or is_answered:
            self._close()
            return False
        self.has_ended = True
        self._parser.break_off(BrokenBody("the body is incomplete"))
        return True

    def _advance(self) -> None:
        """Parse what was read and serve what is complete, as far as one turn of the loop may."""
        self._next_piece = None
        parser, left = self._parser, PIECE_BYTES
        while self._unparsed and left > 0 and self._wants_more():
            size = parser.rest_bytes
            was_in_head = parser.in_head
            taken = parser.feed(self._unparsed[: size or left])
            self._unparsed = self._unparsed[taken:]
            left -= 0 if size else taken
            if parser.in_head and not was_in_head:
                self._since_s = self._loop.time()
            if not parser.in_body:
                self._serve()
        self._serve()
        if self._unparsed:
            self._read_later()
        elif self._is_paused:
            self._resume()

    def _read_later(self) -> None:
        """Leave further bytes in the client's system while there are some to parse."""
        if self._is_leaving or self.transport.is_closing():
            return
        self._is_paused = True
        self.transport.pause_reading()
        if self._wants_more():
            self._next_piece = self._loop.call_soon(self._advance)

    def _resume(self) -> None:
        self._is_paused = False
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def _wants_more(self) -> bool:
        """Whether bytes that were read may be parsed now: what is complete and not answered must not pile up."""
        if self._is_leaving or self.transport.is_closing():
            return False
        if self._parser.in_body:
            return self._parser.is_body_wanted
        return self._request is None and not self._parser.requests

    def _serve(self) -> None:
        """Begin with the next request, unless one is in hand or the client takes no answers."""
        if self._request is not None or not self._parser.requests or self._flow.drained is not None:
            return
        if self._is_leaving or self.transport.is_closing():
            return
        request = self._request = self._parser.requests.popleft()
        if request.refusal is not None:
            request.keeps_alive = False
            self._refuse(self, request, *request.refusal)
            self._finish(request)
            return
        request.body.on_wanted = self._advance
        self.serving = self._loop.create_task(self._work(request))

    async def _work(self, request: Request) -> None:
        try:
            await self._handler(self, request)
        except ConnectionError as error:
            forget_frames(error)
            self.transport.abort()
        except Exception:  # noqa: BLE001  a defect must end neither the server nor leave the client waiting
            _log.exception("a request failed")
            self.transport.abort()
        self.serving = None
        self._finish(request)

    def _finish(self, request: Request) -> None:
        """Go on behind an answered request."""
        self._request = None
        if self.is_upgraded or self.transport.is_closing():
            return
        self._since_s = self._loop.time()
        is_done = self.has_ended and not self._parser.requests
        if self._is_last or is_done or not request.keeps_alive:
            self._leave()
        else:
            self._advance()

    def _leave(self) -> None:
        """End the connection; a client that is still sending gets to read the answer first."""
        if self._parser.in_body or self._parser.is_broken or self._unparsed:
            self._linger()
        else:
            self._close()

    def _close(self) -> None:
        self.transport.close()
        if not self.transport.get_write_buffer_size():
            self._left(self)  # The client may connect anew before the loop reports the loss of this connection.

    def _linger(self) -> None:
        self._is_leaving = True
        self._unparsed = b""
        self._resume()
        if self.has_ended:
            self._close()
        else:
            self.transport.write_eof()
            self._loop.call_later(LINGER_S, self.transport.close)


Handler = Callable[[Connection, Request], Coroutine[Any, Any, None]]
"""Answers a request."""
Refuse = Callable[[Connection, Request, int, str], None]
"""Answers a request that no handler gets. Arguments: the connection, the request, a status and a text."""
