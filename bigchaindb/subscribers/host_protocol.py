"""The protocol between the supervisor and a plugin's process, over one socket whose end is the node's end.

To the host: one frame of `Launch`, then lines; the first starts `run`. An empty line asks to read the lane page and is
dropped where there is no room; any other is an `Answer` as JSON, which never is.
From the host: `Report`s, one JSON line each.
"""

import socket
from typing import Any, Final, TypeAlias

import msgspec

from bigchaindb.errors import ConfigurationError
from bigchaindb.eventlog import facts
from bigchaindb.eventlog.facts import Answer

LAUNCH_BYTES_MAX: Final = 64 * 1024
"""Far more than options need; the supervisor keeps that much for a process that does not read. What comes again is
beside it: it is bounded by the lane's page, and no fault of the options."""
REPORT_BYTES_MAX: Final = 8 * 1024
LENGTH_BYTES: Final = 4
NUDGE: Final = b"\n"


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a host needs to run its plugin.

    Attributes:
        name: of the plugin.
        ledger: path of `ledger.db`.
        page: path of the lane page.
        sys_path: the node's, so that both find the same packages.
        queue: `log` or `pipe`.
        window_count: events that the plugin may hold unsettled.
        attempts: which delivery the next one is, by position in hand.
        one_at_a_time: take what is in hand one event after the other: one of them ended the process before.
        log_format: `text` or `json`: how the process writes what the node's own log does not have.
    """

    name: str
    ledger: str
    page: str
    chain_id: str
    options: dict[str, Any]
    queue: str
    window_count: int
    window_bytes_max: int
    sys_path: list[str]
    attempts: dict[int, int]
    one_at_a_time: bool
    log_format: str = "text"


class Warned(msgspec.Struct, frozen=True, tag=True):
    """Something that the plugin's author should know; at most a few in a process's life."""

    text: str


Report: TypeAlias = facts.Report | Warned

_reports: Final[msgspec.json.Decoder[Report]] = msgspec.json.Decoder(Report)
_answers: Final[msgspec.json.Decoder[Answer]] = msgspec.json.Decoder(Answer)


def encode_launch(launch: Launch) -> bytes:
    """Return the frame to send.

    Raises:
        ConfigurationError: the plugin's options are too large, or hold what JSON in UTF-8 cannot; or a path does.
    """
    try:
        text = msgspec.json.encode(launch)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ConfigurationError(
            f"events plugin {launch.name!r}: its options, or a path that Python imports from, cannot be given to its "
            f"process: {error}"
        ) from error
    size = len(text) - len(msgspec.json.encode(launch.attempts))
    if size > LAUNCH_BYTES_MAX:
        raise ConfigurationError(
            f"events_plugins.{launch.name}.options: {size} bytes with the paths beside them, "
            f"the most is {LAUNCH_BYTES_MAX}"
        )
    return len(text).to_bytes(LENGTH_BYTES, "big") + text


def receive_launch(control: socket.socket) -> Launch:
    """Wait for the launch.

    Raises:
        EOFError: the node ended before it had sent them.
    """
    length = int.from_bytes(_receive(control, LENGTH_BYTES), "big")
    return msgspec.json.decode(_receive(control, length), type=Launch)


def encode_answer(answer: Answer) -> bytes:
    """Return the line to send."""
    return msgspec.json.encode(answer) + b"\n"


def decode_answer(line: bytes) -> Answer:
    """Read a line of the supervisor."""
    return _answers.decode(line)


def encode_report(report: Report) -> bytes:
    """Return the line to send."""
    return msgspec.json.encode(report) + b"\n"


def decode_report(line: bytes) -> Report:
    """Read a line of a host."""
    return _reports.decode(line)


def _receive(control: socket.socket, length: int) -> bytes:
    received = control.recv(length, socket.MSG_WAITALL)
    if len(received) < length:
        raise EOFError
    return received
