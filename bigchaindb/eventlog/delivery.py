"""One plugin's way through the log as a state machine: what the supervisor is told, and what it must do about it.

No process, file or clock is known here; `bigchaindb.subscribers.supervisor` tells the facts and does the actions.
Retry policies, parking, pausing and seeking are further facts and rows of the table.

Source: promises P3, P6, P8, P11 and P12 in docs/reference/promises.md; decision 0016.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, TypeAlias, assert_never

FIRST_ATTEMPT: Final = 1


class State(StrEnum):
    """Where a lane is; the value is what `plugins list` prints."""

    STOPPED = "STOPPED"
    """The node is not running, or about to end."""
    STARTING = "STARTING"
    """A process was started and has not said that it is ready."""
    CATCHING_UP = "CATCHING_UP"
    """The plugin runs and is behind the head."""
    LIVE = "LIVE"
    """The plugin runs and has taken everything there is."""
    BACKOFF = "BACKOFF"
    """The plugin's process ended; the next one starts after a delay."""
    GAPPED = "GAPPED"
    """The log is not the one that the cursor knew; a person has to say where to go on (P8)."""
    FAILED = "FAILED"
    """The plugin could not be imported or refused its configuration; not tried again by itself."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a plugin is.

    Attributes:
        acked: the cursor: up to here every event is settled.
        handed: the highest position that was given out or passed over.
        in_hand: positions given out and not settled, ascending. Between `acked` and `handed` the others are settled.
    """

    acked: int = 0
    handed: int = 0
    in_hand: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        assert self.acked == (self.in_hand[0] - 1 if self.in_hand else self.handed), self  # E6


@dataclass(frozen=True, slots=True)
class Lane:
    """All that is known of a lane between two facts.

    Attributes:
        epoch: number of its owner; each start of a process is another (P12).
        attempts: which delivery the next one is, for each event in hand.
        failure_count: ends in a row without an event settled between them.
        error: why it is in the state; "" where there is nothing to say.
    """

    state: State = State.STOPPED
    epoch: int = 0
    progress: Progress = field(default_factory=Progress)
    attempts: Mapping[int, int] = field(default_factory=dict)
    failure_count: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Enabled:
    """The node starts and the lane's plugin is configured."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The process has imported and configured the plugin."""


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """The plugin has taken everything there was."""


@dataclass(frozen=True, slots=True)
class FellBehind:
    """The log holds events that the plugin has not taken."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The plugin cannot be imported, is no plugin, or refused its configuration."""

    error: str


@dataclass(frozen=True, slots=True)
class Crashed:
    """The process ended other than by a return from `run`."""

    error: str
    progress: Progress


@dataclass(frozen=True, slots=True)
class Returned:
    """`run` came back; the event that it took last counts as done."""

    progress: Progress


@dataclass(frozen=True, slots=True)
class RetryDue:
    """The delay of `WakeIn` is over."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The log does not hold what the cursor knew (P8)."""

    error: str


@dataclass(frozen=True, slots=True)
class Stopping:
    """The node is about to end."""


Fact: TypeAlias = Enabled | Ready | CaughtUp | FellBehind | Refused | Crashed | Returned | RetryDue | Lost | Stopping


@dataclass(frozen=True, slots=True)
class StartHost:
    """Make the page of this epoch and start a process on it."""

    epoch: int


@dataclass(frozen=True, slots=True)
class CloseHost:
    """Let the process end: the next `get` raises `Closed`; kill it after the grace."""


@dataclass(frozen=True, slots=True)
class WakeIn:
    """Tell `RetryDue` after the delay."""

    delay_s: float


Action: TypeAlias = StartHost | CloseHost | WakeIn

