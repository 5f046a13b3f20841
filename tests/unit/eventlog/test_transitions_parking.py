"""What a lane does about events that are nacked, parked or set aside, case by case."""

from typing import Final

from bigchaindb.eventlog.facts import (
    Again,
    CloseHost,
    Nacked,
    Park,
    ParkAsked,
    ParkRecorded,
    ReturnSettled,
    Settle,
    Skip,
    Sought,
    Stopping,
    Unlisted,
    WakeIn,
)
from bigchaindb.eventlog.lane import Lane, Progress, Stage, State, Trouble
from bigchaindb.eventlog.retrying import OnFailure, Policy
from bigchaindb.eventlog.spread import SMALL_COUNT, Spread
from tests.support.lane_facts import LIVE, crashed, ended, in_hand, told

# nack and park


def test_a_nacked_event_comes_again_when_it_is_due() -> None:
    lane, actions = told(LIVE, Nacked(4, 1, "x"), Nacked(4, 2, "x"))
    assert actions == [Again(4, 2, 0.5), Again(4, 3, 1.0)]
    assert told(lane, Nacked(5, 1, "y", delay_s=7.0))[1] == [Again(5, 2, 7.0)]
    assert lane.state is State.LIVE


def test_an_event_nacked_too_often_is_given_up() -> None:
    nacks = [Nacked(4, attempt, "x") for attempt in (1, 2, 3)]
    lane, actions = told(LIVE, *nacks)
    assert actions[-1] == Park(4, Trouble(3, 3, 1_000.0, "x"))
    assert lane.state is State.LIVE
    assert not told(lane, ParkRecorded([4]))[0].troubles
    policy = Policy(attempts=3, duration_s=0, on_failure=OnFailure.BLOCK)
    lane, actions = told(LIVE, *nacks, policy=policy)
    assert (lane.state, actions[-1]) == (State.BLOCKED, CloseHost())
    policy = Policy(attempts=3, duration_s=0, on_failure=OnFailure.SKIP)
    lane, actions = told(LIVE, *nacks, policy=policy)
    assert (lane.troubles, actions[-2:]) == ({}, [Skip(4, Trouble(3, 3, 1_000.0, "x")), Settle(4)])


def test_a_nack_because_the_target_is_down_is_never_the_last() -> None:
    lane, actions = told(LIVE, *[Nacked(4, attempt, "x", is_unavailable=True) for attempt in range(1, 9)])
    assert [action for action in actions if not isinstance(action, Again)] == []
    assert lane.troubles[4] == Trouble(8, 0, 0.0, "x")


def test_a_plugin_may_park_by_itself() -> None:
    lane, actions = told(LIVE, Nacked(4, 1, "x"), ParkAsked(4, 2, "malformed"))
    assert actions[-1] == Park(4, Trouble(2, 1, 1_000.0, "malformed"))
    lane, actions = told(lane, ParkRecorded([4]))
    assert (lane.troubles, actions) == ({}, [Settle(4)])


def test_troubles_are_forgotten_with_the_event() -> None:
    """A plugin that nacks each event once must not fill the node's memory (S1)."""
    lane, _ = told(LIVE, Nacked(4, 1, "x"), Nacked(5, 1, "x"))
    assert lane.forget_settled((5, 6)).troubles.keys() == {5}
    assert lane.forget_settled((4, 5)) is lane


# What is set aside


def test_e6_an_event_stays_in_hand_until_it_is_recorded_as_parked() -> None:
    """Power that fails in between would lose it: it is in no list yet."""
    lane, actions = told(LIVE, ParkAsked(4, 1, "malformed"))
    assert (lane.stage(4), actions) == (Stage.PARKING, [Park(4, Trouble(1, 0, 0.0, "malformed"))])
    lane, _ = told(lane, ended(in_hand(4, 6, delivered={6})))
    assert (lane.progress.in_hand, lane.progress.cursor, lane.attempt(4)) == ((4, 6), 3, 2)
    lane, actions = told(lane, ParkRecorded([4]))
    assert (lane.progress, actions) == (Progress(5, 6, (6,), delivered={6}), [Settle(4)])
    assert lane.troubles.keys() == {6}


def test_an_event_that_is_parked_is_not_to_blame_for_the_end_of_its_process() -> None:
    """A plugin that parks an event and ends is not parked for it once more."""
    lane, actions = told(LIVE, ParkAsked(4, 1, "x"), crashed(4))
    assert (lane.progress.delivered, lane.attempt(4), actions[-1]) == (set(), 2, WakeIn(0.5))


