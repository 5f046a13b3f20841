"""What a crash test says of a sink is right, and tells the author what to do."""

from dataclasses import replace
from typing import Final

import pytest

from bigchaindb.errors import ConfigurationError
from bigchaindb.simulated.chain import Recipe
from bigchaindb.simulated.crashes import CrashReport, crash_test, draw_kills
from bigchaindb.simulated.victim import Moment

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
    with pytest.raises(AssertionError, match="Of these 2 were never delivered"):
        report.assert_at_least_once()


def test_a_repeat_after_a_kill_is_at_least_once_and_not_exactly_once() -> None:
    report = replace(CLEAN, held=(1, 2, 3, 3, 4))
    report.assert_at_least_once()
    assert (report.repeated, report.unexplained) == ((3,), ())
    with pytest.raises(AssertionError, match=r"repeated: 3\..*in the same transaction"):
        report.assert_exactly_once()


def test_a_repeat_that_no_kill_explains_is_never_right() -> None:
    report = replace(CLEAN, held=(1, 2, 2, 3, 4))
    assert report.unexplained == (2,)
    with pytest.raises(AssertionError, match="doubled: 2 stand in the sink more often"):
        report.assert_at_least_once()


def test_order_is_that_of_first_occurrences() -> None:
    """After a kill the event in hand comes again, behind later ones if there were several: that is no disorder."""
    report = replace(CLEAN, held=(1, 2, 3, 4, 3))
    report.assert_in_order()
    report = replace(CLEAN, held=(1, 3, 2, 4))
    assert report.out_of_order == (2,)
    with pytest.raises(AssertionError, match="out of order: 2 came after a later event"):
        report.assert_in_order()


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("failure", "ValueError: no", "did not get through: ValueError: no"),
        ("warning", "this plugin keeps events", "the node warned: this plugin keeps events"),
        ("strange", ("abc",), r"no event of this log: \('abc',\)"),
    ],
)
@pytest.mark.parametrize("check", ["assert_at_least_once", "assert_in_order", "assert_exactly_once"])
def test_whatever_else_went_wrong_fails_every_check(member: str, value: object, message: str, check: str) -> None:
    report = replace(CLEAN, **{member: value})  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match=message):
        getattr(report, check)()


def test_many_positions_are_not_all_named() -> None:
    report = replace(CLEAN, expected=tuple(range(1, 101)), held=())
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


def test_a_number_of_kills_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="kills: must be 0 to 100000, found -1"):
        crash_test("sales", read_sink=list, kills=-1)
