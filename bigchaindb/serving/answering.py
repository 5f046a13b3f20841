"""HTTP answers as bytes, in as few bytes and steps as possible: a head is joined from prepared parts.

Source: RFC 9112; docs/reference/contract/http-api.md, section 1.
"""

import time
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from bigchaindb.serving.request import Request

CLOSE: Final = b"Connection: close\r\n"
KEEP_ALIVE: Final = b"Connection: keep-alive\r\n"
TEXT_TYPE: Final = b"Content-Type: text/plain; charset=utf-8\r\n"
_NAMED_ANEW: Final = {413: "Request Entity Too Large"}
"""Phrases that later versions of Python changed; they stay because clients compare them."""


def _phrase(status: HTTPStatus) -> str:
    phrase = _NAMED_ANEW.get(status, status.phrase)
    return phrase.upper() if status >= HTTPStatus.BAD_REQUEST else phrase


STATUS_LINES: Final[Mapping[int, bytes]] = {
    status.value: f"HTTP/1.1 {status.value} {_phrase(status)}\r\n".encode() for status in HTTPStatus
}
"""Status → status line. Errors have their phrase in upper case: some clients show applications nothing else."""


def head(status: int, length: int, headers: bytes) -> bytes:
    """Return the head of an answer with a body of `length` bytes; `headers` are further lines, each with its end."""
    lines = (STATUS_LINES[status], _date(int(time.time())), b"Content-Length: %d\r\n" % length, headers, b"\r\n")
    return b"".join(lines)


def whole(status: int, body: bytes, headers: bytes) -> bytes:
    """Return the bytes of an answer."""
    return b"".join((head(status, len(body), headers), body))


def last_text(status: int, line: str) -> bytes:
    """Return the bytes of an answer of one line of text, behind which the connection ends."""
    return whole(status, f"{line}\n".encode(), TEXT_TYPE + CLOSE)


def opening(request: Request, headers: bytes) -> bytes:
    """Return the head of an answer of unknown length."""
    coding = b"Transfer-Encoding: chunked\r\n" if request.is_1_1 else b""
    parts = (STATUS_LINES[200], _date(int(time.time())), headers, request_lines(request), coding, b"\r\n")
    return b"".join(parts)


def chunk(request: Request, piece: bytes) -> tuple[bytes, ...]:
    """Return a piece of such an answer in parts; not joined, since many clients may share a large one."""
    return (b"%x\r\n" % len(piece), piece, b"\r\n") if request.is_1_1 else (piece,)


def request_lines(request: Request) -> bytes:
    """Return the header lines that follow from the request; the connection's end is named where it is no default."""
    if not request.keeps_alive:
        return request.lines + CLOSE
    return request.lines if request.is_1_1 else request.lines + KEEP_ALIVE


def id_line(request_id: str) -> bytes:
    """Return the header line of a request's id."""
    return b"X-Request-Id: %b\r\n" % request_id.encode()


@lru_cache(maxsize=2)
def _date(now_s: int) -> bytes:
    return f"Date: {formatdate(now_s, usegmt=True)}\r\n".encode()
