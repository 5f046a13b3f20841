"""A request as a value, how its answer is read, and when it is sent again. Pure.

Source: docs/reference/contract/http-api.md, sections 1 and 4.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from bigchaindb.agreed import ACCESS_KEY_VARIABLE, ASK_OVER_TLS
from bigchaindb.errors import HistoryLost, RequestFailed, TransactionRefused

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

AGAIN: Final = frozenset({429, 502, 503, 504})
"""Statuses of a node that is busy, starting or behind a proxy without it: the same request may succeed later."""
PAUSE_S: Final = 0.25
PAUSE_S_MAX: Final = 5.0
RETRY_AFTER_S_MAX: Final = 30.0
"""A node names seconds; a proxy in front of it may name an hour."""

_RULES: Final = (
    (re.compile(r"Invalid transaction \((\w+)\): "), None),
    (re.compile(r"Invalid transaction schema: "), "SchemaValidationError"),
    (re.compile(r"Failed to decode JSON object: "), "MalformedJson"),
    (re.compile(r"rejected \((\w+)\): "), None),
)
"""Beginnings of the texts of a refusal, and the rule of those that do not name it."""
_NEEDS_KEY: Final = (
    f"set {ACCESS_KEY_VARIABLE} to a file with an access key of that node; its operator makes one with `bigchaindb "
    'access key new NAME --scopes "read write" --output FILE`'
)

_UNREADABLE: Final = (msgspec.MsgspecError, ValueError, TypeError, KeyError, RecursionError)

decode: Final = msgspec.json.Decoder(float_hook=float).decode  # see `bigchaindb.transaction.reading`


class Answer(NamedTuple):
    """An answer as it came.

    Attributes:
        retry_after_s: as its header has it; None without one.
    """

    status: int
    body: bytes
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Call(Generic[T_co]):
    """A request, and how its answer is read.

    Attributes:
        path: with its query, below the node's URL.
        read: makes the result of the body of a 2xx answer. Raises an error of Python or msgspec for another form.
        body: of a POST or PUT; None for none.
        method: of HTTP.
        cure: returns what to do about a refusal, by the node's URL.
        takes: whether an answer with another status than 2xx is a result, too.
    """

    path: str
    read: Callable[[bytes], T_co]
    body: bytes | None = None
    method: str = "GET"
    cure: Callable[[RequestFailed, str], list[str]] | None = None
    takes: Callable[[Answer], bool] = lambda _: False


class NoNode(RequestFailed):
    """An error that is not of a node, or of an older one that does not know the route."""


def result(call: Call[T], answer: Answer, url: str) -> T:
    """Return what an answer says.

    Args:
        call: what was asked.
        answer: to it.
        url: of the node, for messages.

    Raises:
        RequestFailed: it is an error, or no answer of a node.
        HistoryLost: the node does not have the place that was named.
    """
    if not (200 <= answer.status < 300 or call.takes(answer)):  # noqa: PLR2004 - HTTP's own figures
        raise refusal(call, answer, url)
    try:
        return call.read(answer.body)
    except _UNREADABLE as error:
        where = f"{url}{call.path.partition('?')[0]}"
        raise RequestFailed(f"{where} answered {answer.status} without JSON: is it a node?") from error


def refusal(call: Call[Any], answer: Answer, url: str) -> RequestFailed | HistoryLost:
    """Return the error that an answer is."""
    try:
        said = decode(answer.body)
    except _UNREADABLE:
        if answer.body.startswith(ASK_OVER_TLS.encode()):
            return RequestFailed(f"{url} is served over TLS; ask {other_scheme(url)}")
        where = f"{url}{call.path.partition('?')[0]}"
        return NoNode(f"{where} answered {answer.status} without JSON: is it a node?", answer.status)
    if answer.status == HTTPStatus.GONE and isinstance(said, dict) and isinstance(said.get("position"), int):
        return HistoryLost(said["position"], int(said.get("head", 0)))
    message = said.get("message", said) if isinstance(said, dict) else said
    text = f"{url} answered {answer.status}: {message}"
    rule = _rule_in(message)
    error = RequestFailed(text, answer.status) if rule is None else TransactionRefused(text, answer.status, rule)
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        error.add_note(_NEEDS_KEY)
    for note in [] if call.cure is None else call.cure(error, url):
        error.add_note(note)
    return error


def pause_s(attempt: int, draw: float, retry_after_s: float | None = None) -> float:
    """Return how long to wait before a request is sent again.

    Args:
        attempt: how often it was sent to each node, from 1.
        draw: from 0 to 1, by chance, so that clients of a node that was away do not all come at once.
        retry_after_s: as the node asks for.
    """
    if retry_after_s is not None:
        return min(retry_after_s, RETRY_AFTER_S_MAX) * (1 + draw / 4)
    return min(PAUSE_S * 2.0 ** min(attempt - 1, 10), PAUSE_S_MAX) * (0.5 + draw / 2)


def other_scheme(url: str) -> str:
    """Return a URL with TLS if it has none, and without if it has."""
    scheme, separator, rest = url.partition("://")
    return f"{'http' if scheme.lower() == 'https' else 'https'}{separator}{rest}"


def _rule_in(message: object) -> str | None:
    for pattern, rule in _RULES:
        if isinstance(message, str) and (found := pattern.match(message)):
            return rule or found[1]
    return None
