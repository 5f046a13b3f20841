"""HTTP requests out of the bytes of one connection. Neither sockets nor clocks belong here.

llhttp, which httptools wraps, checks the grammar strictly and keeps no bound on anything. The bounds are here: what a
stranger sends is counted or dropped, and only headers that this software reads are kept.

Source: RFC 9110, RFC 9112; docs/reference/contract/http-api.md, section 1.
"""

from collections import deque
from typing import Final, NoReturn

import httptools

from bigchaindb.access.addresses import FORWARDED
from bigchaindb.access.keys import BEARER_PROTOCOL, shown_in, without_key
from bigchaindb.serving.request import Body, BrokenBody, Refusal, Request, refused

HEADER_COUNT_MAX: Final = 100
"""Header lines of one request, trailers included."""
LINE_BYTES_MAX: Final = 8190
"""Largest request target and largest header. Source: http-api.md, section 1."""
PIECE_BYTES: Final = 4 * 1024
"""Bytes that are parsed before other clients get a turn; a body of announced length is only copied."""
AHEAD_BYTES: Final = 64 * 1024
"""Bytes of a body that are taken before its reader asks for them; what comes then waits in the client's system."""
FRAMING_BYTES_MAX: Final = 4 * 1024
"""Bytes that chunks may take beyond twice their content: chunks of one byte take six times their content."""
CODING_SHOWN_MAX: Final = 100
TLS_RECORD: Final = b"\x16"
"""First byte of a handshake."""
MALFORMED: Final = "malformed HTTP request: "

_KEPT: Final = {
    name.encode(): name
    for name in (
        "accept",
        "accept-encoding",
        "access-control-request-headers",
        "access-control-request-method",
        "authorization",
        "content-length",
        "expect",
        "host",
        "last-event-id",
        "origin",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-version",
        "transfer-encoding",
        "upgrade",
        "x-forwarded-for",
        "x-request-id",
    )
}
_VERSIONS: Final = {"1.0", "1.1"}


