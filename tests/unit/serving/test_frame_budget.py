"""How many frames and bytes of a WebSocket client pass in a second."""

import random
from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.serving.frame_budget import BYTES_MAX, FRAME_COUNT_MAX, WINDOW_S, FrameBudget
from tests.support.frames import frame

PAYLOADS = st.one_of(st.integers(0, 20), st.sampled_from([125, 126, 300, 65_535, 65_536, 100_000]))


def windows(data: bytes, pieces: Iterator[int]) -> list[bytes]:
    """Pass all of `data`, piece by piece, in as many windows as that takes; return what passed in each."""
    budget, passed, held, at, now_s = FrameBudget(), [b""], b"", 0, 100.0
    while at < len(data) or held:
        if at < len(data):
            size = next(pieces)
            held, at = held + data[at : at + size], at + size
        size, is_over = budget.admit(held, now_s)
        passed[-1] += held[:size]
        held = held[size:]
        if is_over:
            assert budget.renewed_s == 100.0 + len(passed) * WINDOW_S
            now_s = budget.renewed_s
            passed.append(b"")
        else:
            assert at < len(data) or not held, "a whole frame is held back although the budget has room"
    return passed


@given(frames=st.lists(st.tuples(PAYLOADS, st.booleans()), min_size=1, max_size=300), cuts=st.randoms())
def test_all_passes_in_order_and_no_window_has_more_than_its_budget(
    frames: list[tuple[int, bool]], cuts: random.Random
) -> None:
    """Neither the sizes that reads come in nor the kinds of heads may change what passes."""
    whole = [frame(2, size * b"x", is_masked=is_masked) for size, is_masked in frames]
    ends = {0}
    for one in whole:
        ends.add(max(ends) + len(one))
    passed = windows(b"".join(whole), iter(lambda: cuts.choice([1, 7, 100, 5_000, 200_000]), None))
    assert b"".join(passed) == b"".join(whole)
    at = 0
    for one in passed:
        assert len(one) <= BYTES_MAX
        assert sum(begin in ends for begin in range(at, at + len(one))) <= FRAME_COUNT_MAX
        at += len(one)


def test_a_window_takes_64_frames_and_no_more() -> None:
    budget, one = FrameBudget(), frame(9, b"")
    size, is_over = budget.admit(one * (FRAME_COUNT_MAX + 1), 0.0)
    assert (size, is_over) == (len(one) * FRAME_COUNT_MAX, True)
    assert budget.admit(one, WINDOW_S - 0.001) == (0, True)
    assert budget.admit(one, WINDOW_S) == (len(one), False)


def test_a_head_that_is_not_all_there_waits_for_the_rest_and_costs_nothing() -> None:
    budget = FrameBudget()
    for one in (frame(2, b""), frame(2, 300 * b"x"), frame(2, 70_000 * b"x")):
        head = next(end for end in range(1, 20) if FrameBudget().admit(one[:end], 0.0).size)
        for end in range(head):
            assert budget.admit(one[:end], 0.0) == (0, False)


def test_frames_of_the_helper_are_frames() -> None:
    sizes = [len(frame(1, size * b"x")) for size in (0, 125, 126, 65_535, 65_536)]
    assert [later - earlier for earlier, later in pairwise(sizes)] == [125, 3, 65_409, 7]
