"""Turns the output of CometBFT into log lines of the node. Pure but for the log itself.

CometBFT prints a JSON object per line; before its log is up, plain text; when it panics, a trace of Go. Nothing is
lost, and nothing is longer than a line of a log should be.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

LINE_BYTES_MAX: Final = 256 * 1024
"""The rest of a longer line is dropped: a consensus failure prints a stack."""
VALUE_CHARACTERS_MAX: Final = 500
FIELD_COUNT_MAX: Final = 20
FAILURE: Final = "CONSENSUS FAILURE"
"""Part of its message when it will never vote again, though it goes on running."""

LOGGER: Final = "bigchaindb.cometbft"
_LEVELS: Final = {
    # At its level info each block is six lines or more, up to 70 times a second.
    "debug": logging.DEBUG,
    "info": logging.DEBUG,
    "error": logging.ERROR,
}
_ORDINARY: Final = {
    # A peer is away, or not one of this network: a person may want to know, and it is no defect of this node.
    "Error dialing peer": logging.WARNING,
    "Error in peer's address": logging.WARNING,
    "Stopping peer for error": logging.WARNING,
    "Failed to reconnect to peer. Beginning exponential backoff": logging.WARNING,
    "Failed to reconnect to peer. Giving up": logging.WARNING,
    # Further messages about the same connection.
    "Connection failed @ recvRoutine": logging.INFO,
    "Connection failed @ sendRoutine": logging.INFO,
    "Failed to send PacketPing": logging.INFO,
    "Failed to send PacketPong": logging.INFO,
    "Failed to write PacketMsg": logging.INFO,
    "Error stopping connection": logging.INFO,
    "error while stopping peer": logging.INFO,
    # It has caught up, and stops a part of itself that has stopped already.
    "Error stopping pool": logging.INFO,
}
"""Messages that CometBFT logs as errors and that are none here, with our level."""
_NOTED: Final = {"Genesis time is in the future. Sleeping until then...": logging.WARNING}
"""Messages that CometBFT logs as information and that an operator must see, with our level."""
_OURS: Final = frozenset({"_msg", "level", "module", "ts", "stack"})
_TAKEN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "logger"}
_REASONS: Final = ("ERROR", "Error", "panic:", "fatal error:")
_MISMATCHES: Final = ("AppHash does not match AppHash after replay", "is higher than core")
"""Parts of its text before an end that each further start would repeat: ledger and blocks do not belong together."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line, parsed.

    Attributes:
        level: a level of Python's logging.
        module: of CometBFT, the last part of the logger's name; empty for plain text.
        message: without fields.
        fields: its other members, as short text, under names that a log record does not use itself.
        tells_why: whether it may be the reason of an end.
        is_document: whether it came as one of its log, not as plain text.
    """

    level: int
    module: str
    message: str
    fields: dict[str, str] = field(default_factory=dict)
    tells_why: bool = False
    is_document: bool = False

    @property
    def is_failure(self) -> bool:
        """Whether it reports that this node has stopped taking part in consensus."""
        return self.level == logging.ERROR and self.message.startswith(FAILURE)

    @property
    def is_mismatch(self) -> bool:
        """Whether it states that the ledger and CometBFT's blocks do not belong together."""
        return not self.is_document and self.tells_why and any(text in self.message for text in _MISMATCHES)

    @property
    def text(self) -> str:
        """The message and the error in it, for people."""
        error = self.fields.get("err")
        return self.message if error is None else f"{self.message}: {error}"

    def log(self, *, is_stopping: bool = False) -> None:
        """Write it to the node's log.

        Args:
            is_stopping: CometBFT was told to end: each of its parts then logs the end of another as an error.
        """
        logger = logging.getLogger(f"{LOGGER}.{self.module}" if self.module else LOGGER)
        is_of_the_stop = is_stopping and self.is_document and not self.is_failure
        logger.log(logging.DEBUG if is_of_the_stop else self.level, "%s", self.message, extra=self.fields)


class Lines:
    """Cuts a stream of bytes into lines of at most `LINE_BYTES_MAX`; it holds no more than that itself."""

    def __init__(self) -> None:
        self._begun = b""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Take the next bytes; yield each line that they end, without its end."""
        *ended, rest = piece.split(b"\n")
        for part in ended:
            line = (self._begun + part)[:LINE_BYTES_MAX]
            self._begun = b""
            if line.strip():
                yield line
        self._begun = (self._begun + rest)[:LINE_BYTES_MAX]


def understand(line: bytes) -> Line:
    """Parse a line that CometBFT printed; one of an unknown form counts as an error."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("_msg"), str):
        text = line.decode(errors="replace").strip()[:VALUE_CHARACTERS_MAX]
        return Line(logging.ERROR, "", text, tells_why=text.startswith(_REASONS))
    level = _LEVELS.get(str(document.get("level")), logging.ERROR)
    message = document["_msg"][:VALUE_CHARACTERS_MAX]
    ours = _ORDINARY if level == logging.ERROR else _NOTED
    level = ours.get(message, level)
    return Line(
        level,
        _module(document.get("module")),
        message,
        _fields(document),
        tells_why=level == logging.ERROR,
        is_document=True,
    )


def _module(value: object) -> str:
    """Return a part of a logger's name; there are a few dozen of them."""
    text = value if isinstance(value, str) else ""
    return text if text.replace("-", "").isalnum() and text.isascii() and len(text) <= 40 else ""  # noqa: PLR2004


def _fields(document: dict[str, Any]) -> dict[str, str]:
    chosen = [name for name in document if name not in _OURS][:FIELD_COUNT_MAX]
    return {_name(name): str(document[name])[:VALUE_CHARACTERS_MAX] for name in chosen}


def _name(name: str) -> str:
    return f"cometbft_{name}" if name in _TAKEN else name
