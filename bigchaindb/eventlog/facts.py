"""Inputs of a lane (facts) and its outputs (actions, which the edge carries out). Pure.

An order of a person that needs the plugin's process to have ended comes as `Stopping`, the process's end, and then the
order: so each order has a row for the states without a process alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from bigchaindb.eventlog.lane import Progress, Trouble

# From the node


@dataclass(frozen=True, slots=True)
class Enabled:
    """The lane's plugin is to run: the node starts, or a person wants it to."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """The node is about to end, or an order follows that no process may outlive."""


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """The plugin has taken everything there was."""


@dataclass(frozen=True, slots=True)
class FellBehind:
    """The log holds events that the plugin has not taken."""


@dataclass(frozen=True, slots=True)
class RetryDue:
    """The delay of `WakeIn` is over."""


# From the plugin's process


@dataclass(frozen=True, slots=True)
class Ready:
    """The process has imported and configured the plugin."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The plugin cannot be imported, is no plugin, refused its configuration, or raised `Gone`."""

    error: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The log does not hold what the cursor knew (P8)."""

    error: str


@dataclass(frozen=True, slots=True)
class Nacked:
    """The plugin asks for an event again, later. Its process goes on.

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


@dataclass(frozen=True, slots=True)
class ParkAsked:
    """The plugin asks for an event to be set aside. Its process goes on."""

    position: int
    attempt: int
    error: str


@dataclass(frozen=True, slots=True)
class Crashed:
    """The process ended other than by a return from `run`.

    Attributes:
        progress: without what was set aside or passed over while it ran.
        is_unavailable: by `Unavailable`: the target is at fault, no event.
        is_blameless: it was ended by the node, for no fault of an event.
    """

    error: str
    progress: Progress
    is_unavailable: bool = False
    is_blameless: bool = False


@dataclass(frozen=True, slots=True)
class Returned:
    """`run` came back; the event that it took last counts as done.

    Attributes:
        progress: as in `Crashed`.
    """

    progress: Progress


# Orders


@dataclass(frozen=True, slots=True)
class Paused:
    """Deliver nothing further; the process may finish what it has in hand."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Go on behind `position`, wherever the lane was; what it had in hand is forgotten."""

    position: int


@dataclass(frozen=True, slots=True)
class Retried:
    """Deliver parked events again, with as many attempts as ever; or, if there are none, what blocks the lane.

    Attributes:
        attempts: deliveries so far of each, by position.
    """

    attempts: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Discarded:
    """Never deliver these events again."""

    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Disabled:
    """The configuration does not name the plugin any more."""


# From the machine to itself


@dataclass(frozen=True, slots=True)
class GivenUp:
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
    | Nacked
    | ParkAsked
    | Crashed
    | Returned
    | Paused
    | Sought
    | Retried
    | Discarded
    | Disabled
    | GivenUp
)


@dataclass(frozen=True, slots=True)
class StartHost:
    """Once the process before has ended, make the page of this epoch and start a process on it."""

    epoch: int


@dataclass(frozen=True, slots=True)
class CloseHost:
    """Close the process's queue, if there is one: the next `get` raises `Closed`. Cancel the timer of `WakeIn`."""


@dataclass(frozen=True, slots=True)
class WakeIn:
    """Report `RetryDue` after the delay."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Again:
    """Deliver an event that the process has in hand again, after the delay."""

    position: int
    attempt: int
    delay_s: float


@dataclass(frozen=True, slots=True)
class Park:
    """Record durably that an event is parked; only then have the process settle it, if there is one."""

    position: int
    trouble: Trouble


@dataclass(frozen=True, slots=True)
class Skip:
    """Log that an event is skipped, and have the process settle it, if there is one."""

    position: int
    trouble: Trouble


Action: TypeAlias = StartHost | CloseHost | WakeIn | Again | Park | Skip
