"""The protocol between the supervisor and a plugin's process, over one socket whose end is the node's end.

To the host: one frame of `Orders`, then lines; the first starts `run`. An empty line asks to read the lane page and is
dropped where there is no room; any other is an `Answer` as JSON, which never is.
From the host: `Report`s, one JSON line each.
"""

import socket
from typing import Any, Final, TypeAlias

import msgspec

from bigchaindb.errors import ConfigurationError

ORDERS_BYTES_MAX: Final = 64 * 1024
"""Far more than options need; the supervisor keeps that much for a process that does not read. What comes again is
beside it: it is bounded by the lane's page, and no fault of the options."""
REPORT_BYTES_MAX: Final = 8 * 1024
LENGTH_BYTES: Final = 4
NUDGE: Final = b"\n"


class Orders(msgspec.Struct, frozen=True, kw_only=True):
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


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The plugin is imported and configured; `run` waits for the first byte."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """It cannot be run."""

    error: str
    is_configuration: bool


class Returned(msgspec.Struct, frozen=True, tag=True):
    """`run` came back, or let `Closed` pass."""


class Raised(msgspec.Struct, frozen=True, tag=True):
    """`run` failed, or one of the plugin's threads did; with `Unavailable` its target did."""

    error: str
    is_unavailable: bool = False


class Gone(msgspec.Struct, frozen=True, tag=True):
    """The plugin's target wants nothing any more; the process is about to end."""

    error: str


class Lost(msgspec.Struct, frozen=True, tag=True):
    """The log is another than the one the cursor knew."""

    error: str


class Damaged(msgspec.Struct, frozen=True, tag=True):
    """An event that comes next is not what was written: nothing of it is delivered."""

    error: str
    table: str
    row: str


class Nacked(msgspec.Struct, frozen=True, tag=True):
    """The plugin asked for an event again. It stays in hand until `Again` or `Settle` comes."""

    position: int
    attempt: int
    error: str
    delay_s: float | None
    is_unavailable: bool


class ParkAsked(msgspec.Struct, frozen=True, tag=True):
    """The plugin asked for an event to be set aside. It stays in hand until `Settle` comes."""

    position: int
    attempt: int
    error: str


class Warned(msgspec.Struct, frozen=True, tag=True):
    """Something that the plugin's author should know; at most a few in a process's life."""

    text: str


Report: TypeAlias = Ready | Refused | Returned | Raised | Gone | Lost | Damaged | Nacked | ParkAsked | Warned

_reports: Final[msgspec.json.Decoder[Report]] = msgspec.json.Decoder(Report)


class Again(msgspec.Struct, frozen=True, tag=True):
    """Deliver an event of those in hand again, as this attempt, after the delay."""

    position: int
    attempt: int
    delay_s: float


class Settle(msgspec.Struct, frozen=True, tag=True):
    """An event of those in hand was set aside durably, or is passed over: it is settled."""

    position: int


Answer: TypeAlias = Again | Settle

_answers: Final[msgspec.json.Decoder[Answer]] = msgspec.json.Decoder(Answer)


def encode_orders(orders: Orders) -> bytes:
    """Return the frame to send.

    Raises:
        ConfigurationError: the plugin's options are too large, or hold what JSON in UTF-8 cannot; or a path does.
    """
    try:
        text = msgspec.json.encode(orders)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ConfigurationError(
            f"events plugin {orders.name!r}: its options, or a path that Python imports from, cannot be given to its "
            f"process: {error}"
        ) from error
    size = len(text) - len(msgspec.json.encode(orders.attempts))
    if size > ORDERS_BYTES_MAX:
        raise ConfigurationError(
            f"events_plugins.{orders.name}.options: {size} bytes with the rest of the orders, "
            f"the most is {ORDERS_BYTES_MAX}"
        )
    return len(text).to_bytes(LENGTH_BYTES, "big") + text


def receive_orders(control: socket.socket) -> Orders:
    """Wait for the orders.

    Raises:
        EOFError: the node ended before it had sent them.
    """
    length = int.from_bytes(_receive(control, LENGTH_BYTES), "big")
    return msgspec.json.decode(_receive(control, length), type=Orders)


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
