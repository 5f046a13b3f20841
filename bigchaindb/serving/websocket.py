"""The server's end of a WebSocket: what a client sends is checked, bounded, and dropped where nobody listens.

`websockets` checks frames and knows the rules of closing; it does no input and output, so frames that are the same for
many clients are written to the transport as they are, between those that it makes. Source: RFC 6455.
"""

import asyncio
import base64
import logging
from codecs import IncrementalDecoder, getincrementaldecoder
from collections.abc import Callable
from http import HTTPStatus
from typing import Final
from typing import Protocol as TypingProtocol

from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, SEND_EOF, Protocol, Side
from websockets.utils import accept_key

from bigchaindb.access.gate import Denial
from bigchaindb.serving.answering import STATUS_LINES
from bigchaindb.serving.flow import Flow
from bigchaindb.serving.request import Request

CLOSE_S: Final = 5.0
"""How long a client may take to answer a close frame, which follows everything that it has not read yet."""
INVALID_DATA: Final = 1007
VERSION: Final = "13"
KEY_BYTES: Final = 16
_UPGRADED: Final = STATUS_LINES[HTTPStatus.SWITCHING_PROTOCOLS] + b"Upgrade: websocket\r\nConnection: upgrade\r\n"
_Decoder: Final = getincrementaldecoder("utf-8")

_log: Final = logging.getLogger(__name__)
_log.setLevel(logging.WARNING)  # the library has a line for each connection that ends


def is_upgrade(request: Request) -> bool:
    """Whether a request asks for a WebSocket."""
    is_asked = request.method == "GET" and request.may_upgrade
    return is_asked and request.headers.get("upgrade", "").lower() == "websocket"


def wrong_upgrade(request: Request) -> Denial | None:
    """Return the answer to an upgrade that breaks the standard, else None. Source: RFC 6455, section 4.2.1."""
    headers = request.headers
    if headers.get("sec-websocket-version", "") != VERSION:
        named = b"Sec-WebSocket-Version: %b\r\n" % VERSION.encode()
        return Denial(HTTPStatus.BAD_REQUEST, f"Sec-WebSocket-Version must be {VERSION}", named)
    if not _is_key(headers.get("sec-websocket-key", "")):
        return Denial(HTTPStatus.BAD_REQUEST, f"Sec-WebSocket-Key must be {KEY_BYTES} bytes in base64")
    return None


def _is_key(value: str) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == KEY_BYTES
    except ValueError:
        return False


def offered(request: Request) -> list[str]:
    """Return the subprotocols that a client offers; one that carried a key is not among them."""
    names = request.headers.get("sec-websocket-protocol", "").split(",")
    return [name.strip() for name in names if name.strip()]


def accepted(request: Request, protocol: str | None = None) -> bytes:
    """Return the answer to a correct upgrade, which chooses a subprotocol.

    Without one, the first that is offered besides one that carried a key: browsers close where none is chosen.
    """
    lines = f"Sec-WebSocket-Accept: {accept_key(request.headers['sec-websocket-key'])}\r\n"
    if protocol is None and request.key is not None:
        protocol = next(iter(offered(request)), None)
    if protocol is not None:
        lines += f"Sec-WebSocket-Protocol: {protocol}\r\n"
    return _UPGRADED + request.lines + f"{lines}\r\n".encode("utf-8", "surrogateescape")


class Filter(TypingProtocol):
    """Holds back what a client sends."""

    @property
    def held_bytes(self) -> int:
        """How much it holds."""
        ...

    def receive(self, data: bytes) -> None:
        """Take bytes that were read."""
        ...

    def close(self) -> None:
        """Pass nothing more on."""
        ...


