"""What a plugin has written, by position: nothing that was not is taken for it. Source: decision 0151, promise P2."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.sinks.reached import RANGES_MAX, Reached

Positions = st.integers(1, 40)


def test_what_is_skipped_is_not_wanted_and_where_a_process_ended_it_may_be_parked() -> None:
    first = Reached()
    for position in (3, 4, 9):
        first.add(position, is_new=True)
    assert first.ranges == [(3, 9)]
    second = Reached(first.ranges)
    for position, is_new in ((11, False), (13, False), (15, True), (20, True)):
        second.add(position, is_new=is_new)
    assert second.ranges == [(3, 9), (11, 11), (13, 13), (15, 20)]
    assert [position for position in range(1, 22) if position not in second] == [1, 2, 10, 12, 14, 21]


def test_a_process_that_goes_on_leaves_no_gap() -> None:
    reached = Reached([(1, 5)])
    for position in (6, 9):
        reached.add(position, is_new=True)
    assert reached.ranges == [(1, 9)]


def test_a_gap_closes_once_what_was_parked_is_written() -> None:
    reached = Reached([(1, 4), (6, 7), (9, 9)])
    for position in (5, 8):
        reached.add(position, is_new=False)
    assert reached.ranges == [(1, 9)]


def test_what_returns_from_below_all_ranges_is_kept_apart() -> None:
    reached = Reached([(10, 12)])
    reached.add(4, is_new=False)
    assert (reached.ranges, 4 in reached, 5 in reached) == ([(4, 4), (10, 12)], True, False)


def test_only_so_many_ranges_are_kept_and_the_lowest_are_forgotten() -> None:
    """They count as not written: then a repeat is written and marked, and nothing is lost."""
    reached = Reached([(3 * number, 3 * number) for number in range(1, RANGES_MAX + 1)])
    reached.add(3 * RANGES_MAX + 5, is_new=True)
    assert len(reached.ranges) == RANGES_MAX
    assert 3 not in reached
    assert 6 in reached


@given(st.lists(st.tuples(st.sets(Positions), st.integers(0, 12)), max_size=6), st.sets(Positions), st.data())
def test_whatever_is_parked_between_processes_is_never_held(
    processes: list[tuple[set[int], int]], wanted: set[int], data: st.DataObject
) -> None:
    """Each process gets what the one before had and did not settle, then what follows, until it is killed."""
    written: set[int] = set()
    parked: set[int] = set()
    had: set[int] = set()
    ranges: list[tuple[int, int]] = []
    for returning, count in processes:
        reached = Reached(ranges)
        back = sorted(returning & parked)
        coming = sorted(wanted - written - parked)
        for position in [*back, *coming[:count]]:
            assert position not in reached, "it would be lost"
            reached.add(position, is_new=position not in had)
            written.add(position)
            parked.discard(position)
        had.update(coming[: count + 5])  # in hand when it was killed
        ranges = list(reached.ranges)
        assert all(position in reached for position in written)
        assert all(left[1] + 1 < right[0] for left, right in pairwise(ranges))
        in_hand = sorted((had & wanted) - written - parked)
        parked.update(data.draw(st.lists(st.sampled_from(in_hand), max_size=1)) if in_hand else [])
