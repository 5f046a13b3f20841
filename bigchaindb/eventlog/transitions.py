"""One plugin's way through the log as a state machine: facts in, actions out.

No process, file or clock is known here; `bigchaindb.subscribers` reports the facts and carries out the actions.

Source: promises P2, P3, P6, P8, P11 and P12 in docs/reference/promises.md; decisions 0016 and 0024.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, assert_never

from bigchaindb.eventlog import facts
from bigchaindb.eventlog.facts import Action, Fact
from bigchaindb.eventlog.lane import Lane, Progress, Stage, State, Trouble, count_deliveries
from bigchaindb.eventlog.parking import after_end, moved, without_parking
from bigchaindb.eventlog.retrying import OnFailure, Policy
from bigchaindb.eventlog.spread import added

_IDLE: Final = (State.DISABLED, State.STOPPED, State.PAUSED, State.BLOCKED, State.GAPPED, State.FAILED)
"""States in which no process is wanted and no timer runs."""
_DELIVERING: Final = (State.CATCHING_UP, State.LIVE)
"""States in which a process may have events in hand that were delivered to it."""
_WANTED: Final = (State.STARTING, *_DELIVERING, State.BACKOFF)
"""States in which a process runs, or starts by itself after a delay."""
_ORDERED: Final = (State.DISABLED, State.STOPPED, State.PAUSED, State.FAILED)
"""States that a seek does not change."""

_ROWS: Final[Sequence[tuple[type[Fact], Sequence[State], State | None]]] = (
    # A person does not wait for a delay; configuration or package of a FAILED lane may have changed.
    (facts.Enabled, (State.STOPPED, State.PAUSED, State.BACKOFF, State.BLOCKED, State.FAILED), State.STARTING),
    (facts.Ready, (State.STARTING,), State.CATCHING_UP),
    (facts.Refused, (State.STARTING,), State.FAILED),
    (facts.Gone, _DELIVERING, State.FAILED),
    (facts.Damaged, _DELIVERING, State.FAILED),
    (facts.CaughtUp, (State.CATCHING_UP,), State.LIVE),
    (facts.FellBehind, (State.LIVE,), State.CATCHING_UP),
    (facts.Nacked, _DELIVERING, None),
    (facts.ParkAsked, _DELIVERING, None),
    (facts.RetryDue, (State.BACKOFF,), State.STARTING),
    (facts.GivenUp, (*_DELIVERING, State.BACKOFF), State.BLOCKED),  # an event has failed too often
    # The log is another: found before a process starts, or by the process (P8).
    (facts.Lost, (State.STOPPED, State.FAILED, *_DELIVERING), State.GAPPED),
    # The node ends, or an order follows: running lanes stop, and what waits for a person goes on waiting.
    (facts.Stopping, _WANTED, State.STOPPED),
    (facts.Stopping, _IDLE, None),
    (facts.Ended, (State.STARTING, *_DELIVERING), State.BACKOFF),
    (facts.Ended, _IDLE[1:], None),  # it was told to
    # A person's orders. A lane that waits for another person's word goes on waiting.
    (facts.Paused, (State.STOPPED, *_WANTED, State.PAUSED), State.PAUSED),
    (facts.Sought, _ORDERED, None),
    (facts.Sought, (State.BLOCKED, State.GAPPED), State.STOPPED),
    (facts.Retried, (*_ORDERED, State.GAPPED), None),
    (facts.Retried, (State.BLOCKED,), State.STOPPED),
    (facts.Discarded, (*_ORDERED, State.GAPPED), None),
    (facts.Discarded, (State.BLOCKED,), State.STOPPED),
    (facts.Disabled, _ORDERED, State.DISABLED),
    (facts.Disabled, (State.BLOCKED, State.GAPPED), None),
)
"""Facts, the states in which each can happen, and the state that follows; None: the same."""
TRANSITIONS: Final[Mapping[tuple[State, type[Fact]], State]] = {
    (state, fact): follows or state for fact, states, follows in _ROWS for state in states
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
    if isinstance(fact, facts.ParkRecorded | facts.ReturnSettled | facts.Unlisted):
        return _noted(lane, fact)
    lane = _entered(lane, TRANSITIONS[lane.state, type(fact)])
    actions: list[Action] = []
    match fact:
        case facts.Enabled() | facts.RetryDue():
            lane = replace(lane, epoch=lane.epoch + 1)
            actions = [facts.StartHost(lane.epoch)]  # P11, P12
        case facts.Stopping() | facts.Paused():
            lane = without_parking(lane) if isinstance(fact, facts.Stopping) else lane
            actions = [facts.CloseHost()]
        case facts.Lost(error) | facts.Refused(error) | facts.Gone(error) | facts.Damaged(error):
            lane = replace(lane, error=error)
            actions = [facts.CloseHost()]
        case facts.Nacked() | facts.ParkAsked():
            lane, actions = _answered(lane, fact, policy, draw, now)
        case facts.Ended():
            lane, actions = _ended(lane, fact, policy, draw, now)
        case facts.Sought() | facts.Retried() | facts.Discarded():
            lane = _ordered(lane, fact)
        case facts.Ready():
            lane = replace(lane, has_run=True)
        case facts.CaughtUp() | facts.FellBehind() | facts.Disabled() | facts.GivenUp():
            pass
        case _:
            assert_never(fact)
    return lane, actions


def _entered(lane: Lane, state: State) -> Lane:
    return lane if state is lane.state else replace(lane, state=state)  # most facts change events alone, and are many


def _noted(lane: Lane, fact: facts.ParkRecorded | facts.ReturnSettled | facts.Unlisted) -> tuple[Lane, list[Action]]:
    match fact:
        case facts.ParkRecorded(positions):
            lane, before = moved(lane, positions, facts.ParkRecorded), lane
            return lane, [facts.Settle(one) for one in positions if lane.stage(one) is not before.stage(one)]
        case facts.ReturnSettled(position):
            lane, before = moved(lane, [position], facts.ReturnSettled), lane
            return lane if lane is before else replace(lane, failure_count=0), []
        case facts.Unlisted(positions):
            return moved(lane, positions, facts.Unlisted), []
        case _:
            assert_never(fact)


def _answered(
    lane: Lane, fact: facts.Nacked | facts.ParkAsked, policy: Policy, draw: float, now: float
) -> tuple[Lane, list[Action]]:
    """Decide about an event that the running plugin has nacked or asked to park."""
    position = fact.position
    if position in lane.stages:  # it was asked for before
        return lane, []
    trouble = replace(lane.troubles.get(position, Trouble()), attempts=fact.attempt, error=fact.error)
    if isinstance(fact, facts.ParkAsked):
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
    lane = replace(lane, troubles=added(lane.troubles, position, trouble))
    return lane, [facts.Again(position, fact.attempt + 1, delay_s)]


def _ended(lane: Lane, fact: facts.Ended, policy: Policy, draw: float, now: float) -> tuple[Lane, list[Action]]:
    lane, settled = _progressed(lane, fact.progress)
    if settled:
        lane = replace(lane, failure_count=0)
    if lane.state is not State.BACKOFF:  # it was told to end
        return lane, []
    if isinstance(fact.last, facts.Raised):
        return _crashed(lane, fact.last, policy, draw, now, is_blameless=fact.is_blameless)
    if settled:  # a plugin that works in pieces
        return lane, [facts.WakeIn(0.0)]
    lane = replace(lane, failure_count=lane.failure_count + 1, error="run returned without taking an event")
    return lane, [facts.WakeIn(policy.backoff.delay_s(lane.failure_count, draw))]


def _crashed(
    lane: Lane, last: facts.Raised, policy: Policy, draw: float, now: float, *, is_blameless: bool
) -> tuple[Lane, list[Action]]:
    suspects = lane.progress.delivered
    lane = replace(lane, error=last.error, failure_count=lane.failure_count + 1)
    if last.is_unavailable:
        delay_s = policy.patience.delay_s(lane.failure_count, draw)
        asked_s = min(last.retry_after_s or 0.0, policy.patience.max_s)
        return lane, [facts.WakeIn(max(delay_s, asked_s))]
    if len(suspects) == 1 and not is_blameless:
        (position,) = suspects
        trouble = _blamed(lane.troubles[position], last.error, now)
        if policy.gives_up(trouble, now):
            lane, actions = _given_up(lane, position, trouble, policy)
            return lane, actions if lane.state is State.BLOCKED else [*actions, facts.WakeIn(0.0)]
        lane = replace(lane, troubles=added(lane.troubles, position, trouble))
    elif len(suspects) > 1 and not is_blameless:
        lane = replace(lane, one_at_a_time=True)
    return lane, [facts.WakeIn(policy.backoff.delay_s(lane.failure_count, draw))]


def _progressed(lane: Lane, progress: Progress) -> tuple[Lane, bool]:
    """Take over the progress of a process that ended; return whether it settled anything."""
    before = lane.progress
    lane, progress = after_end(lane, progress)
    settled = _settled_count(progress) > _settled_count(before) or len(progress.returning) < len(before.returning)
    troubles, progress = count_deliveries(lane.troubles, progress), replace(progress, counts={})
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
            return replace(moved(lane, [position], facts.Skip), failure_count=0), [
                facts.Skip(position, trouble),
                facts.Settle(position),
            ]
        case OnFailure.BLOCK:
            error = f"position {policy.numbering.text(position)}: {trouble.error}"
            lane = replace(lane, state=TRANSITIONS[lane.state, facts.GivenUp], error=error)
            return replace(lane, troubles=added(lane.troubles, position, trouble)), [facts.CloseHost()]
        case _:
            assert_never(policy.on_failure)


def _parked(lane: Lane, position: int, trouble: Trouble) -> tuple[Lane, list[Action]]:
    lane = replace(
        moved(lane, [position], facts.Park), troubles=added(lane.troubles, position, trouble), failure_count=0
    )
    return lane, [facts.Park(position, trouble)]


def _ordered(lane: Lane, fact: facts.Sought | facts.Retried | facts.Discarded) -> Lane:
    """Move the cursor, or change the events in hand, at a person's order; the page before no longer counts."""
    lane, progress = replace(lane, epoch=lane.epoch + 1, error=""), lane.progress
    returned = dict.fromkeys(lane.at(Stage.RETURNED), Stage.RETURNED)
    match fact:
        case facts.Sought(position):
            # What was parked beyond comes in its turn, and may be parked anew. The rest stays so, and is counted on.
            stages = {one: stage for one, stage in returned.items() if one <= position}
            troubles = {
                one: Trouble(lane.troubles[one].attempts)
                for one in progress.returning
                if one <= position and one in lane.troubles
            }
            return Lane(lane.state, lane.epoch, Progress(position, position), troubles=troubles, stages=stages)
        case facts.Discarded(positions):
            troubles = {one: trouble for one, trouble in lane.troubles.items() if one not in positions}
            return replace(lane, progress=progress.without(positions), troubles=troubles, stages=returned)
        case facts.Retried(attempts):
            returning = tuple(sorted({*progress.returning, *attempts}.difference(progress.in_hand)))
            # As many attempts as ever: a person has mended something.
            # Of one that has returned before, what is written down is older than what the lane knows.
            known = {position: trouble.attempts for position, trouble in lane.troubles.items()}
            counts = known | {position: max(count, known.get(position, 0)) for position, count in attempts.items()}
            troubles = {position: Trouble(count) for position, count in counts.items()}
            return replace(lane, progress=replace(progress, returning=returning), troubles=troubles, stages=returned)
        case _:
            assert_never(fact)
