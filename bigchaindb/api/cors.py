"""The header lines that allow web pages to read answers. Source: docs/reference/contract/http-api.md, section 1."""

from typing import Final

from bigchaindb.access.origins import Origins
from bigchaindb.serving.request import Request

ANY_ORIGIN: Final = b"Access-Control-Allow-Origin: *\r\n"
METHODS: Final = b"Access-Control-Allow-Methods: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT\r\n"
VARY: Final = b"Vary: Origin\r\n"
VARY_BOTH: Final = b"Vary: Accept, Origin\r\n"


def lines(origins: Origins | None, request: Request) -> bytes:
    """Return the lines of an answer; None: no page reaches this server."""
    if origins is None:
        return b""
    headers = request.headers
    origin = headers.get("origin")
    if origin is None:
        return unread_lines(origins)
    if not origins.may_use(headers):
        return VARY
    allowed = b"Access-Control-Allow-Origin: %b\r\n%b" % (_sent_back(origin), VARY)
    if request.method != "OPTIONS" or "access-control-request-method" not in headers:
        return allowed
    names = headers.get("access-control-request-headers")
    return allowed + METHODS + (b"" if names is None else b"Access-Control-Allow-Headers: %b\r\n" % _sent_back(names))


def unread_lines(origins: Origins | None) -> bytes:
    """Return the lines of an answer to a request that names no origin, or that is not read."""
    if origins is None:
        return b""
    return ANY_ORIGIN if origins.takes_any else VARY


def _sent_back(value: str) -> bytes:
    """Return the bytes of a header value as they arrived; the parser rejects line ends in a value."""
    assert "\r" not in value
    assert "\n" not in value
    return value.encode("utf-8", "surrogateescape")