TRANSITIONS: Final[Mapping[tuple[State, type[Fact]], State]] = {
    (State.STOPPED, Enabled): State.STARTING,
    (State.STOPPED, Lost): State.GAPPED,
    (State.STOPPED, Refused): State.FAILED,
    (State.FAILED, Enabled): State.STARTING,  # another start of the node: configuration or package may have changed
    (State.FAILED, Lost): State.GAPPED,
    (State.STARTING, Ready): State.CATCHING_UP,
    (State.STARTING, Refused): State.FAILED,
    (State.STARTING, Crashed): State.BACKOFF,
    (State.CATCHING_UP, CaughtUp): State.LIVE,
    (State.CATCHING_UP, Crashed): State.BACKOFF,
    (State.CATCHING_UP, Returned): State.BACKOFF,
    (State.CATCHING_UP, Lost): State.GAPPED,
    (State.LIVE, FellBehind): State.CATCHING_UP,
    (State.LIVE, Crashed): State.BACKOFF,
    (State.LIVE, Returned): State.BACKOFF,
    (State.LIVE, Lost): State.GAPPED,
    (State.BACKOFF, RetryDue): State.STARTING,
    # The node ends: running lanes stop, and what waits for a person goes on waiting.
    (State.STARTING, Stopping): State.STOPPED,
    (State.CATCHING_UP, Stopping): State.STOPPED,
    (State.LIVE, Stopping): State.STOPPED,
    (State.BACKOFF, Stopping): State.STOPPED,
    (State.STOPPED, Stopping): State.STOPPED,
    (State.GAPPED, Stopping): State.GAPPED,
    (State.FAILED, Stopping): State.FAILED,
    # A process that was told to end ends.
    (State.STOPPED, Crashed): State.STOPPED,
    (State.STOPPED, Returned): State.STOPPED,
    (State.GAPPED, Crashed): State.GAPPED,
    (State.GAPPED, Returned): State.GAPPED,
    (State.FAILED, Crashed): State.FAILED,
    (State.FAILED, Returned): State.FAILED,
}
"""The whole machine. A fact that has no row for a state cannot happen in it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """How long a lane waits before its next process, with full jitter: a random part of a bound that doubles.

    Attributes:
        base_s: the bound after the first failure: long enough for a target to come back from a restart.
        max_s: the largest bound: what an operator waits at most once the cause is gone.
    """

    base_s: float = 1.0
    max_s: float = 60.0

    def delay_s(self, failure_count: int, draw: float) -> float:
        """Give the delay after so many failures in a row, from 1; `draw` is uniform in [0, 1)."""
        exponent = min(failure_count - 1, 32)  # 2.0 ** 1024 would overflow, in a lane that fails for days
        return draw * min(self.max_s, self.base_s * 2.0**exponent)


def step(lane: Lane, fact: Fact, backoff: Backoff, draw: float) -> tuple[Lane, list[Action]]:
    """Take one fact and say what must be done about it.

    Args:
        lane: what was known before.
        fact: what happened; one that the table does not have for the lane's state is a programming error.
        backoff: how long to wait after a failure.
        draw: uniform in [0, 1): the jitter of that wait.
    """
    lane = replace(lane, state=TRANSITIONS[lane.state, type(fact)])
    match fact:
        case Enabled() | RetryDue():
            return replace(lane, epoch=lane.epoch + 1), [StartHost(lane.epoch + 1)]  # P11, P12
        case Ready() | CaughtUp() | FellBehind():
            return lane, []
        case Refused(error):
            return replace(lane, error=error), []
        case Lost(error):
            return replace(lane, error=error), [CloseHost()]
        case Stopping():
            return lane, [CloseHost()]
        case Crashed() | Returned():
            return _ended(lane, fact, backoff, draw)
        case _:
            assert_never(fact)


def _ended(lane: Lane, fact: Crashed | Returned, backoff: Backoff, draw: float) -> tuple[Lane, list[Action]]:
    progress, before = fact.progress, lane.progress
    settled = progress.handed - len(progress.in_hand) > before.handed - len(before.in_hand)
    attempts = {p: lane.attempts.get(p, FIRST_ATTEMPT) + 1 for p in progress.in_hand}
    lane = replace(lane, progress=progress, attempts=attempts)
    if lane.state is not State.BACKOFF:
        return lane, []
    if isinstance(fact, Returned) and settled:  # a plugin that works in pieces
        return replace(lane, failure_count=0), [WakeIn(0.0)]
    error = fact.error if isinstance(fact, Crashed) else "run returned without taking an event"
    lane = replace(lane, failure_count=1 if settled else lane.failure_count + 1, error=error)
    return lane, [WakeIn(backoff.delay_s(lane.failure_count, draw))]
