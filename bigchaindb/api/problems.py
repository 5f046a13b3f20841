"""Errors as answers: the status and the text of each one. Source: http-api.md, sections 1 and 4."""

import asyncio
import logging
from contextvars import Context
from typing import Final

from bigchaindb.api.answers import Answer, json_line
from bigchaindb.errors import (
    BigchainDBError,
    CheckFailed,
    EngineError,
    HistoryLost,
    MalformedJson,
    Overloaded,
    SchemaValidationError,
    Stopping,
    StoreDamaged,
    StoreFull,
    ValidationError,
)
from bigchaindb.log import escaped

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


def answer_for(error: BigchainDBError) -> Answer:
    """Return the answer for an error of the tree; a defect of the node itself is not disclosed to the client."""
    match error:
        case Problem():
            return error.answer
        case ValidationError() | HistoryLost():
            return _refusal(error)
        case Overloaded() | Stopping() | StoreFull():
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


def _refusal(error: ValidationError | HistoryLost) -> Answer:
    match error:
        case HistoryLost():  # Clients that reconnect by themselves stop at this status (P8).
            body = {"message": str(error), "status": 410, "position": error.position, "head": error.head}
            return Answer(410, json_line(body), logged=str(error))
        case MalformedJson():
            return Answer(400, json_line({"message": f"Failed to decode JSON object: {error}"}))
        case SchemaValidationError():
            return plain(400, f"Invalid transaction schema: {error}")
        case _:
            return plain(400, refusal_text("Invalid transaction", error))


def refusal_text(lead: str, error: ValidationError) -> str:
    """Return `lead` with the class and the text of a broken rule."""
    return f"{lead} ({type(error).__name__}): {error}"


class ProblemLog:
    """The log lines of plain errors, summarised beyond a few lines a second. Belongs to the event loop.

    Clients cause errors of the node as well, for example each refusal under overload.
    """

    def __init__(self) -> None:
        self._of_clients = _Lines(logging.INFO, "clients")
        self._of_the_node = _Lines(logging.ERROR, "the node")

    def write(self, answer: Answer, method: str, path: str) -> None:
        """Write the line of `answer`, if it is a plain error; no text of a client can begin a line of its own."""
        if answer.logged is None:
            return
        lines = self._of_the_node if answer.status >= SERVER_ERROR else self._of_clients
        lines.write(answer, method, path)


class _Lines:
    """The lines of one level, counted apart so that they cannot hide those of another."""

    def __init__(self, level: int, causer: str) -> None:
        self._level = level
        self._causer = causer
        self._second_s = 0.0
        self._line_count = 0
        self._left_out: dict[int, int] = {}

    def write(self, answer: Answer, method: str, path: str) -> None:
        if self._has_room():
            _write(self._level, answer, method, path)
        else:
            self._leave_out(answer.status)

    def _has_room(self) -> bool:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._second_s >= 1.0:
            self._second_s, self._line_count = now_s, 0
        self._line_count += 1
        return self._line_count <= LINES_A_SECOND

    def _leave_out(self, status: int) -> None:
        if not self._left_out:
            loop = asyncio.get_running_loop()
            loop.call_at(self._second_s + 1.0, self._summarise, context=Context())
        self._left_out[status] = self._left_out.get(status, 0) + 1

    def _summarise(self) -> None:
        counts = {str(status): count for status, count in sorted(self._left_out.items())}
        self._left_out = {}
        text = "HTTP API errors: %d more by %s"
        logger.log(self._level, text, sum(counts.values()), self._causer, extra={"counts": counts})


def _write(level: int, answer: Answer, method: str, path: str) -> None:
    text = escaped((answer.logged or "")[:LOGGED_CHARACTERS_MAX])
    logger.log(level, "HTTP API error: %d - %s:%s - %s", answer.status, method, path, text)
