"""The comparison of two commits: a figure is worse only beyond what its own rounds differ by."""

import pytest

from bench.against import Pair


def pair(here: list[float], there: list[float], *, more_is_better: bool = False) -> Pair:
    """Return a pair of these rounds."""
    return Pair("µs", "", more_is_better, here=here, there=there)


@pytest.mark.parametrize(
    ("here", "there", "more_is_better", "worse"),
    [
        ([100, 102], [100, 101], False, False),  # within the spread
        ([120, 121], [100, 101], False, True),
        ([80, 81], [100, 101], False, False),
        ([80, 81], [100, 101], True, True),
        ([120, 121], [100, 101], True, False),
        ([100, 160], [100, 101], False, False),  # a noisy side hides a loss
        ([120], [], False, False),  # the other commit lacks the figure
        ([0, 0], [0, 0], False, False),
    ],
)
def test_a_loss_is_what_exceeds_the_spread(
    *, here: list[float], there: list[float], more_is_better: bool, worse: bool
) -> None:
    """A ratio alone says nothing where rounds of one commit differ by more."""
    found = pair(here, there, more_is_better=more_is_better)
    assert (found.loss > 0) is worse
    assert found.verdict == ("WORSE" if worse else "")


def test_a_missed_limit_is_shown_too() -> None:
    """A figure that is no worse than before may still miss its limit."""
    found = pair([100, 100, 100], [100, 100, 100])
    found.missed_count = 2
    assert found.verdict == "MISSED"
