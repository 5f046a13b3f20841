"""What a crash test reports of a sink is right, and helps its author."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from bigchaindb.errors import ConfigurationError
from bigchaindb.eventlog.lane import State
from bigchaindb.simulated.chain import Recipe
from bigchaindb.simulated.crash_report import CrashReport
from bigchaindb.simulated.crashes import _Trial, crash_test, draw_kills, draw_parked
from bigchaindb.simulated.rehearsal import Rehearsal
from bigchaindb.simulated.victim import Killed, Moment
from bigchaindb.streams.hub import Hub
from bigchaindb.subscribers.lane_status import LaneStatus

CLEAN: Final = CrashReport(
    seed=3, kills=2, ends=0, expected=(1, 2, 3, 4), held=(1, 2, 3, 4), delivered={1: 1, 2: 1, 3: 2, 4: 1}
)


def test_a_clean_sink_passes_everything() -> None:
    CLEAN.assert_at_least_once()
    CLEAN.assert_in_order()
    CLEAN.assert_exactly_once()


def test_a_lost_event_fails() -> None:
    report = replace(CLEAN, held=(1, 3, 4))
    assert report.lost == (2,)
    with pytest.raises(AssertionError, match=r"(?s)4 events, 2 kills.*seed 3.*lost: 2\. They were delivered.*ack_lag"):
        report.assert_at_least_once()
    with pytest.raises(AssertionError, match="lost: 2"):
        report.assert_exactly_once()


def test_an_event_that_the_node_never_delivered_is_called_so() -> None:
    """The author must not look for a fault that is ours."""
    report = replace(CLEAN, held=(1, 3, 4), delivered={1: 1, 3: 1, 4: 1})
    with pytest.raises(AssertionError, match=r"lost: 2\. They were never delivered: that is a fault of the node"):
        report.assert_at_least_once()


def test_a_repeat_after_a_kill_is_at_least_once_and_not_exactly_once() -> None:
    report = replace(CLEAN, held=(1, 2, 3, 3, 4))
    report.assert_at_least_once()
    assert (report.repeated, report.unexplained) == ((3,), ())
    with pytest.raises(
        AssertionError, match=r"repeated: 3\..*event\.id as the primary key.*would lose events that were parked"
    ):
        report.assert_exactly_once()


def test_a_repeat_that_no_kill_explains_is_never_right() -> None:
    report = replace(CLEAN, held=(1, 2, 2, 3, 4))
    assert report.unexplained == (2,)
    with pytest.raises(AssertionError, match="doubled: 2 stand in the sink more often"):
        report.assert_at_least_once()


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({}, "when the thread that took it asks for the next one: write it .* before that"),
        ({"ack_lag": 3}, "With ack_lag = 3 an event counts as done when so many more were taken"),
        ({"acknowledge": "explicit"}, '"explicit" an event counts as done when it is acknowledged: write it'),
        ({"acknowledge": "delivery"}, '"delivery" a kill loses the event that the plugin works on'),
    ],
)
def test_the_way_to_lose_an_event_is_that_of_the_plugins_mode(properties: dict[str, object], message: str) -> None:
    """Who acknowledges by hand would look for a mistake with `get` in vain."""
    report = replace(CLEAN, held=(1, 3, 4), **properties)  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match=message) as caught:
        report.assert_at_least_once()
    assert properties == {} or "asks for the next" not in str(caught.value)


def test_an_event_that_came_again_and_is_missing_was_passed_over() -> None:
    """It was noted as done apart from its row: to write earlier would mend nothing."""
    report = replace(CLEAN, held=(1, 2, 4))
    with pytest.raises(
        AssertionError, match=r"lost: 3\. .*again after a kill, 2 times at most.*passed them over"
    ) as caught:
        report.assert_exactly_once()
    assert "asks for the next" not in str(caught.value)


def test_what_is_lost_by_being_done_too_early_is_not_put_down_to_what_came_again() -> None:
    """Of what a plugin gathers, the event in hand at a kill comes again, and can be lost by the next kill."""
    report = replace(CLEAN, held=(1, 4), parked=(3,))
    with pytest.raises(AssertionError, match=r"lost: 2, 3\. They were delivered\..*asks for the next") as caught:
        report.assert_at_least_once()
    assert "passed" not in str(caught.value)


def test_an_event_that_was_parked_and_is_missing_was_taken_for_a_written_one() -> None:
    report = replace(CLEAN, held=(1, 3, 4), parked=(2,))
    with pytest.raises(AssertionError, match=r"lost: 2\. They were parked and came back.*\(a high-water mark\)"):
        report.assert_at_least_once()


def test_order_is_that_of_first_occurrences() -> None:
    """After a kill the event in hand comes again, behind later ones if there were several: that is no disorder."""
    report = replace(CLEAN, held=(1, 2, 3, 4, 3))
    report.assert_in_order()
    report = replace(CLEAN, held=(1, 3, 2, 4))
    assert report.out_of_order == (2,)
    with pytest.raises(AssertionError, match="out of order: 2 came after a later event"):
        report.assert_in_order()


def test_what_was_parked_may_stand_behind_later_events() -> None:
    report = replace(CLEAN, held=(1, 3, 4, 2), parked=(2,))
    assert report.out_of_order == ()
    report.assert_in_order()
    assert replace(report, held=(1, 4, 3, 2)).out_of_order == (3,)


def test_the_kills_that_happened_are_named() -> None:
    """No two runs of a seed kill at the same instant of the work: what happened is in the report alone."""
    report = replace(CLEAN, held=(1, 3, 4), killed=(Killed(0, "started"), Killed(2, "working")))
    with pytest.raises(AssertionError, match=r"killed at \(position, moment\): 0 started, 2 working$"):
        report.assert_at_least_once()


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("failure", "ValueError: no", "did not get through: ValueError: no"),
        ("warning", "this plugin keeps events", "the node warned: this plugin keeps events"),
        ("strange", ("abc",), r"no events of this log: \('abc',\)"),
    ],
)
@pytest.mark.parametrize("check", ["assert_at_least_once", "assert_in_order", "assert_exactly_once"])
def test_whatever_else_went_wrong_fails_every_check(member: str, value: object, message: str, check: str) -> None:
    report = replace(CLEAN, **{member: value})  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match=message):
        getattr(report, check)()


def test_many_positions_are_not_all_named() -> None:
    report = replace(CLEAN, expected=tuple(range(1, 101)), held=(), delivered={})
    with pytest.raises(AssertionError, match=r"lost: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 90 more\."):
        report.assert_at_least_once()


def test_kills_are_the_same_for_a_seed_and_hit_every_moment_all_over_the_log() -> None:
    recipe = Recipe(blocks=1000, seed=4)
    kills = draw_kills(recipe, 200)
    assert kills == draw_kills(recipe, 200)
    assert kills != draw_kills(replace(recipe, seed=5), 200)
    assert {kill.moment for kill in kills} == set(Moment)
    positions = [kill.position for kill in kills]
    assert positions == sorted(positions)
    assert positions[0] < 100
    assert positions[-1] > 900
    assert all(0 <= kill.draw < 1 for kill in kills)


def test_parked_events_are_the_same_for_a_seed_and_leave_some_to_come_after() -> None:
    recipe = Recipe(blocks=100, seed=4)
    draws = draw_parked(recipe, 20)
    assert draws == draw_parked(recipe, 20) == sorted(draws)
    assert draws != draw_parked(replace(recipe, seed=5), 20)
    assert 1 <= draws[0] < draws[-1] <= 75
    assert draw_parked(Recipe(blocks=1), 1) == [1]


def test_a_number_of_parked_events_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="parked: must be 0 to 1000, found 1001"):
        crash_test("sales", read_sink=list, parked=1001)


def test_a_number_of_kills_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="kills: must be 0 to 100000, found -1"):
        crash_test("sales", read_sink=list, kills=-1)


class Hanging(Rehearsal):
    """A plugin with which nothing happens for so long at each look."""

    def __init__(self, *quiet_s: float) -> None:
        nothing: Any = None
        super().__init__(nothing, Hub(3), nothing, [])
        self.looks: Iterator[float] = iter(quiet_s)

    def status(self) -> LaneStatus:
        return LaneStatus(
            name="sales",
            state=State.LIVE,
            since=0.0,
            epoch=1,
            position=1,
            lag=2,
            in_hand=(2, 3),
            oldest_s=30.0,
            attempts=0,
            failure_count=0,
            start_count=1,
            parked_count=0,
            error="",
            warning="",
            pid=None,
        )

    def is_over(self) -> bool:
        return False

    def quiet_s(self) -> float:
        return next(self.looks)


async def test_a_plugin_that_hangs_fails_its_crash_test_after_half_a_minute(tmp_path: Path) -> None:
    """Whoever waits for a test that says nothing gives it up sooner than that is worth."""
    failure = await _Trial(tmp_path, Recipe(), 0, 0)._until_over(Hanging(29.9, 30.0))
    assert failure == ("nothing has happened for 30 s; LIVE, 1 of 3 events settled, in hand for 30 s: 2, 3")
