"""How long a lane waits before it tries again, and when it gives an event up. Pure.

Source: event-plugin-api.md, section 4; decision 0016.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from typing import Final

from bigchaindb.eventlog.lane import Trouble
from bigchaindb.eventlog.numbering import ROWS, Numbering

UNDECIDED: Final = inf
"""When an event is due that was nacked, or is to be parked: not before its lane has decided about it."""

_DOUBLINGS_MAX: Final = 32
"""2.0 ** 1024 would overflow, in a lane that fails for days."""


class OnFailure(StrEnum):
    """What becomes of an event that failed too often."""

    PARK = "park"
    """It is set aside with its error for a person; the lane goes on."""
    BLOCK = "block"
    """The lane waits for a person."""
    SKIP = "skip"
    """It is passed over; the lane goes on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """How long to wait, with full jitter: a random part of a bound that doubles.

    Attributes:
        base_s: the bound after the first failure: long enough for a target to come back from a restart.
        max_s: the largest bound: what an operator waits at most once the cause is gone.
    """

    base_s: float = 1.0
    max_s: float = 60.0

    def delay_s(self, failure_count: int, draw: float) -> float:
        """Return the delay after `failure_count` failures in a row, from 1; `draw` is uniform in [0, 1)."""
        return draw * min(self.max_s, self.base_s * 2.0 ** min(failure_count - 1, _DOUBLINGS_MAX))


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """When to try again, and what to do in the end.

    Attributes:
        backoff: after failures.
        patience: after `Unavailable`, which blames the target instead of the event.
        attempts: failures of one event after which it is given up, once `duration_s` is over as well.
        duration_s: since its first failure.
        on_failure: what giving up means.
        numbering: of the lane's events, for errors.
    """

    backoff: Backoff = field(default_factory=Backoff)
    patience: Backoff = field(default_factory=lambda: Backoff(max_s=300.0))
    attempts: int = 5
    duration_s: float = 600.0
    on_failure: OnFailure = OnFailure.PARK
    numbering: Numbering = ROWS

    def gives_up(self, trouble: Trouble, now: float) -> bool:
        """Whether an event has failed often and long enough to be given up; `now` is Unix seconds."""
        return trouble.failures >= self.attempts and now - trouble.since >= self.duration_s
