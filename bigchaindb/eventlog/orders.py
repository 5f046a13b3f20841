"""A person's orders to a lane, and what each of them changes. Pure.

One rule for all: the running node, the stopped node and the simulation read what `apply` asks for, and carry out its
effects. Source: promises P2, P3, P12 and P13 in docs/reference/promises.md; decisions 0024 and 0055.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Final, Self, TypeAlias, assert_never

import msgspec

from bigchaindb.errors import RESTORE, OrderRefused
from bigchaindb.eventlog.facts import Discarded, Paused, Retried, Sought
from bigchaindb.eventlog.lane import Lane, Stage, State
from bigchaindb.eventlog.numbering import ROWS, Numbering
from bigchaindb.eventlog.place import POSITION_MAX
from bigchaindb.eventlog.transitions import TRANSITIONS

POSITION_COUNT_MAX: Final = 1_000
"""Events of one order: each that comes again takes a slot of the lane's page."""

PLUGIN: Final = "events plugin"
"""What most lanes are of, in words."""

Position: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=POSITION_MAX)]


class Pause(msgspec.Struct, frozen=True, tag=True):
    """Deliver nothing further, until `Resume`; the plugin may finish what it has in hand."""


class Resume(msgspec.Struct, frozen=True, tag=True):
    """Go on now: after a pause, or without waiting for the next attempt."""


class Restart(msgspec.Struct, frozen=True, tag=True):
    """Run the plugin in a fresh process, with the package as it is installed now."""


class Seek(msgspec.Struct, frozen=True, tag=True):
    """Go on at a place, as `bigchaindb.eventlog.place` reads it.

    The events in hand are forgotten, and those parked beyond the place come in their turn.
    """

    place: str


class Retry(msgspec.Struct, frozen=True, tag=True):
    """Deliver parked events again, before all that follows.

    Attributes:
        positions: None is the event that blocks the lane, else the first ones that are parked.
    """

    positions: tuple[Position, ...] | None = None


class Discard(msgspec.Struct, frozen=True, tag=True):
    """Never deliver these events again: parked ones, or the one that blocks the lane."""

    positions: tuple[Position, ...]


Order: TypeAlias = Pause | Resume | Restart | Seek | Retry | Discard


@dataclass(frozen=True, slots=True)
class Known:
    """What the files hold that an order depends on.

    Attributes:
        position: behind which the place of a `Seek` is.
        parked: deliveries so far of the parked events that are meant, by position.
        kind: what the lane is of, in words.
        numbering: of positions: a subscription's are numbers.
    """

    position: int = 0
    parked: Mapping[int, int] = field(default_factory=dict)
    kind: str = PLUGIN
    numbering: Numbering = ROWS


@dataclass(frozen=True, slots=True)
class Effects:
    """What an order changes; carried out in the order of the attributes.

    Attributes:
        ends_process: the plugin's process has to end first.
        fact: what the lane is told; None: nothing. Events that it retries are noted, durably, before.
        forgotten: positions that are no longer listed as parked.
        starts: a process starts afterwards. In any case one does where the lane is STOPPED then.
    """

    ends_process: bool = True
    fact: Paused | Sought | Retried | Discarded | None = None
    forgotten: Collection[int] = ()
    starts: bool = False

    @property
    def returning(self) -> Mapping[int, int]:
        """Parked events that come again, each with its deliveries so far."""
        return self.fact.attempts if isinstance(self.fact, Retried) else {}

    def among(self, parked: Mapping[int, int], lane: Lane) -> Self:
        """Return the effects on events that are still parked: the process may have settled some while it ended.

        Args:
            parked: deliveries so far of those that are still recorded as parked, by position.
            lane: without a process.
        """
        if not isinstance(self.fact, Retried):
            return self
        settled = lane.at(Stage.RETURNED)
        return replace(self, fact=Retried({p: count for p, count in parked.items() if p not in settled}))


