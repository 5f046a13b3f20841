"""Inputs of a lane (facts) and its outputs (actions, which the edge carries out). Pure.

An order of a person that needs the plugin's process to have ended comes as `Stopping`, the process's end, and then the
order: so each order has a row for the states without a process alone.

Reports of the plugin's process, and the answers to it, cross the socket between host and node as they stand here: they
are structs that name their kind. Source: decision 0056.
"""

from collections.abc import Collection, Mapping
from typing import TypeAlias

import msgspec

from bigchaindb.eventlog.lane import Progress, Trouble

# From the node


class Enabled(msgspec.Struct, frozen=True):
    """The lane's plugin is to run: the node starts, or a person wants it to."""


class Stopping(msgspec.Struct, frozen=True):
    """The node is about to end, or an order follows that no process may outlive."""


class CaughtUp(msgspec.Struct, frozen=True):
    """The plugin has taken everything there was."""


class FellBehind(msgspec.Struct, frozen=True):
    """The log holds events that the plugin has not taken."""


class RetryDue(msgspec.Struct, frozen=True):
    """The delay of `WakeIn` is over."""


# Reported by the plugin's process


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The process has imported and configured the plugin; `run` waits for the first nudge."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The plugin cannot be imported, is no plugin, or refused its configuration, if `is_configuration`."""

    error: str
    is_configuration: bool = False


class Lost(msgspec.Struct, frozen=True, tag=True):
    """The log does not hold what the cursor knew (P8)."""

    error: str


class Gone(msgspec.Struct, frozen=True, tag=True):
    """The plugin's target wants nothing any more; the process is about to end."""

    error: str


class Damaged(msgspec.Struct, frozen=True, tag=True):
    """The next event is not as it was written: nothing of it is delivered. The process is about to end."""

    error: str
    table: str
    row: str


class Nacked(msgspec.Struct, frozen=True, tag=True):
    """The plugin asks for an event again, later. Its process goes on, with the event in hand until it is answered.

    Attributes:
        attempt: which delivery it was.
        delay_s: what the plugin asks for; None leaves it to the policy.
        is_unavailable: the target is at fault, not the event.
    """

    position: int
    attempt: int
    error: str
    delay_s: float | None = None
    is_unavailable: bool = False


class ParkAsked(msgspec.Struct, frozen=True, tag=True):
    """The plugin asks for an event to be parked. Its process goes on, with the event in hand until it is answered."""

    position: int
    attempt: int
    error: str


class ReturnSettled(msgspec.Struct, frozen=True, tag=True):
    """An event that was parked and had returned is settled by the plugin."""

    position: int


class Returned(msgspec.Struct, frozen=True, tag=True):
    """`run` came back, or let `Closed` pass: the last event counts as done. The process is about to end."""


class Raised(msgspec.Struct, frozen=True, tag=True):
    """`run` failed, or one of the plugin's threads did. The process is about to end.

    Attributes:
        is_unavailable: by `Unavailable`: the target is at fault, no event.
        retry_after_s: how long the target asks not to be asked again.
    """

    error: str
    is_unavailable: bool = False
    retry_after_s: float | None = None


LastWord: TypeAlias = Returned | Raised
Report: TypeAlias = Ready | Refused | Lost | Gone | Damaged | Nacked | ParkAsked | ReturnSettled | LastWord


# Seen by the node of the process


class Ended(msgspec.Struct, frozen=True):
    """The process has ended.

    Attributes:
        last: what it reported last; `Raised` with how it ended where it reported nothing.
        progress: as its page has it.
        is_blameless: it was ended by the node, for no fault of an event.
    """

    last: LastWord
    progress: Progress
    is_blameless: bool = False


# Done by the node


class ParkRecorded(msgspec.Struct, frozen=True):
    """It is durable that events are parked."""

    positions: Collection[int]


class Unlisted(msgspec.Struct, frozen=True):
    """It is durable that events which had returned are no longer parked."""

    positions: Collection[int]


# Orders


class Paused(msgspec.Struct, frozen=True):
    """Deliver nothing further; the process may finish what it has in hand."""


class Sought(msgspec.Struct, frozen=True):
    """Go on behind `position`, wherever the lane was; what it had in hand is forgotten."""

    position: int


class Retried(msgspec.Struct, frozen=True):
    """Deliver parked events again, with as many attempts as ever; or, if there are none, what blocks the lane.

    Attributes:
        attempts: deliveries so far of each, by position.
    """

    attempts: Mapping[int, int] = {}


class Discarded(msgspec.Struct, frozen=True):
    """Never deliver these events again."""

    positions: tuple[int, ...]


class Disabled(msgspec.Struct, frozen=True):
    """The configuration does not name the plugin any more."""


# From the machine to itself


class GivenUp(msgspec.Struct, frozen=True):
    """An event has failed too often, and the policy is to wait for a person."""


Fact: TypeAlias = (
    Enabled
    | Stopping
    | CaughtUp
    | FellBehind
    | RetryDue
    | Ready
    | Refused
    | Lost
    | Gone
    | Damaged
    | Nacked
    | ParkAsked
    | ReturnSettled
    | Ended
    | ParkRecorded
    | Unlisted
    | Paused
    | Sought
    | Retried
    | Discarded
    | Disabled
    | GivenUp
)


# Answers to the process


class Again(msgspec.Struct, frozen=True, tag=True):
    """Deliver an event that the process has in hand again, as this attempt, after the delay."""

    position: int
    attempt: int
    delay_s: float


class Settle(msgspec.Struct, frozen=True, tag=True):
    """Settle an event that the process has in hand, if there is one: it is parked or skipped."""

    position: int


Answer: TypeAlias = Again | Settle


# Actions of the node


class StartHost(msgspec.Struct, frozen=True):
    """Once the process before has ended, make the page of this epoch and start a process on it."""

    epoch: int


class CloseHost(msgspec.Struct, frozen=True):
    """Close the process's queue, if there is one: the next `get` raises `Closed`. Cancel the timer of `WakeIn`."""


class WakeIn(msgspec.Struct, frozen=True):
    """Report `RetryDue` after the delay."""

    delay_s: float


class Park(msgspec.Struct, frozen=True):
    """Record durably that an event is parked, and report `ParkRecorded`."""

    position: int
    trouble: Trouble


class Skip(msgspec.Struct, frozen=True):
    """Log that an event is skipped."""

    position: int
    trouble: Trouble


Action: TypeAlias = StartHost | CloseHost | WakeIn | Park | Skip | Answer