class WebSocket(asyncio.Protocol):
    """One client. Belongs to the event loop.

    Attributes:
        transport: takes whole frames.
        flow: whether the client takes them.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        message_bytes_max: int,
        inbound: Callable[[Callable[[bytes], None]], Filter],
        on_heard: Callable[[], None],
        on_left: Callable[[], None],
        on_message: Callable[[bytes | None], None] | None = None,
    ) -> None:
        """Take over the transport of a client whose upgrade is accepted.

        Args:
            transport: of the client.
            message_bytes_max: bytes of its largest message.
            inbound: returns what passes the client's bytes on to the given function.
            on_heard: called after each frame.
            on_left: called when the client has left.
            on_message: takes each message that is a text; None for one that is not. Without it messages are dropped.
        """
        self.transport = transport
        self.flow = Flow()
        self._on_heard = on_heard
        self._on_left = on_left
        self._on_message = on_message
        self._frames = Protocol(Side.SERVER, state=OPEN, max_size=message_bytes_max, logger=_log)
        self._inbound = inbound(self.take)
        self._text: IncrementalDecoder | None = None
        self._message = bytearray()
        self._has_closed = False
        self._is_deaf = False

    @property
    def is_closing(self) -> bool:
        """Whether nothing more may be written."""
        return self._frames.state is not OPEN or self.transport.is_closing()

    @property
    def close_code(self) -> int | None:
        """The code of the client's close frame, once there is one."""
        return None if self._frames.close_rcvd is None else self._frames.close_rcvd.code

    def close(self, code: int, reason: str) -> None:
        """Write a close frame behind all unsent bytes; the client has `CLOSE_S` to answer it."""
        if self.is_closing:
            return
        self._frames.send_close(code, reason)
        self._flush()
        self._has_closed = True
        self._abort_soon()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if not self._is_deaf:
            self._inbound.receive(data)

    def eof_received(self) -> None:
        """See `asyncio.Protocol`. A client that closes its side has `CLOSE_S` to take what is unsent."""
        self._is_deaf = True
        self._inbound.close()
        self._abort_soon()

    def connection_lost(self, exc: BaseException | None) -> None:  # noqa: ARG002  asyncio's own signature
        """See `asyncio.Protocol`."""
        self._inbound.close()
        self.flow.lose()
        self._on_left()

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self.flow.pause()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self.flow.resume()

    def take(self, data: bytes) -> None:
        """Take bytes that the filter passes; `websockets` answers pings and closes by itself."""
        self._frames.receive_data(data)
        for frame in self._frames.events_received():
            assert isinstance(frame, Frame), "the handshake is over"
            self._on_heard()
            if self._is_right(frame):
                self._gather(frame)
            else:
                self._frames.fail(INVALID_DATA, "a text message is not UTF-8")
        self._flush()

    def _is_right(self, frame: Frame) -> bool:
        """Whether a frame is not of a text that is not UTF-8."""
        if frame.opcode in {Opcode.TEXT, Opcode.BINARY}:
            self._text = _Decoder() if frame.opcode is Opcode.TEXT else None
        elif frame.opcode is not Opcode.CONT:
            return True
        try:
            return self._text is None or self._text.decode(frame.data, final=frame.fin) is not None
        except UnicodeDecodeError:
            return False

    def _gather(self, frame: Frame) -> None:
        """Pass a message on once all of it is here; `message_bytes_max` bounds what is kept of it."""
        if self._on_message is None or frame.opcode not in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
            return
        self._message += frame.data
        if frame.fin:
            message, self._message = self._message, bytearray()
            self._on_message(bytes(message) if self._text is not None else None)

    def _flush(self) -> None:
        for data in self._frames.data_to_send():
            if data == SEND_EOF:
                self._end()
            elif not (self._has_closed or self.transport.is_closing()):  # Pongs are not sent behind a close frame.
                self.transport.write(data)

    def _end(self) -> None:
        """End the connection; a client that did not ask for it gets to read why."""
        self._is_deaf = True
        self._inbound.close()
        if self._frames.close_rcvd is not None:
            self.transport.close()
        elif not self.transport.is_closing():
            self.transport.resume_reading()
            self.transport.write_eof()
        self._abort_soon()

    def _abort_soon(self) -> None:
        asyncio.get_running_loop().call_later(CLOSE_S, self.transport.abort)
