"""What is known of one plugin's way through the log, as values. Pure.

Source: promises P2, P3, P6 and P12 in docs/reference/promises.md.
"""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self


class State(StrEnum):
    """Where a lane is; the value is what `plugins list` prints."""

    DISABLED = "DISABLED"
    """The configuration does not name the plugin any more; its cursor is kept."""
    STOPPED = "STOPPED"
    """The node is not running, or the lane is between two processes at somebody's order."""
    STARTING = "STARTING"
    """A process was started and has not said that it is ready."""
    CATCHING_UP = "CATCHING_UP"
    """The plugin runs and is behind the head."""
    LIVE = "LIVE"
    """The plugin runs and has taken everything there is."""
    PAUSED = "PAUSED"
    """A person wants no further event to be delivered until `resume`."""
    BACKOFF = "BACKOFF"
    """The plugin's process ended; the next one starts after a delay."""
    BLOCKED = "BLOCKED"
    """An event failed too often and `on_failure` is `block`; a person has to retry, discard or seek."""
    GAPPED = "GAPPED"
    """The log is not the one that the cursor knew; a person has to say where to go on (P8)."""
    FAILED = "FAILED"
    """The plugin could not be imported, refused its configuration, or its target is gone; not tried again by itself."""


RUNNING = frozenset({State.STARTING, State.CATCHING_UP, State.LIVE})
"""States in which a process is wanted."""
WAITING = frozenset({State.PAUSED, State.BLOCKED, State.GAPPED, State.FAILED})
"""States that outlast a stop of the node: somebody has to do something."""


class Stage(StrEnum):
    """Where an event is that was delivered and may not be settled; see `bigchaindb.eventlog.parking`."""

    IN_HAND = "IN_HAND"
    """Delivered, or about to be, and not settled."""
    RETURNING = "RETURNING"
    """In hand again, at a person's order: it was parked. The cursor has nothing to do with it."""
    PARKING = "PARKING"
    """To be parked: in hand until that is recorded durably, so the cursor does not pass it."""
    SETTLING = "SETTLING"
    """Parked or skipped; the process that has it in hand is told to settle it."""
    RETURNED = "RETURNED"
    """It had returned and is settled, though it is still recorded as parked."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a plugin is.

    Attributes:
        cursor: up to here every event is settled.
        reached: the highest position that was delivered or passed over.
        in_hand: positions delivered and not settled, ascending. Between `cursor` and `reached` the others are settled.
        returning: positions that were parked, come again by hand, and are not settled; ascending. The cursor does not
            know them.
        delivered: those of both that were delivered to the last process: whose fault its end may be.
        counts: deliveries of those of both before that, where a page says more of them than the lane knows.
    """

    cursor: int = 0
    reached: int = 0
    in_hand: tuple[int, ...] = ()
    returning: tuple[int, ...] = ()
    delivered: AbstractSet[int] = frozenset()
    counts: Mapping[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.cursor == (self.in_hand[0] - 1 if self.in_hand else self.reached), self  # E6

    @property
    def unsettled(self) -> tuple[int, ...]:
        """What the next process gets first, ascending."""
        return tuple(sorted({*self.in_hand, *self.returning}))

    def without(self, positions: Collection[int]) -> Self:
        """Return the progress with these positions settled."""
        in_hand = tuple(position for position in self.in_hand if position not in positions)
        return replace(
            self,
            cursor=in_hand[0] - 1 if in_hand else self.reached,
            in_hand=in_hand,
            returning=tuple(position for position in self.returning if position not in positions),
            delivered=self.delivered - {*positions},
        )


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong with one event so far.

    Attributes:
        attempts: deliveries so far.
        failures: those of them that failed and could be blamed on this event alone, since somebody last asked for it.
        since: of the first of these failures, Unix seconds; 0 if there is none.
        error: the last one's; "" if there is none.
    """

    attempts: int = 0
    failures: int = 0
    since: float = 0.0
    error: str = ""


def count_deliveries(troubles: Mapping[int, Trouble], progress: Progress) -> dict[int, Trouble]:
    """Return what is known of the unsettled events, with the deliveries that a page knows: no number comes twice."""
    counted: dict[int, Trouble] = {}
    for position in progress.unsettled:
        trouble = troubles.get(position, Trouble())
        attempts = max(trouble.attempts, progress.counts.get(position, 0)) + (position in progress.delivered)
        if attempts:
            counted[position] = replace(trouble, attempts=attempts)
    return counted


@dataclass(frozen=True, slots=True)
class Lane:
    """All that is known of a lane between two facts.

    Attributes:
        epoch: number of its owner; each start of a process is another (P12).
        progress: as of the last process's end; while one runs, its page says more.
        troubles: of events that are not settled and were delivered before, by position.
        stages: of events that the progress does not tell from others: neither `IN_HAND` nor `RETURNING`.
        one_at_a_time: several events were in hand when a process failed: until these are settled the next takes one
            event after the other, so that the guilty one is found.
        failure_count: ends in a row without an event settled between them.
        error: why it is in the state; "" if there is no reason.
        has_run: the plugin was imported and configured at least once, at this start of the node or before.
    """

    state: State = State.STOPPED
    epoch: int = 0
    progress: Progress = field(default_factory=Progress)
    troubles: Mapping[int, Trouble] = field(default_factory=dict)
    stages: Mapping[int, Stage] = field(default_factory=dict)
    one_at_a_time: bool = False
    failure_count: int = 0
    error: str = ""
    has_run: bool = False

    def attempt(self, position: int) -> int:
        """Return the number of an event's next delivery, from 1."""
        return self.troubles.get(position, Trouble()).attempts + 1

    def stage(self, position: int) -> Stage:
        """Return where an event is that was delivered and may not be settled."""
        known = Stage.RETURNING if position in self.progress.returning else Stage.IN_HAND
        return self.stages.get(position, known)

    def at(self, stage: Stage) -> AbstractSet[int]:
        """Return the positions of a stage; not of `IN_HAND` or `RETURNING`, which the progress has."""
        return {position for position, one in self.stages.items() if one is stage}

    def forget_settled(self, in_hand: Collection[int]) -> Self:
        """Return the lane without what it knows of events that its process has settled."""
        settled = (self.troubles.keys() | self.at(Stage.SETTLING)).difference(in_hand)
        if not settled:
            return self
        return replace(
            self,
            troubles={p: trouble for p, trouble in self.troubles.items() if p not in settled},
            stages={p: one for p, one in self.stages.items() if p not in settled or one is not Stage.SETTLING},
        )
