"""When CometBFT is started again, and when that has no sense any more."""

from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.engine.cometbft.process import FAILURE_COUNT_MAX, FAILURE_WINDOW_S, Restarts


def test_each_end_that_follows_soon_waits_twice_as_long_and_the_fifth_is_the_last() -> None:
    restarts = Restarts()
    assert [restarts.after_end(now_s) for now_s in range(5)] == [0.2, 0.4, 0.8, 1.6, None]


def test_an_old_end_counts_no_more() -> None:
    restarts = Restarts()
    assert [restarts.after_end(now_s) for now_s in (0.0, 200.0, 400.0, 600.0, 800.0, 1000.0)] == [0.2] * 6


@given(st.lists(st.floats(0, 100), max_size=30))
def test_it_is_given_up_when_five_ends_lie_in_two_minutes_and_never_else(gaps_s: list[float]) -> None:
    restarts, ends_s, now_s = Restarts(), list[float](), 0.0
    for gap_s in gaps_s:
        now_s += gap_s
        ends_s.append(now_s)
        recent = [end_s for end_s in ends_s if end_s > now_s - FAILURE_WINDOW_S]
        delay_s = restarts.after_end(now_s)
        assert (delay_s is None) == (len(recent) >= FAILURE_COUNT_MAX)
        if delay_s is None:
            return
