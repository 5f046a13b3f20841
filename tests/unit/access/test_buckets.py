"""How often someone may do something."""

from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.access.buckets import Buckets
from bigchaindb.config.access import Rate

RATES = st.builds(Rate, st.floats(0.1, 10_000), st.integers(1, 1_000))
TIMES = st.lists(st.floats(1.0, 1e6), max_size=100).map(sorted)


def test_a_burst_passes_and_the_next_waits_for_its_token() -> None:
    buckets = Buckets(Rate(20, 100), count_max=10)
    assert [buckets.take("a", 5.0) for _ in range(100)] == [0.0] * 100
    wait_s = buckets.take("a", 5.0)
    assert 0.049 < wait_s <= 0.05
    assert buckets.take("b", 5.0) == 0.0
    assert buckets.take("a", 5.0 + wait_s) == 0.0


def test_a_refusal_costs_no_token() -> None:
    """A client that asks too often must not wait longer for having asked."""
    buckets = Buckets(Rate(1, 1), count_max=10)
    assert buckets.take("a", 1.0) == 0.0
    assert all(buckets.take("a", 1.5) > 0.49 for _ in range(10))
    assert buckets.take("a", 2.0) == 0.0


@given(RATES, TIMES)
def test_no_time_lets_more_through_than_the_burst_and_the_rate(rate: Rate, times_s: list[float]) -> None:
    """A rate that can be exceeded by a clever rhythm is none."""
    buckets = Buckets(rate, count_max=10)
    taken_s = [now_s for now_s in times_s if buckets.take("a", now_s) == 0.0]
    for first, since_s in enumerate(taken_s):
        for last, until_s in enumerate(taken_s[first:], first):
            assert last - first + 1 <= rate.burst + rate.per_s * (until_s - since_s) + 0.01


@given(RATES, TIMES)
def test_who_waits_as_long_as_told_gets_a_token(rate: Rate, times_s: list[float]) -> None:
    """Else `Retry-After` would be a lie."""
    buckets = Buckets(rate, count_max=10)
    for now_s in times_s:
        if (wait_s := buckets.take("a", now_s)) > 0.0:
            assert wait_s <= 1.0 / rate.per_s + 1e-6
            other = Buckets(rate, count_max=10)
            other._young, other._old = dict(buckets._young), dict(buckets._old)
            assert other.take("a", now_s + wait_s + 1e-9) == 0.0


def test_the_least_recently_used_bucket_is_forgotten() -> None:
    """Strangers with a hundred thousand addresses must not fill the memory, nor free one that floods."""
    buckets = Buckets(Rate(1, 1), count_max=8)
    passed = 0
    for number in range(1_000):
        passed += buckets.take("flood", 1.0) == 0.0
        buckets.take(f"stranger {number}", 1.0)
        assert len(buckets) <= 8
    assert passed == 1
    assert buckets.take("stranger 0", 1.0) == 0.0
