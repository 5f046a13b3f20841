"""Status lines, and answers of one line of text. Source: docs/reference/contract/http-api.md, section 1."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import web

_NAMED_ANEW: Final = {413: "Request Entity Too Large"}
"""Phrases that later versions of Python changed; they stay because clients compare them."""


def _phrase(status: HTTPStatus) -> str:
    phrase = _NAMED_ANEW.get(status, status.phrase)
    return phrase.upper() if status >= HTTPStatus.BAD_REQUEST else phrase


PHRASES: Final[Mapping[int, str]] = {status.value: _phrase(status) for status in HTTPStatus}
"""Status → reason phrase. Errors have theirs in upper case: some clients show applications nothing else."""
STATUS_LINES: Final[Mapping[int, bytes]] = {
    status: f"HTTP/1.1 {status} {phrase}\r\n".encode() for status, phrase in PHRASES.items()
}


def refusal(_: web.BaseRequest, status: int, text: str) -> web.Response:
    """Return the answer to a request that no handler sees, as one line of text."""
    return plain(status, text, is_last=True)


def plain(status: int, text: str, headers: Mapping[str, str] | None = None, *, is_last: bool = False) -> web.Response:
    """Return an answer of one line of text; the connection closes after it if it is the last."""
    response = web.Response(status=status, reason=PHRASES[status], text=f"{text}\n", headers=headers)
    if is_last:
        response.force_close()
    return response
