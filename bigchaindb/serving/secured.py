"""One client's connection over TLS: a transport of asyncio, above the transport of its bytes.

asyncio's own TLS reports a client only after its handshake, keeps a quarter of a MiB for each one, cannot close one
side alone, and waits half a minute for a client's farewell. Here a client counts as soon as it is accepted, and bytes
are encrypted as they are written, so that the buffer below holds all that a client has not taken.

Source: RFC 8446, section 6.1; decision 0090.
"""

import asyncio
import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final, Protocol, cast

from bigchaindb.agreed import ASK_OVER_TLS
from bigchaindb.serving.answering import last_text

PIECE_BYTES: Final = 16 * 1024
"""Bytes that OpenSSL's buffers hold at once, as they never shrink: the content of the largest record."""
TURN_BYTES: Final = 64 * 1024
"""Bytes that are decrypted before other clients get a turn; records of one byte take 3 ms then."""
FIRST_BYTES_MAX: Final = 20 * 1024
"""Bytes that a client may send before the node answers: one record, and room."""
HANDSHAKE_S_MAX: Final = 10.0
REPLY_BYTES_MAX: Final = 64 * 1024
"""What OpenSSL may reply by itself on one connection, behind its handshake: 2,000 changes of the keys that a client
asks for. Nobody needs as many, and one who reads none of the replies would fill the memory."""
PLAIN: Final = last_text(400, ASK_OVER_TLS)
"""To a client that speaks HTTP without TLS."""
_IS_HTTP: Final = "HTTP_REQUEST"
"""OpenSSL's reason for refusing such a client."""


class Guard(Protocol):
    """Bounds the handshakes of all clients."""

    def arrived(self, connection: "Secured", peer: object) -> None:
        """Call the connection's `begin` as soon as its handshake may begin; `peer` is its address."""

    def work(self, connection: "Secured") -> None:
        """Call the connection's `shake` soon."""

    def left(self, connection: "Secured") -> None:
        """Take note that a handshake is over, or that it will not begin."""

    def failed(self, connection: "Secured", reason: str) -> None:
        """Take note that a handshake failed."""


