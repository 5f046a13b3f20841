"""Errors as answers: the status and the text of each one. Source: http-api.md, sections 1 and 4."""

import logging
from collections.abc import Mapping
from functools import partial
from typing import Final

from bigchaindb.access.lines import Lines
from bigchaindb.api.answers import Answer, json_line
from bigchaindb.errors import (
    BigchainDBError,
    CheckFailed,
    EngineError,
    HistoryLost,
    MalformedJson,
    MalformedSubscription,
    MalformedToken,
    OrderRefused,
    Overloaded,
    ReaderLost,
    SchemaValidationError,
    SearchTooWide,
    Stopping,
    StoreDamaged,
    StoreFull,
    SubscriptionDiffers,
    UnknownPlace,
    UnknownSubscription,
    ValidationError,
    WriterNotAllowed,
)
from bigchaindb.log_lines import escaped
from bigchaindb.masking import masked_text

logger = logging.getLogger(__name__)

LOGGED_CHARACTERS_MAX: Final = 1_000
LINES_A_SECOND: Final = 10
"""Per level; a flood of errors must neither fill the disk nor hide other lines."""
SERVER_ERROR: Final = 500
RETRY_AFTER: Final = b"Retry-After: 1\r\n"
INTERNAL_ERROR: Final = Answer(500, json_line({"message": "Internal Server Error"}))


DAMAGED: Final = "the data for this answer are damaged on the node's disk; use another node or inform the operator"


class Problem(BigchainDBError):
    """Ends a handler with an answer.

    Attributes:
        answer: sent to the client.
    """

    def __init__(self, answer: Answer) -> None:
        """Keep the answer."""
        super().__init__(answer.status, answer.logged)
        self.answer = answer


def plain(status: int, message: str, *, headers: bytes = b"", close: bool = False) -> Answer:
    """Return a plain error: a message and the status, in this order, and nothing else; it is logged."""
    return Answer(status, json_line({"message": message, "status": status}), headers, message, close)


def argument_error(message: str | dict[str, str]) -> Problem:
    """Return the error of a query argument: no status in the body, no line in the log."""
    return Problem(Answer(400, json_line({"message": message})))


def not_found(near: str | None = None) -> Answer:
    """Return the answer to a request for something that does not exist.

    Args:
        near: a similar route or address that the client probably meant.
    """
    return plain(404, "Not found" if near is None else f"Not found; did you mean {near}")


def answer_for(error: BigchainDBError) -> Answer:  # noqa: PLR0911 - a case for each kind
    """Return the answer for an error of the tree; a defect of the node itself is not disclosed to the client."""
    match error:
        case Problem():
            return error.answer
        case ValidationError() | HistoryLost() | SearchTooWide() | WriterNotAllowed() | UnknownSubscription():
            return _refusal(error)
        case OrderRefused() | MalformedSubscription() | MalformedToken() | UnknownPlace():
            return _refused_order(error)
        case Overloaded() | Stopping() | StoreFull() | ReaderLost():
            return plain(503, str(error), headers=RETRY_AFTER)
        case CheckFailed():  # logged where it was raised
            return INTERNAL_ERROR
        case EngineError():  # mostly CommitTimeout, whose text names what may still happen
            return plain(504, str(error))
        case _:
            return _of_the_node(error)


def _of_the_node(error: BigchainDBError) -> Answer:
    if isinstance(error, StoreDamaged):  # The reader has logged which row.
        return plain(500, f"Internal Server Error (StoreDamaged): {DAMAGED}")
    logger.error("a request failed", exc_info=error)
    return INTERNAL_ERROR


def _refusal(
    error: ValidationError | HistoryLost | SearchTooWide | WriterNotAllowed | UnknownSubscription,
) -> Answer:
    match error:
        case HistoryLost():  # Clients that reconnect by themselves stop at this status (P8).
            body = {"message": str(error), "status": 410, "position": error.position, "head": error.head}
            return Answer(410, json_line(body), logged=str(error))
        case WriterNotAllowed() | UnknownSubscription():
            return plain(403 if isinstance(error, WriterNotAllowed) else 404, str(error))
        case SearchTooWide():  # as upstream writes the errors of its store: http-api.md, section 8
            return plain(400, f"({type(error).__name__}): {error}")
        case MalformedJson():
            return Answer(400, json_line({"message": f"Failed to decode JSON object: {error}"}))
        case SchemaValidationError():
            return plain(400, f"Invalid transaction schema: {error}")
        case _:
            return plain(400, refusal_text("Invalid transaction", error))


def _refused_order(error: BigchainDBError) -> Answer:
    if not isinstance(error, OrderRefused):
        return plain(400, str(error))
    differences = {"differences": error.differences} if isinstance(error, SubscriptionDiffers) else {}
    message = masked_text(str(error))  # it names the lane's last error
    return Answer(409, json_line({"message": message, "status": 409, **differences}), logged=message)


def refusal_text(lead: str, error: ValidationError) -> str:
    """Return `lead` with the class and the text of a broken rule."""
    return f"{lead} ({type(error).__name__}): {error}"


class ProblemLog:
    """The log lines of plain errors, summarised beyond a few lines a second. Belongs to the event loop.

    Clients cause errors of the node as well, for example each refusal under overload.
    """

    def __init__(self) -> None:
        # Counted apart, so that lines of one level cannot hide those of another.
        self._of_clients = Lines(LINES_A_SECOND, partial(_summarise, logging.INFO, "clients"))
        self._of_the_node = Lines(LINES_A_SECOND, partial(_summarise, logging.ERROR, "the node"))

    def write(self, answer: Answer, method: str, path: str) -> None:
        """Write the line of `answer`, if it is a plain error; no text of a client can begin a line of its own."""
        if answer.logged is None:
            return
        is_of_the_node = answer.status >= SERVER_ERROR
        if (self._of_the_node if is_of_the_node else self._of_clients).has_room(str(answer.status)):
            _write(logging.ERROR if is_of_the_node else logging.INFO, answer, method, path)


def _summarise(level: int, causer: str, counts: Mapping[str, int]) -> None:
    logger.log(level, "HTTP API errors: %d more by %s", sum(counts.values()), causer, extra={"counts": counts})


def _write(level: int, answer: Answer, method: str, path: str) -> None:
    text = escaped((answer.logged or "")[:LOGGED_CHARACTERS_MAX])
    logger.log(level, "HTTP API error: %d - %s:%s - %s", answer.status, method, path, text)
