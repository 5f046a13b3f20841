"""Replies of handlers as values: complete bytes, or a long list that is rendered piece by piece."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from bigchaindb.streams.sse import EventStream

JSON_TYPE: Final = b"Content-Type: application/json\r\n"
VARY_ACCEPT: Final = b"Vary: Accept\r\n"
"""Of an address that serves a page or a stream: a cache must not answer a request for one with the other."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer.

    Attributes:
        status: of HTTP.
        body: JSON that ends with a newline, nothing, or what `content_type` names.
        headers: further header lines, each with its line end.
        logged: the message of a plain error, for the error log.
        content_type: the header line of that name, where there is a body.
        close: whether the connection ends with it, because part of the request is unread.
    """

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: bytes = b""
    logged: str | None = None
    close: bool = False
    content_type: bytes = field(default=JSON_TYPE, repr=False)


@dataclass(frozen=True, slots=True)
class Listing:
    """A JSON array that is too long to hold: its elements in pieces, joined by commas within each; one may be empty."""

    pieces: AsyncIterator[bytes]


Reply = Answer | Listing | EventStream


def json_answer(value: Any, status: int = 200) -> Answer:  # noqa: ANN401 -- any JSON
    """Return an answer with `value` as its body."""
    return Answer(status, json_line(value))


def json_line(value: Any) -> bytes:  # noqa: ANN401 -- any JSON
    """Return compact JSON and a newline; lone surrogates, which JSON cannot carry, are escaped first."""
    try:
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:
        return orjson.dumps(_without_surrogates(value), option=orjson.OPT_APPEND_NEWLINE)


def _without_surrogates(value: Any) -> Any:  # noqa: ANN401 -- any JSON
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {_without_surrogates(key): _without_surrogates(held) for key, held in value.items()}
        case _:
            return value