def apply(name: str, order: Order, lane: Lane, known: Known) -> Effects:
    """Return what an order changes.

    Args:
        name: of the plugin, for errors.
        order: a person's.
        lane: as it is before its process ends.
        known: of the files.

    Raises:
        OrderRefused: the lane's state does not allow it, or an event that it names is not parked.
    """
    match order:
        case Pause():
            if (lane.state, Paused) not in TRANSITIONS:
                raise refusal(name, lane, "paused", "it delivers nothing already", kind=known.kind)
            return Effects(ends_process=False, fact=Paused())
        case Resume():
            if lane.state not in {State.PAUSED, State.BACKOFF}:
                way = way_on(name, lane.state, lane.error) or "it is not paused"
                raise refusal(name, lane, "resumed", way, kind=known.kind)
            return Effects(starts=True)
        case Restart():
            if lane.state is State.GAPPED:
                raise refusal(name, lane, "restarted", kind=known.kind)
            return Effects(starts=True)
        case Seek():
            return Effects(fact=Sought(known.position), starts=lane.state is not State.PAUSED)
        case Retry(positions):
            return Effects(fact=Retried(_retried(name, positions, lane, known)))
        case Discard(positions):
            return _discarded(name, positions, lane, known)
        case _:
            assert_never(order)


def refusal(name: str, lane: Lane, what: str, instead: str = "", *, kind: str = PLUGIN) -> OrderRefused:
    """Return the error for an order that the lane's state does not allow."""
    reason = "".join(f"; {text}" for text in (lane.error, instead) if text)
    return OrderRefused(f"{kind} {name!r} is {lane.state.value}: it cannot be {what}{reason}")


def not_enabled(name: str, enabled: Collection[str]) -> OrderRefused:
    """Return the error for an order to a lane that is not there."""
    return OrderRefused(
        f"no events plugin {name!r} is enabled, and no subscription has that name; there are: "
        f"{', '.join(enabled) or 'none'}"
    )


def still_enabled(name: str) -> OrderRefused:
    """Return the error for a plugin that is to be forgotten while it has a lane."""
    return OrderRefused(f"events plugin {name!r} is enabled; disable it first")


def way_on(name: str, state: State, error: str) -> str:
    """Return the commands that make a waiting lane go on; "" where it waits for nobody.

    Args:
        name: of the plugin.
        state: of the lane.
        error: why it is in the state.
    """
    match state:
        case State.PAUSED:
            return f"`bigchaindb plugins resume {name}` lets it go on"
        case State.BLOCKED:
            return (
                f"correct the cause and run `bigchaindb plugins retry {name} --all`, or pass the event over with "
                f"`bigchaindb plugins discard {name} POSITION`, or `bigchaindb plugins seek {name} WHERE`"
            )
        case State.GAPPED:
            return f"say where it goes on with `bigchaindb plugins seek {name} WHERE`"
        case State.FAILED if is_damage(error):
            return "`bigchaindb check` names the damage; stop the node, then `bigchaindb restore DIR`"
        case State.FAILED:
            return f"correct it and run `bigchaindb plugins restart {name}`"
    return ""


def is_damage(error: str) -> bool:
    """Whether a lane's error is damage that a backup alone mends: each start fails at the same event until then."""
    return error.endswith(RESTORE)


def _retried(name: str, positions: Collection[int] | None, lane: Lane, known: Known) -> Mapping[int, int]:
    if positions is not None:
        _require_parked(name, positions, known)
    elif lane.state is State.BLOCKED:
        return {}
    if not known.parked and lane.state is not State.BLOCKED:
        raise OrderRefused(f"{known.kind} {name!r}: no event is parked")
    return known.parked


def _discarded(name: str, positions: Collection[int], lane: Lane, known: Known) -> Effects:
    is_why = lane.state is State.BLOCKED and {*positions} <= {*lane.progress.unsettled}
    if not is_why:
        _require_parked(name, positions, known)
    # What blocks the lane may have been parked before, and be listed still.
    if is_why or {*positions} & {*lane.progress.returning}:
        return Effects(fact=Discarded(tuple(positions)), forgotten=positions)
    return Effects(ends_process=False, forgotten=positions)


def _require_parked(name: str, positions: Collection[int], known: Known) -> None:
    if len(positions) > POSITION_COUNT_MAX:
        raise OrderRefused(f"{len(positions)} positions at once, the most is {POSITION_COUNT_MAX}")
    if missing := [position for position in positions if position not in known.parked]:
        raise OrderRefused(f"{known.kind} {name!r}: position {known.numbering.text(missing[0])} is not parked")
