"""What a lane does about what happens, case by case. Any order of facts: `tests/simulation/eventlog`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.eventlog.facts import (
    Action,
    Again,
    CaughtUp,
    CloseHost,
    Disabled,
    Discarded,
    Enabled,
    Ended,
    Fact,
    FellBehind,
    Gone,
    Lost,
    Park,
    ParkRecorded,
    Paused,
    Raised,
    Ready,
    Refused,
    Retried,
    RetryDue,
    Returned,
    Settle,
    Skip,
    Sought,
    StartHost,
    Stopping,
    WakeIn,
)
from bigchaindb.eventlog.lane import RUNNING, Lane, Progress, Stage, State, Trouble
from bigchaindb.eventlog.parking import STAGES
from bigchaindb.eventlog.retrying import Backoff, OnFailure, Policy
from bigchaindb.eventlog.transitions import TRANSITIONS
from tests.support.lane_facts import LIVE, crashed, down, ended, in_hand, told


def delays(actions: list[Action]) -> list[float]:
    return [action.delay_s for action in actions if isinstance(action, WakeIn | Again)]


# A life


def test_a_plugin_that_starts_and_takes_everything_is_live() -> None:
    lane, actions = told(Lane(), Enabled(), Ready(), CaughtUp())
    assert (lane.state, actions) == (State.LIVE, [StartHost(1)])
    assert told(lane, FellBehind())[0].state is State.CATCHING_UP


def test_p11_p12_every_process_has_an_epoch_of_its_own() -> None:
    _, actions = told(Lane(epoch=7), Enabled(), crashed(), RetryDue())
    assert [action.epoch for action in actions if isinstance(action, StartHost)] == [8, 9]


def test_a_refused_configuration_is_not_tried_again_before_the_next_start() -> None:
    lane, actions = told(Lane(), Enabled(), Refused("no"), crashed())
    assert (lane.state, lane.error, actions) == (State.FAILED, "no", [StartHost(1), CloseHost()])
    assert told(lane, Stopping())[0].state is State.FAILED
    assert told(lane, Enabled())[1] == [StartHost(2)]


def test_p8_a_lost_history_waits_for_a_person() -> None:
    lane, actions = told(Lane(), Enabled(), Ready(), Lost("gone"), crashed(), Stopping())
    assert (lane.state, lane.error) == (State.GAPPED, "gone")
    assert actions == [StartHost(1), CloseHost(), CloseHost()]
    with pytest.raises(KeyError):
        told(lane, Enabled())


def test_a_process_that_ends_at_the_stop_is_not_started_again() -> None:
    lane, actions = told(Lane(), Enabled(), Ready(), Stopping(), Ended(Returned(), Progress(4, 4)))
    assert (lane.state, lane.progress.cursor) == (State.STOPPED, 4)
    assert actions == [StartHost(1), CloseHost()]


def test_e6_a_cursor_never_stands_above_an_event_in_hand() -> None:
    with pytest.raises(AssertionError):
        Progress(5, 9, (4,))


# Ends, waits and blame


def test_failures_in_a_row_wait_longer_and_longer_up_to_a_minute() -> None:
    lane, waits = Lane(), []
    starts: list[Fact] = [Enabled(), *[RetryDue()] * 9]
    for fact in starts:
        lane, actions = told(lane, fact, crashed())
        waits += delays(actions)
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30]  # half of the bound, as the draw is 0.5


@given(failure_count=st.integers(1, 10**6), draw=st.floats(0, 1, exclude_max=True))
def test_a_delay_is_a_part_of_its_bound(failure_count: int, draw: float) -> None:
    assert 0 <= Backoff().delay_s(failure_count, draw) <= 60


def test_an_event_settled_in_between_starts_the_count_again() -> None:
    lane, _ = told(Lane(), Enabled(), crashed(), RetryDue(), crashed())
    assert lane.failure_count == 2
    lane, _ = told(lane, RetryDue(), Ready(), ended(Progress(1, 1)))
    assert lane.failure_count == 1


def test_a_parked_event_that_was_settled_is_progress_too() -> None:
    lane = Lane(State.LIVE, progress=Progress(5, 5, returning=(2,)), failure_count=3)
    assert told(lane, ended(Progress(5, 5)))[0].failure_count == 1


def test_run_that_returns_after_work_goes_on_at_once() -> None:
    lane, actions = told(Lane(), Enabled(), Ready(), Ended(Returned(), Progress(1, 1)))
    assert (lane.failure_count, actions[1:]) == (0, [WakeIn(0.0)])


def test_run_that_returns_without_work_counts_as_a_failure() -> None:
    lane, actions = told(Lane(), Enabled(), Ready(), Ended(Returned(), Progress()))
    assert (lane.failure_count, lane.error) == (1, "run returned without taking an event")
    assert actions[1:] == [WakeIn(0.5)]


def test_an_attempt_is_counted_for_what_the_process_took() -> None:
    """The second of two events in hand was not delivered again if the process died on the first."""
    lane, _ = told(LIVE, crashed(1, 3))
    assert (lane.attempt(1), lane.attempt(3)) == (2, 2)
    lane, _ = told(lane, RetryDue(), Ready(), ended(in_hand(1, 3, delivered={1})))
    assert (lane.attempt(1), lane.attempt(3)) == (3, 2)


def test_what_the_page_counts_and_nobody_reported_is_counted() -> None:
    """A process may be killed before its nacks are sent: their numbers would be given again."""
    lane, _ = told(LIVE, ended(Progress(0, 3, (1, 3), (), {3}, {1: 4, 3: 2})))
    assert (lane.attempt(1), lane.attempt(3), lane.progress.counts) == (5, 4, {})


def test_an_event_that_always_kills_its_process_is_found_and_parked_and_no_other() -> None:
    """With the blame on all in hand, one guilty event parked 99 innocent ones."""
    lane, actions = told(LIVE, crashed(1, 2, 3))
    assert (lane.one_at_a_time, [trouble.failures for trouble in lane.troubles.values()]) == (True, [0, 0, 0])
    for _ in range(3):
        lane, actions = told(lane, RetryDue(), Ready(), ended(in_hand(2, 3, delivered={2})))
    assert actions[-2:] == [Park(2, Trouble(4, 3, 1_000.0, "x")), WakeIn(0.0)]
    assert (lane.progress.in_hand, lane.stage(2), lane.failure_count) == ((2, 3), Stage.PARKING, 0)
    lane, _ = told(lane, ParkRecorded([2]))
    assert (lane.progress, lane.attempt(2)) == (Progress(2, 3, (3,)), 1)
    assert lane.one_at_a_time
    lane, _ = told(lane, RetryDue(), Ready(), Ended(Returned(), Progress(9, 9)))
    assert not lane.one_at_a_time


def test_an_event_has_at_least_its_time_to_be_mended() -> None:
    policy = Policy(attempts=2, duration_s=600)
    lane = LIVE
    for now in (0.0, 1.0, 599.0):
        lane, actions = told(lane, crashed(1), RetryDue(), Ready(), policy=policy, now=now)
        assert not [action for action in actions if isinstance(action, Park)]
    assert isinstance(told(lane, crashed(1), policy=policy, now=600.0)[1][0], Park)


def test_a_clock_that_is_set_back_holds_nothing_up() -> None:
    """A machine that started with a wrong date would else try the event until that date comes."""
    policy = Policy(attempts=2, duration_s=600)
    lane = LIVE
    for now in (1e9, 1_000.0, 1_599.0):
        lane, actions = told(lane, crashed(1), RetryDue(), Ready(), policy=policy, now=now)
        assert not [action for action in actions if isinstance(action, Park)]
    assert isinstance(told(lane, crashed(1), policy=policy, now=1_600.0)[1][0], Park)


def test_what_the_policy_does_in_the_end() -> None:
    policy = Policy(attempts=1, duration_s=0, on_failure=OnFailure.SKIP)
    lane, actions = told(LIVE, crashed(1), policy=policy)
    assert actions == [Skip(1, Trouble(1, 1, 1_000.0, "x")), Settle(1), WakeIn(0.0)]
    assert (lane.progress, lane.troubles) == (Progress(1, 1), {})
    policy = Policy(attempts=1, duration_s=0, on_failure=OnFailure.BLOCK)
    lane, actions = told(LIVE, crashed(1), policy=policy)
    assert (lane.state, lane.error, actions) == (State.BLOCKED, "position 1: x", [CloseHost()])
    assert lane.progress.in_hand == (1,)


def test_a_target_that_is_down_costs_no_event_an_attempt_however_long() -> None:
    lane, waits = LIVE, []
    for _ in range(12):
        lane, actions = told(lane, down(1), RetryDue(), Ready())
        waits += delays(actions)
    assert lane.troubles[1].failures == 0
    assert (waits[0], waits[-1]) == (0.5, 150)  # from a second to five minutes, half of it by the draw


@pytest.mark.parametrize("end", [ended(Progress(9, 9)), Ended(Returned(), Progress(9, 9))])
def test_what_was_settled_before_an_order_counts(end: Fact) -> None:
    """A target that worked for a day and fails after a restart of its plugin is tried again after a second."""
    again: list[Fact] = [down(1), RetryDue(), Ready()]
    failing, _ = told(LIVE, *again * 6)
    assert failing.failure_count == 6
    lane, actions = told(failing, Stopping(), end, Enabled(), Ready(), down(10))
    assert (lane.failure_count, delays(actions)[-1]) == (1, 0.5)


@pytest.mark.parametrize(("asked_s", "waits_s"), [(None, 0.5), (0.1, 0.5), (30.0, 30.0), (1e9, 300.0), (-5.0, 0.5)])
def test_a_target_is_not_asked_before_the_time_that_it_names(asked_s: float | None, waits_s: float) -> None:
    """But no target stops a lane for longer than the node waits by itself."""
    end = Ended(Raised("Unavailable: x", is_unavailable=True, retry_after_s=asked_s), in_hand(1))
    assert delays(told(LIVE, end)[1]) == [waits_s]


def test_a_process_that_the_node_ended_blames_no_event() -> None:
    lane, _ = told(LIVE, ended(in_hand(1), is_blameless=True))
    assert lane.troubles[1] == Trouble(1)
    lane, _ = told(LIVE, ended(in_hand(1, 2), is_blameless=True))
    assert not lane.one_at_a_time


def test_a_lane_whose_target_is_gone_waits_for_a_person_and_blames_no_event() -> None:
    """Whatever wants nothing any more must not be asked again at every start, and nothing may be lost meanwhile."""
    lane, actions = told(LIVE, Gone("Gone: 410"), crashed(3), Stopping())
    assert (lane.state, lane.error, lane.progress.in_hand) == (State.FAILED, "Gone: 410", (3,))
    assert actions == [CloseHost(), CloseHost()]
    lane, actions = told(lane, Enabled())
    assert (lane.troubles[3].failures, actions) == (0, [StartHost(2)])


# What is set aside


def test_every_cause_of_a_stage_and_every_stage_is_in_the_table() -> None:
    assert {stage for stage, _ in STAGES} | {*STAGES.values()} == {*Stage}


# Orders


@pytest.mark.parametrize("state", sorted(RUNNING | {State.BACKOFF}))
def test_a_paused_lane_delivers_nothing_and_goes_on_where_it_was(state: State) -> None:
    lane, actions = told(Lane(state, 1), Paused(), Stopping())
    assert (lane.state, actions[0]) == (State.PAUSED, CloseHost())
    lane, actions = told(lane, crashed(3), Enabled())
    assert (lane.state, lane.progress.in_hand, actions) == (State.STARTING, (3,), [StartHost(2)])


def test_a_sought_lane_forgets_what_it_had_in_hand() -> None:
    lane, _ = told(LIVE, crashed(3), Stopping(), Sought(7))
    assert lane == Lane(State.STOPPED, 2, Progress(7, 7))


def test_a_seek_keeps_the_count_of_what_stays_parked_and_was_delivered_since() -> None:
    returned = Lane(progress=Progress(5, 5, (), (2, 3, 6)), troubles={3: Trouble(7, 1, 9.0, "x"), 6: Trouble(4)})
    assert told(returned, Sought(4))[0].troubles == {3: Trouble(7)}


@pytest.mark.parametrize("state", [State.GAPPED, State.BLOCKED])
def test_a_lane_that_waits_for_a_place_stops_waiting_once_it_is_told_one(state: State) -> None:
    assert told(Lane(state, error="gap"), Sought(7))[0] == Lane(State.STOPPED, 1, Progress(7, 7))
    assert told(Lane(State.PAUSED), Sought(7))[0].state is State.PAUSED


def test_p3_parked_events_come_again_before_all_that_follows() -> None:
    lane, _ = told(Lane(progress=in_hand(6, 7, reached=9)), Retried({3: 5, 6: 2}))
    assert (lane.progress.unsettled, lane.progress.cursor) == ((3, 6, 7), 5)
    assert (lane.attempt(3), lane.troubles[3].failures) == (6, 0)
    assert told(lane, Retried({4: 1}))[0].progress.returning == (3, 4)


def test_an_event_that_is_retried_twice_goes_on_counting_its_deliveries() -> None:
    """What is written down of it is from when it was parked, and it was delivered since."""
    returned = Lane(progress=Progress(5, 5, (), (3,)), troubles={3: Trouble(7)})
    lane, _ = told(returned, Retried({3: 5}))
    assert lane.attempt(3) == 8


def test_a_blocked_lane_tries_again_with_as_many_attempts_as_ever() -> None:
    policy = Policy(attempts=1, duration_s=0, on_failure=OnFailure.BLOCK)
    lane, _ = told(LIVE, crashed(1), policy=policy)
    lane, _ = told(lane, Retried())
    assert (lane.state, lane.troubles, lane.error) == (State.STOPPED, {1: Trouble(1)}, "")


def test_a_blocked_lane_goes_on_without_an_event_that_is_discarded() -> None:
    policy = Policy(attempts=1, duration_s=0, on_failure=OnFailure.BLOCK)
    lane, _ = told(LIVE, crashed(1), policy=policy)
    lane, _ = told(lane, Discarded((1,)))
    assert (lane.state, lane.progress, lane.troubles) == (State.STOPPED, Progress(1, 1), {})


def test_a_disabled_lane_keeps_what_a_person_has_to_decide() -> None:
    assert told(Lane(State.PAUSED), Disabled())[0].state is State.DISABLED
    assert told(Lane(State.GAPPED), Disabled())[0].state is State.GAPPED
    assert told(Lane(State.BLOCKED), Disabled())[0].state is State.BLOCKED


def test_every_state_takes_the_end_of_the_node() -> None:
    assert {state for state in State if (state, Stopping) in TRANSITIONS} == set(State)