class _Refused(Exception):
    """A callback of the parser found something that has an answer of its own."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status, text)
        self.refusal = Refusal(status, text)


class RequestParser:
    """Parses the requests of one connection, in order. Belongs to the event loop.

    Attributes:
        requests: those whose head is complete, until they are taken out; the last one's body may still arrive.
        in_head: whether a head has begun and is not complete.
        is_broken: whether nothing more is taken.
    """

    def __init__(self) -> None:
        self.requests: deque[Request] = deque()
        self._http: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._body: Body | None = None
        self._target = b""
        self._headers: dict[str, str] = {}
        self._header_count = 0
        self._line_bytes = 0
        self._framed_bytes = 0
        self.in_head = False
        self._is_repeated = False
        self.is_broken = False

    @property
    def in_body(self) -> bool:
        """Whether the last request's body is incomplete."""
        return self._body is not None

    @property
    def rest_bytes(self) -> int:
        """How many bytes of a body of announced length are missing; 0 outside of such a body."""
        body = self._body
        return 0 if body is None or body.length is None else body.length - body.size

    @property
    def is_body_wanted(self) -> bool:
        """Whether more of the last request's body may be taken now."""
        return self._body is not None and (self._body.is_wanted or self._body.size < AHEAD_BYTES)

    def close(self) -> None:
        """Drop the parser, which refers to this object."""
        self._http = None

    def break_off(self, error: Exception) -> None:
        """Take nothing more; a body that is incomplete stays so."""
        self.is_broken = True
        if self._body is not None:
            self._body.break_off(error)
            self._body = None

    def feed(self, data: bytes) -> int:
        """Parse the next bytes; return how many were taken: all, or those of a request that asks for an upgrade."""
        if self.is_broken or self._http is None:
            return len(data)
        begun, is_tls = self._body, data[:1] == TLS_RECORD and not (self.in_head or self._body)
        self._line_bytes += len(data)
        try:
            self._http.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._after_upgrade(upgrade.args[0])
        except httptools.HttpParserCallbackError as error:
            if not isinstance(error.__context__, _Refused):
                raise
            self._refuse(*error.__context__.refusal)
        except httptools.HttpParserError as error:
            reason = "this is TLS, the port is of plain HTTP" if is_tls else str(error).rstrip(".")
            self._refuse(400, f"{MALFORMED}{reason}")
        else:
            self._bound(len(data), begun)
        return len(data)

    def on_message_begin(self) -> None:
        """See httptools."""
        if self._is_repeated:
            return
        self.in_head = True
        self._target = b""
        self._headers = {}
        self._header_count = 0

    def on_url(self, part: bytes) -> None:
        """See httptools, which passes the target in parts as it arrives."""
        self._target += part
        if len(self._target) > LINE_BYTES_MAX:
            _refuse_size()

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools; trailers are counted and dropped."""
        self._line_bytes = 0
        self._header_count += 1
        if self._header_count > HEADER_COUNT_MAX or len(name) + len(value) > LINE_BYTES_MAX:
            _refuse_size()
        if self.in_head and (kept := _KEPT.get(name.lower())) is not None:
            self._keep(kept, value.rstrip(b" \t").decode("utf-8", "surrogateescape"))

    def on_headers_complete(self) -> None:
        """See httptools."""
        assert self._http is not None
        self.in_head = False
        if self._is_repeated:
            return
        headers, version = self._headers, self._http.get_http_version()
        if version not in _VERSIONS:
            raise _Refused(505, f"HTTP/{version} is not supported; use HTTP/1.1")
        if version == "1.1" and "host" not in headers:
            raise _Refused(400, f"{MALFORMED}Missing 'Host' header in request")
        coding = headers.get("transfer-encoding")
        body = Body(int(headers.get("content-length", 0)) if coding is None else None)
        method = self._http.get_method().decode()
        # Software disagrees on what follows a CONNECT, or chunks of HTTP/1.0: nothing behind them is read.
        is_certain = method != "CONNECT" and (coding is None or version == "1.1")
        self._body, self._framed_bytes = body, 0
        self.requests.append(
            Request(
                method,
                self._target.decode("utf-8", "surrogateescape"),
                headers,
                body,
                is_1_1=version == "1.1",
                keeps_alive=self._http.should_keep_alive() and is_certain,
                key=_take_key(headers),
                may_upgrade=self._http.should_upgrade() and method != "CONNECT" and body.length == 0,
                refusal=_unknown_coding(coding),
            )
        )

    def on_body(self, piece: bytes) -> None:
        """See httptools."""
        self._line_bytes = 0
        assert self._body is not None
        self._body.add(piece)

    def on_message_complete(self) -> None:
        """See httptools; it takes a request that asks for an upgrade for complete, whatever its body."""
        self._line_bytes = 0
        assert self._body is not None
        if self._http is not None and self._http.should_upgrade() and not self._is_repeated and self._body.length != 0:
            return
        self._is_repeated = False
        self._body.complete()
        self._body = None

    def _keep(self, name: str, value: str) -> None:
        if name not in self._headers:
            self._headers[name] = value
        elif name in {"transfer-encoding", "sec-websocket-protocol"}:
            self._headers[name] += f",{value}"
        elif name == FORWARDED:
            self._headers[name] = value  # Proxies that add a line of their own add it behind those of clients.
        elif name == "host":
            raise _Refused(400, f"{MALFORMED}Duplicate 'Host' header found")

    def _after_upgrade(self, taken: int) -> int:
        """Go on behind a head that asks for an upgrade, which was declined if its request has a body.

        httptools skips the body of such a request, so a new parser reads a head with the same framing and no upgrade.
        """
        if self._body is not None:
            length = self._headers.get("content-length")
            framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
            self._http = httptools.HttpRequestParser(self)
            self._is_repeated = True
            self._header_count -= 1  # the line of the framing comes a second time
            self._http.feed_data(f"POST / HTTP/1.1\r\n{framing}\r\n\r\n".encode())
        return taken

    def _bound(self, size: int, begun: Body | None) -> None:
        """Bound what the parser itself keeps or skips: a line without end, and framing beyond the content."""
        if self._line_bytes > LINE_BYTES_MAX + PIECE_BYTES:
            self._refuse(*_TOO_LARGE)
        body = self._body
        if body is None or body.length is not None or body is not begun:
            return
        self._framed_bytes += size
        if self._framed_bytes > 2 * body.size + FRAMING_BYTES_MAX:
            about = f"chunks too small: {self._framed_bytes} bytes carry {body.size}; send larger chunks"
            self.break_off(BrokenBody(about))

    def _refuse(self, status: int, text: str) -> None:
        if self._body is None:
            self.requests.append(refused(status, text))
        else:
            self.break_off(BrokenBody(f"the body is incomplete: {text.removeprefix(MALFORMED)}"))
        self.is_broken = True


def _take_key(headers: dict[str, str]) -> str | None:
    """Take out of the headers what may prove a principal, before anything else sees them; return the access key."""
    authorization, protocols = headers.pop("authorization", ""), headers.pop("sec-websocket-protocol", "")
    if not authorization and not protocols:
        return None
    if protocols:
        headers["sec-websocket-protocol"] = without_key(protocols) if BEARER_PROTOCOL in protocols else protocols
    return shown_in(authorization, protocols)


_TOO_LARGE: Final = Refusal(
    431, f"more than {HEADER_COUNT_MAX} headers, or more than {LINE_BYTES_MAX} bytes in a line of the head"
)


def _refuse_size() -> NoReturn:
    raise _Refused(*_TOO_LARGE)


def _unknown_coding(coding: str | None) -> Refusal | None:
    """Return the refusal of a transfer coding, which is any but `chunked` alone."""
    if coding is None or coding.strip().lower() == "chunked":
        return None
    return Refusal(
        501, f"Transfer-Encoding {coding[:CODING_SHOWN_MAX]!r} is not supported; use chunked or Content-Length"
    )
