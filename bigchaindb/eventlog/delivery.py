"""One plugin's way through the log as a state machine: facts in, actions out.

No process, file or clock is known here; `bigchaindb.subscribers` reports the facts and carries out the actions.

Source: promises P2, P3, P6, P8, P11 and P12 in docs/reference/promises.md; decisions 0016 and 0024.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Final, assert_never

from bigchaindb.eventlog.facts import (
    Action,
    Again,
    CaughtUp,
    CloseHost,
    Damaged,
    Disabled,
    Discarded,
    Enabled,
    Ended,
    Fact,
    FellBehind,
    GivenUp,
    Gone,
    Lost,
    Nacked,
    Park,
    ParkAsked,
    ParkRecorded,
    Paused,
    Raised,
    Ready,
    Refused,
    Retried,
    RetryDue,
    ReturnSettled,
    Settle,
    Skip,
    Sought,
    StartHost,
    Stopping,
    Unlisted,
    WakeIn,
)
from bigchaindb.eventlog.lane import Lane, Progress, Stage, State, Trouble
from bigchaindb.eventlog.parking import after_end, moved, without_parking
from bigchaindb.eventlog.retrying import OnFailure, Policy

_IDLE: Final = (State.DISABLED, State.STOPPED, State.PAUSED, State.BLOCKED, State.GAPPED, State.FAILED)
"""States in which no process is wanted and no timer runs."""
_DELIVERING: Final = (State.CATCHING_UP, State.LIVE)
"""States in which a process may have events in hand that it was given."""

TRANSITIONS: Final[Mapping[tuple[State, type[Fact]], State]] = {
    (State.STOPPED, Enabled): State.STARTING,
    (State.PAUSED, Enabled): State.STARTING,
    (State.BACKOFF, Enabled): State.STARTING,  # a person will not wait
    (State.BLOCKED, Enabled): State.STARTING,
    (State.FAILED, Enabled): State.STARTING,  # configuration or package may have changed
    (State.STARTING, Ready): State.CATCHING_UP,
    (State.STARTING, Refused): State.FAILED,
    **{(state, fact): State.FAILED for state in _DELIVERING for fact in (Gone, Damaged)},
    (State.STARTING, Ended): State.BACKOFF,
    (State.CATCHING_UP, CaughtUp): State.LIVE,
    (State.LIVE, FellBehind): State.CATCHING_UP,
    **{(state, fact): state for state in _DELIVERING for fact in (Nacked, ParkAsked)},
    (State.CATCHING_UP, Ended): State.BACKOFF,
    (State.LIVE, Ended): State.BACKOFF,
    (State.BACKOFF, RetryDue): State.STARTING,
    # An event has failed too often.
    (State.CATCHING_UP, GivenUp): State.BLOCKED,
    (State.LIVE, GivenUp): State.BLOCKED,
    (State.BACKOFF, GivenUp): State.BLOCKED,
    # The log is another: found before a process starts, or by the process (P8).
    (State.STOPPED, Lost): State.GAPPED,
    (State.FAILED, Lost): State.GAPPED,
    (State.CATCHING_UP, Lost): State.GAPPED,
    (State.LIVE, Lost): State.GAPPED,
    # The node ends, or an order follows: running lanes stop, and what waits for a person goes on waiting.
    (State.STARTING, Stopping): State.STOPPED,
    (State.CATCHING_UP, Stopping): State.STOPPED,
    (State.LIVE, Stopping): State.STOPPED,
    (State.BACKOFF, Stopping): State.STOPPED,
    **{(state, Stopping): state for state in _IDLE},
    # A process that was told to end ends.
    **{(state, Ended): state for state in _IDLE[1:]},
    # A person's orders. A lane that waits for another person's word goes on waiting.
    (State.STOPPED, Paused): State.PAUSED,
    (State.STARTING, Paused): State.PAUSED,
    (State.CATCHING_UP, Paused): State.PAUSED,
    (State.LIVE, Paused): State.PAUSED,
    (State.BACKOFF, Paused): State.PAUSED,
    (State.PAUSED, Paused): State.PAUSED,
    **{(state, Sought): state for state in (State.DISABLED, State.STOPPED, State.PAUSED, State.FAILED)},
    (State.BLOCKED, Sought): State.STOPPED,
    (State.GAPPED, Sought): State.STOPPED,
    **{(state, order): state for state, order in product(_IDLE, (Retried, Discarded)) if state is not State.BLOCKED},
    (State.BLOCKED, Retried): State.STOPPED,
    (State.BLOCKED, Discarded): State.STOPPED,
    (State.STOPPED, Disabled): State.DISABLED,
    (State.PAUSED, Disabled): State.DISABLED,
    (State.FAILED, Disabled): State.DISABLED,
    (State.DISABLED, Disabled): State.DISABLED,
    (State.BLOCKED, Disabled): State.BLOCKED,
    (State.GAPPED, Disabled): State.GAPPED,
}
"""The states of a lane. A fact that has no row for a state cannot happen in it; those about events are in `parking`."""


def step(lane: Lane, fact: Fact, policy: Policy, draw: float, now: float) -> tuple[Lane, list[Action]]:
    """Return the next lane and the actions that the edge must carry out, in order.

    Args:
        lane: what was known before.
        fact: what happened; one that the table does not have for the lane's state is a programming error.
        policy: when to try again, and when to give up.
        draw: uniform in [0, 1): the jitter of a wait.
        now: Unix seconds.
    """
    if isinstance(fact, ParkRecorded | ReturnSettled | Unlisted):
        return _noted(lane, fact)
    lane = replace(lane, state=TRANSITIONS[lane.state, type(fact)])
    actions: list[Action] = []
    match fact:
        case Enabled() | RetryDue():
            lane = replace(lane, epoch=lane.epoch + 1)
            actions = [StartHost(lane.epoch)]  # P11, P12
        case Stopping() | Paused():
            lane = without_parking(lane) if isinstance(fact, Stopping) else lane
            actions = [CloseHost()]
        case Lost(error) | Refused(error) | Gone(error) | Damaged(error):
            lane = replace(lane, error=error)
            actions = [CloseHost()]
        case Nacked() | ParkAsked():
            lane, actions = _answered(lane, fact, policy, draw, now)
        case Ended():
            lane, actions = _ended(lane, fact, policy, draw, now)
        case Sought() | Retried() | Discarded():
            lane = _ordered(lane, fact)
        case Ready():
            lane = replace(lane, has_run=True)
        case CaughtUp() | FellBehind() | Disabled() | GivenUp():
            pass
        case _:
            assert_never(fact)
    return lane, actions


def _noted(lane: Lane, fact: ParkRecorded | ReturnSettled | Unlisted) -> tuple[Lane, list[Action]]:
    match fact:
        case ParkRecorded(position):
            lane, before = moved(lane, position, ParkRecorded), lane
            return lane, [] if lane is before else [Settle(position)]
        case ReturnSettled(position):
            lane, before = moved(lane, position, ReturnSettled), lane
            return lane if lane is before else replace(lane, failure_count=0), []
        case Unlisted(positions):
            for position in positions:
                lane = moved(lane, position, Unlisted)
            return lane, []
        case _:
            assert_never(fact)


def _answered(
    lane: Lane, fact: Nacked | ParkAsked, policy: Policy, draw: float, now: float
) -> tuple[Lane, list[Action]]:
    """Decide about an event that the running plugin has nacked or asked to park."""
    position = fact.position
    if position in lane.stages:  # it was asked for before
        return lane, []
    trouble = replace(lane.troubles.get(position, Trouble()), attempts=fact.attempt, error=fact.error)
    if isinstance(fact, ParkAsked):
        return _parked(lane, position, trouble)
    if fact.is_unavailable:
        delay_s = policy.patience.delay_s(fact.attempt, draw)
    else:
        trouble = _blamed(trouble, fact.error, now)
        if policy.gives_up(trouble, now):
            return _given_up(lane, position, trouble, policy)
        delay_s = policy.backoff.delay_s(trouble.failures, draw)
    if fact.delay_s is not None:
        delay_s = fact.delay_s
    lane = replace(lane, troubles={**lane.troubles, position: trouble})
    return lane, [Again(position, fact.attempt + 1, delay_s)]


def _ended(lane: Lane, fact: Ended, policy: Policy, draw: float, now: float) -> tuple[Lane, list[Action]]:
    lane, settled = _progressed(lane, fact.progress)
    if settled:
        lane = replace(lane, failure_count=0)
    if lane.state is not State.BACKOFF:  # it was told to end
        return lane, []
    if isinstance(fact.last, Raised):
        return _crashed(lane, fact.last, policy, draw, now, is_blameless=fact.is_blameless)
    if settled:  # a plugin that works in pieces
        return lane, [WakeIn(0.0)]
    lane = replace(lane, failure_count=lane.failure_count + 1, error="run returned without taking an event")
    return lane, [WakeIn(policy.backoff.delay_s(lane.failure_count, draw))]


def _crashed(
    lane: Lane, last: Raised, policy: Policy, draw: float, now: float, *, is_blameless: bool
) -> tuple[Lane, list[Action]]:
    suspects = lane.progress.delivered
    lane = replace(lane, error=last.error, failure_count=lane.failure_count + 1)
    if last.is_unavailable:
        return lane, [WakeIn(policy.patience.delay_s(lane.failure_count, draw))]
    if len(suspects) == 1 and not is_blameless:
        (position,) = suspects
        trouble = _blamed(lane.troubles[position], last.error, now)
        if policy.gives_up(trouble, now):
            lane, actions = _given_up(lane, position, trouble, policy)
            return lane, actions if lane.state is State.BLOCKED else [*actions, WakeIn(0.0)]
        lane = replace(lane, troubles={**lane.troubles, position: trouble})
    elif len(suspects) > 1 and not is_blameless:
        lane = replace(lane, one_at_a_time=True)
    return lane, [WakeIn(policy.backoff.delay_s(lane.failure_count, draw))]


def _progressed(lane: Lane, progress: Progress) -> tuple[Lane, bool]:
    """Take over the progress of a process that ended; return whether it settled anything."""
    before = lane.progress
    lane, progress = after_end(lane, progress)
    settled = _settled_count(progress) > _settled_count(before) or len(progress.returning) < len(before.returning)
    troubles = {position: lane.troubles[position] for position in progress.unsettled if position in lane.troubles}
    for position in progress.delivered:  # what was nacked and not delivered since is not among these
        trouble = troubles.get(position, Trouble())
        troubles[position] = replace(trouble, attempts=trouble.attempts + 1)
    # One at a time until nothing of what was in hand at the failure is left.
    one_at_a_time = lane.one_at_a_time and bool(progress.unsettled)
    return replace(lane, progress=progress, troubles=troubles, one_at_a_time=one_at_a_time), settled


def _settled_count(progress: Progress) -> int:
    return progress.reached - len(progress.in_hand)


def _blamed(trouble: Trouble, error: str, now: float) -> Trouble:
    since = min(trouble.since, now) if trouble.failures else now  # the clock may have been set back
    return replace(trouble, failures=trouble.failures + 1, since=since, error=error)


def _given_up(lane: Lane, position: int, trouble: Trouble, policy: Policy) -> tuple[Lane, list[Action]]:
    match policy.on_failure:
        case OnFailure.PARK:
            return _parked(lane, position, trouble)
        case OnFailure.SKIP:
            return replace(moved(lane, position, Skip), failure_count=0), [Skip(position, trouble), Settle(position)]
        case OnFailure.BLOCK:
            lane = replace(lane, state=TRANSITIONS[lane.state, GivenUp], error=f"position {position}: {trouble.error}")
            return replace(lane, troubles={**lane.troubles, position: trouble}), [CloseHost()]
        case _:
            assert_never(policy.on_failure)


def _parked(lane: Lane, position: int, trouble: Trouble) -> tuple[Lane, list[Action]]:
    lane = replace(moved(lane, position, Park), troubles={**lane.troubles, position: trouble}, failure_count=0)
    return lane, [Park(position, trouble)]


def _ordered(lane: Lane, fact: Sought | Retried | Discarded) -> Lane:
    """Move the cursor, or change the events in hand, at a person's order; the page before no longer counts."""
    lane, progress = replace(lane, epoch=lane.epoch + 1, error=""), lane.progress
    returned = dict.fromkeys(lane.at(Stage.RETURNED), Stage.RETURNED)
    match fact:
        case Sought(position):
            # What was parked beyond comes in its turn, and may be parked anew.
            stages = {one: stage for one, stage in returned.items() if one <= position}
            return Lane(lane.state, lane.epoch, Progress(position, position), stages=stages)
        case Discarded(positions):
            troubles = {one: trouble for one, trouble in lane.troubles.items() if one not in positions}
            return replace(lane, progress=progress.without(positions), troubles=troubles, stages=returned)
        case Retried(attempts):
            returning = tuple(sorted({*progress.returning, *attempts}.difference(progress.in_hand)))
            # As many attempts as ever: a person has mended something.
            delivered = {position: trouble.attempts for position, trouble in lane.troubles.items()} | dict(attempts)
            troubles = {position: Trouble(count) for position, count in delivered.items()}
            return replace(lane, progress=replace(progress, returning=returning), troubles=troubles, stages=returned)
        case _:
            assert_never(fact)