class Secured(asyncio.Transport, asyncio.Protocol):
    """A transport for a protocol that knows nothing of TLS. Belongs to the event loop.

    The protocol may close its side and drop what the client still sends, as all servers of the node do then: nothing
    more is decrypted.
    """

    def __init__(self, protocol: asyncio.Protocol, guard: Guard) -> None:
        """Serve a client; `protocol` gets what it sends, decrypted."""
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._guard = guard
        self._raw: asyncio.Transport
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._late: asyncio.TimerHandle | None = None
        self._is_shaken = False
        self._held = b""
        self._fed_bytes = 0
        self._turn: asyncio.Handle | None = None
        self._is_busy = False
        self._is_paused = False
        self._is_deaf = False
        self._has_ended = False
        self._reply_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._raw = cast("asyncio.Transport", transport)
        self._hold_back(is_busy=True)  # uvloop reads once nevertheless
        self._protocol.connection_made(self)
        if not self._raw.is_closing():
            self._guard.arrived(self, transport.get_extra_info("peername"))

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._end_handshake()
        if self._turn is not None:
            self._turn.cancel()
        self._held, self._tls = b"", None
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._protocol.resume_writing()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._is_deaf:
            return
        self._held = self._held[self._fed_bytes :] + data if self._held else data
        self._fed_bytes = 0
        if self._is_shaken:
            if self._turn is None:
                self._decrypt()
        elif self._tls is not None:
            self._hold_back(is_busy=True)
            self._guard.work(self)
        elif len(self._held) > FIRST_BYTES_MAX:
            self._raw.abort()
        else:
            self._raw.pause_reading()

    def eof_received(self) -> bool:
        """See `asyncio.Protocol`. A client that leaves without a farewell is like one that closes its side."""
        self._has_ended = True
        if self._is_shaken and not self._is_deaf:
            self._decrypt()
        return self._is_shaken and not self._raw.is_closing()

    def begin(self, context: ssl.SSLContext) -> None:
        """Begin the handshake, which may take `HANDSHAKE_S_MAX`."""
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._late = self._loop.call_later(HANDSHAKE_S_MAX, self.give_up, f"longer than {HANDSHAKE_S_MAX:g} s")
        if self._held:
            self._guard.work(self)
        else:
            self._hold_back(is_busy=False)

    def shake(self) -> None:
        """Go on with the handshake by what has arrived."""
        if self._tls is None or self._raw.is_closing():
            return
        try:
            self._is_shaken = self._is_agreed(self._tls)
        except ssl.SSLError as error:
            self._flush()
            self.give_up(error.reason or str(error))
            return
        self._flush()
        if self._is_shaken:
            self._end_handshake()
            self._decrypt()
        else:
            self._hold_back(is_busy=False)

    def _is_agreed(self, tls: ssl.SSLObject) -> bool:
        """Whether the handshake is complete, by what has arrived."""
        while True:
            with suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                return True
            if not self._held:
                return False
            self._feed()

    def _end_handshake(self) -> None:
        if self._late is not None:
            self._late.cancel()
        self._guard.left(self)

    def give_up(self, reason: str) -> None:
        """End a handshake that failed."""
        if self._raw.is_closing():
            return
        self._guard.failed(self, reason)
        if reason == _IS_HTTP:
            self._raw.write(PLAIN)
        self._raw.close()

    def _decrypt(self) -> None:
        """Pass on what has arrived, as far as one turn of the loop may."""
        self._turn = None
        if self._tls is None or self._is_deaf or self._is_paused or self._raw.is_closing():
            return
        pieces: list[bytes] = []
        try:
            self._read(self._tls, pieces)
        except ssl.SSLError:
            self._raw.abort()
            return
        self._reply_bytes += self._outgoing.pending
        self._flush()
        if self._reply_bytes > REPLY_BYTES_MAX:
            self._raw.abort()
            return
        self._hold_back(is_busy=bool(self._held))
        if pieces:
            self._protocol.data_received(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if self._held:
            self._turn = self._loop.call_soon(self._decrypt)
        elif self._has_ended and not self._is_paused:
            self._end()

    def _end(self) -> None:
        """Report to the protocol that the client sends no more."""
        if self._is_deaf or self._raw.is_closing():
            return
        self._is_deaf = True
        if not self._protocol.eof_received():
            self.close()

    def _read(self, tls: ssl.SSLObject, pieces: list[bytes]) -> None:
        """Add what can be decrypted to `pieces`."""
        left = TURN_BYTES
        while True:
            while self._incoming.pending:
                try:
                    piece = tls.read(PIECE_BYTES)
                except ssl.SSLWantReadError:
                    break
                if not piece:  # the client's farewell
                    self._has_ended, self._held = True, b""
                    return
                pieces.append(piece)
            if not self._held or left <= 0:
                return
            left -= PIECE_BYTES
            self._feed()

    def _feed(self) -> None:
        """Pass on the next piece of what is held; what is left of it is not copied for each."""
        end = self._fed_bytes + PIECE_BYTES
        self._incoming.write(memoryview(self._held)[self._fed_bytes : end])
        self._fed_bytes = end
        if end >= len(self._held):
            self._held, self._fed_bytes = b"", 0

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._raw.write(self._outgoing.read())

    def _hold_back(self, *, is_busy: bool) -> None:
        """Leave further bytes in the client's system while there are some to work on."""
        if is_busy != self._is_busy:
            self._is_busy = is_busy
            self._set_reading()

    def _set_reading(self) -> None:
        if self._raw.is_closing():
            return
        if self._is_busy or self._is_paused:
            self._raw.pause_reading()
        else:
            self._raw.resume_reading()

    def pause_reading(self) -> None:
        """See `asyncio.Transport`."""
        self._is_paused = True
        self._set_reading()

    def is_reading(self) -> bool:
        """See `asyncio.Transport`."""
        return not self._is_paused

    def resume_reading(self) -> None:
        """See `asyncio.Transport`."""
        self._is_paused = False
        if (self._held or self._has_ended) and self._turn is None and self._is_shaken:
            self._turn = self._loop.call_soon(self._decrypt)
        self._set_reading()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """See `asyncio.Transport`."""
        if self._tls is None or not self._is_shaken or self._raw.is_closing():
            return
        if len(data) <= PIECE_BYTES:
            self._tls.write(data)
            self._raw.write(self._outgoing.read())
            return
        view, records = memoryview(data), []
        for begin in range(0, len(view), PIECE_BYTES):
            self._tls.write(view[begin : begin + PIECE_BYTES])
            records.append(self._outgoing.read())
        self._raw.writelines(records)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """See `asyncio.Transport`."""
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        """See `asyncio.Transport`."""
        return True

    def write_eof(self) -> None:
        """See `asyncio.Transport`; what the client sends from now on is dropped."""
        self._bid_farewell()
        self._is_deaf, self._held = True, b""
        self._hold_back(is_busy=False)
        self._raw.write_eof()

    def close(self) -> None:
        """See `asyncio.Transport`."""
        if not self._raw.is_closing():
            self._bid_farewell()
            self._raw.close()

    def _bid_farewell(self) -> None:
        """Announce that nothing follows, so that the client can tell an end from a cut connection."""
        if self._tls is not None and self._is_shaken:
            with suppress(ssl.SSLError):  # it asks for the client's farewell, for which nobody waits
                self._tls.unwrap()
            self._flush()

    def abort(self) -> None:
        """See `asyncio.Transport`."""
        self._raw.abort()

    def is_closing(self) -> bool:
        """See `asyncio.Transport`."""
        return self._raw.is_closing()

    def get_write_buffer_size(self) -> int:
        """See `asyncio.Transport`."""
        return self._raw.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """See `asyncio.Transport`."""
        self._raw.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401  asyncio's own signature
        """See `asyncio.Transport`."""
        if name == "sslcontext":
            return default if self._tls is None else self._tls.context
        return self._raw.get_extra_info(name, default)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """See `asyncio.Transport`."""
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """See `asyncio.Transport`."""
        self._protocol = cast("asyncio.Protocol", protocol)
