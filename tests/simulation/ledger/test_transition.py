"""Any chain of decisions: the same one has the same bytes everywhere (L3)."""

from hypothesis import given
from hypothesis import strategies as st

from tests.support.chains import ALICE
from tests.support.decided_chains import chain

DECISIONS = st.lists(st.tuples(st.integers(1, 8), st.booleans()), min_size=1, max_size=6)


@given(DECISIONS)
def test_l3_a_replay_gives_the_same_bytes(decisions: list[tuple[int, bool]]) -> None:
    assert chain(decisions) == chain(decisions)


@given(DECISIONS)
def test_l3_nodes_differ_in_their_votes_alone(decisions: list[tuple[int, bool]]) -> None:
    here, there = chain(decisions), chain(decisions, key=ALICE)
    assert [(one.tip, one.last.event, one.last.block) for one in here] == [
        (one.tip, one.last.event, one.last.block) for one in there
    ]


@given(DECISIONS, DECISIONS)
def test_two_histories_have_two_hashes(first: list[tuple[int, bool]], second: list[tuple[int, bool]]) -> None:
    equal = chain(first)[-1].tip.app_hash == chain(second)[-1].tip.app_hash
    assert equal is (first == second)


@given(DECISIONS)
def test_e2_positions_ascend_without_a_gap(decisions: list[tuple[int, bool]]) -> None:
    assert [one.last.event.position for one in chain(decisions)] == list(range(1, len(decisions) + 1))