def test_p2_what_the_process_still_has_of_a_parked_event_does_not_come_again() -> None:
    lane, _ = told(LIVE, ParkAsked(4, 1, "x"), ParkRecorded([4]), ended(in_hand(4, 6, delivered={6})))
    assert (lane.progress.in_hand, lane.stages) == ((6,), {})


def test_a_record_that_comes_twice_or_too_late_changes_nothing() -> None:
    lane, _ = told(LIVE, ParkAsked(4, 1, "x"), ParkRecorded([4]))
    assert told(lane, ParkRecorded([4])) == (lane, [])
    given_up, _ = told(LIVE, ParkAsked(4, 1, "x"), Stopping())
    assert told(given_up, ParkRecorded([4])) == (given_up, [])
    assert given_up.stage(4) is Stage.IN_HAND


def test_many_that_are_set_aside_are_not_copied_for_each_other() -> None:
    """8,000 in one frame held the node's loop for two seconds."""
    numbers = range(4, 4 + 2 * SMALL_COUNT)
    lane, _ = told(LIVE, *(ParkAsked(number, 1, "x") for number in numbers))
    assert isinstance(lane.stages, Spread)
    lane, actions = told(lane, ParkRecorded([3, *numbers]))
    assert actions == [Settle(number) for number in numbers]
    assert lane.at(Stage.SETTLING) == {*numbers}
    assert lane.troubles.keys().isdisjoint(numbers)
    assert lane.forget_settled(()).stages == {}


def test_an_answer_to_an_event_that_is_set_aside_changes_nothing() -> None:
    lane, _ = told(LIVE, ParkAsked(4, 1, "x"))
    assert told(lane, Nacked(4, 1, "x"), ParkAsked(4, 1, "x")) == (lane, [])


def test_s1_what_the_process_has_settled_is_forgotten() -> None:
    """A plugin that parks each event must not fill the node's memory."""
    lane, _ = told(LIVE, ParkAsked(4, 1, "x"), ParkAsked(5, 1, "x"), ParkRecorded([4]))
    assert lane.forget_settled((4, 5)) is lane
    assert lane.forget_settled((5,)).stages == {5: Stage.PARKING}


BACK: Final = Lane(State.LIVE, 1, Progress(5, 5, returning=(2, 3)), {2: Trouble(4)}, failure_count=3)


def test_p3_what_had_returned_and_is_settled_leaves_the_list_once() -> None:
    """It would come a second time when somebody asks for all that is parked."""
    lane, _ = told(BACK, ReturnSettled(2), ReturnSettled(2), ReturnSettled(4))
    assert (lane.progress.returning, lane.at(Stage.RETURNED), lane.failure_count) == ((3,), {2}, 0)
    assert not lane.troubles
    lane, _ = told(lane, Unlisted({2}))
    assert (lane.at(Stage.RETURNED), lane.forget_settled(()).stages) == (set(), {})


def test_p3_what_had_returned_is_settled_though_the_process_could_not_report_it() -> None:
    lane, _ = told(BACK, ended(Progress(5, 5, returning=(3,))))
    assert (lane.progress.returning, lane.at(Stage.RETURNED), lane.failure_count) == ((3,), {2}, 1)


def test_p2_what_had_returned_and_is_parked_again_is_not_taken_for_settled() -> None:
    lane, _ = told(BACK, ParkAsked(2, 5, "x"))
    assert (lane.stage(2), lane.progress.returning, lane.progress.cursor) == (Stage.PARKING, (2, 3), 5)
    lane, actions = told(lane, ParkRecorded([2]), ended(Progress(5, 5, returning=(2, 3))))
    assert (lane.progress.returning, lane.at(Stage.RETURNED), actions[0]) == ((3,), set(), Settle(2))


def test_what_had_returned_and_is_skipped_leaves_the_list() -> None:
    policy = Policy(attempts=1, duration_s=0, on_failure=OnFailure.SKIP)
    lane, actions = told(BACK, Nacked(2, 5, "x"), policy=policy)
    assert (lane.at(Stage.RETURNED), lane.progress.returning, actions[-1]) == ({2}, (3,), Settle(2))
    assert told(lane, ended(Progress(5, 5, returning=(2, 3))))[0].progress.returning == (3,)


def test_p2_a_seek_forgets_what_is_to_leave_the_list_beyond_it() -> None:
    """It comes in its turn, and what is parked then must stay in the list."""
    lane, _ = told(BACK, ReturnSettled(2), ReturnSettled(3), Stopping(), crashed(), Sought(2))
    assert (lane.at(Stage.RETURNED), lane.progress) == ({2}, Progress(2, 2))
