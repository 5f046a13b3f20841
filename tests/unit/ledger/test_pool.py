"""The pool: an overlay on committed state that never lets an output be spent twice."""

import pytest

from bigchaindb.errors import (
    DoubleSpend,
    DuplicateTransaction,
    InputDoesNotExist,
    InvalidProposer,
    Overloaded,
    ValidationError,
)
from bigchaindb.ledger.pool import HEAVY_SHARE, Pool
from bigchaindb.transaction import Transaction
from tests.support.chains import ALICE, CHILD, GRANDCHILD, PARENT, RIVAL, Coin, Committed, create, transfer
from tests.support.elections import NEWCOMER, election, validators_of, vote
from tests.support.pools import pool_of, wordy


def test_a_parent_in_the_pool_counts_as_present() -> None:
    pool = pool_of(PARENT, CHILD, GRANDCHILD)
    assert list(pool) == [PARENT, CHILD, GRANDCHILD]


def test_it_holds_bytes_and_not_only_ids() -> None:
    pool = pool_of(PARENT, CHILD)
    assert [pool.holds(one.body) for one in (PARENT, CHILD, RIVAL)] == [True, True, False]
    assert not pool.holds(PARENT.body + b" ")
    pool.remove([CHILD.id])
    assert [pool.holds(one.body) for one in (PARENT, CHILD)] == [True, False]


def test_what_a_pooled_transaction_spends_is_taken() -> None:
    pool = pool_of(PARENT, CHILD)
    with pytest.raises(DoubleSpend, match=rf"^input `{PARENT.id}` was already spent$"):
        pool.admit(RIVAL, Committed(), signatures_valid=True)
    assert RIVAL.id not in pool


@pytest.mark.parametrize("again", [PARENT, CHILD], ids=["CREATE", "TRANSFER"])
def test_a_repeat_is_a_duplicate(again: Transaction) -> None:
    """A client that sends twice must not be told that somebody else took its asset."""
    with pytest.raises(DuplicateTransaction, match=f"^transaction `{again.id}` already exists$"):
        pool_of(PARENT, CHILD).admit(again, Committed(), signatures_valid=True)


def test_a_newer_state_than_the_pool_knows_changes_no_verdict() -> None:
    """A block that was committed and not yet removed from the pool is in both: nothing may be spent twice for it."""
    committed = Committed()
    committed.add(PARENT, CHILD)
    pool = pool_of(PARENT, CHILD)
    with pytest.raises(DoubleSpend):
        pool.admit(RIVAL, committed, signatures_valid=True)
    pool.admit(GRANDCHILD, committed, signatures_valid=True)


def test_elections_wait_in_it_too() -> None:
    proposed, pool = election(), pool_of()
    for transaction in (proposed, vote(proposed, ALICE)):
        pool.admit(transaction, Committed(), signatures_valid=True, validators=validators_of())
    with pytest.raises(InvalidProposer):
        pool.admit(election(proposer=NEWCOMER), Committed(), signatures_valid=True, validators=validators_of())
    assert len(pool) == 2


def test_bounds_by_count_and_by_bytes() -> None:
    with pytest.raises(Overloaded, match=r"^1 transactions are in the pool \(limits\.pool_count_max\)"):
        pool_of(PARENT, CHILD, count_max=1)
    room = len(PARENT.body) + len(CHILD.body)
    assert pool_of(PARENT, CHILD, bytes_max=room).bytes == room
    with pytest.raises(Overloaded, match=rf"of {room - 1:,} bytes are in the pool \(limits\.pool_bytes_max\)"):
        pool_of(PARENT, CHILD, bytes_max=room - 1)


def test_a_full_pool_still_says_what_is_wrong_with_a_transaction() -> None:
    with pytest.raises(DuplicateTransaction):
        pool_of(PARENT, PARENT, count_max=1)


def test_removal_gives_room_and_frees_nothing_that_is_committed() -> None:
    pool = pool_of(PARENT, CHILD)
    committed = Committed()
    committed.add(PARENT, CHILD)
    pool.remove([PARENT.id, CHILD.id, "unknown"])
    assert (len(pool), pool.bytes) == (0, 0)
    with pytest.raises(DoubleSpend):
        pool.admit(RIVAL, committed, signatures_valid=True)


def test_candidates_are_the_longest_beginning_that_fits() -> None:
    pool = pool_of(PARENT, CHILD, GRANDCHILD)
    assert pool.candidates(count_max=2, bytes_max=1_000_000) == [PARENT, CHILD]
    assert pool.candidates(count_max=9, bytes_max=len(PARENT.body) + len(CHILD.body)) == [PARENT, CHILD]
    assert pool.candidates(count_max=9, bytes_max=len(PARENT.body) - 1) == []
    assert pool.candidates(count_max=9, bytes_max=1_000_000) == [PARENT, CHILD, GRANDCHILD]


HALF, MOST, DEAR = wordy(1, 4_000), wordy(2, 6_000), wordy(3, 60_000)
OF_MOST, OF_DEAR = transfer(Coin(MOST)), transfer(Coin(DEAR))
LIGHT = create(9)


def candidates(pool: Pool, *, bytes_max: int = 4_000_000, **bound: float) -> list[Transaction]:
    return pool.candidates(count_max=100, bytes_max=bytes_max, **bound)


def test_heavy_ones_beyond_some_milliseconds_are_left_and_so_is_what_stands_on_them() -> None:
    """Whoever waits for a commit must not wait for eight of them to be written."""
    pool = pool_of(HALF, MOST, OF_MOST, LIGHT, bytes_max=64_000_000)
    assert candidates(pool) == [HALF, LIGHT]
    assert candidates(pool, heavy_ms_max=0) == [LIGHT]
    assert candidates(pool, bytes_max=len(HALF.body)) == [HALF]
    pool.remove([HALF.id, LIGHT.id])
    assert candidates(pool) == [MOST, OF_MOST]


def test_a_dear_one_shares_a_block_with_none() -> None:
    """A light one would wait for all of it."""
    pool = pool_of(LIGHT, DEAR, OF_DEAR, HALF, bytes_max=64_000_000)
    assert candidates(pool) == [LIGHT, HALF]
    assert pool.first_dear(bytes_max=len(DEAR.body) - 1) == []
    assert pool.first_dear(bytes_max=len(DEAR.body)) == [DEAR]
    pool.remove([DEAR.id])
    assert candidates(pool) == [LIGHT, OF_DEAR, HALF]
    assert pool.first_dear(bytes_max=4_000_000) == []


def test_a_dear_one_waits_for_what_it_spends() -> None:
    """Alone in a block it would be a spend of nothing."""
    whole = create(1, amounts=(1_800,))
    child = transfer(Coin(whole), amounts=[1] * 1_800)
    pool = pool_of(whole, child)
    assert pool.first_dear(bytes_max=4_000_000) == []
    pool.remove([whole.id])
    assert pool.first_dear(bytes_max=4_000_000) == [child]


def test_it_knows_its_heavy_ones() -> None:
    pool = pool_of(LIGHT, HALF, MOST, OF_MOST, bytes_max=64_000_000)
    assert pool.heavy_count == 2
    assert pool.has_heavy([LIGHT, HALF])
    assert not pool.has_heavy([LIGHT, OF_MOST])


def test_heavy_ones_leave_room_for_all_others() -> None:
    """A stranger's large documents must not fill the pool for everybody."""
    room = (len(HALF.body) + len(MOST.body)) * HEAVY_SHARE - 1
    pool = pool_of(HALF, LIGHT, bytes_max=room)
    with pytest.raises(Overloaded, match=rf"^large transactions fill 1/{HEAVY_SHARE} of the pool's {room:,} bytes "):
        pool.admit(MOST, Committed(), signatures_valid=True)
    assert pool.shortage(LIGHT.body) is None
    pool.remove([HALF.id])
    pool.admit(MOST, Committed(), signatures_valid=True)
    assert list(pool_of(DEAR, bytes_max=len(DEAR.body))) == [DEAR]  # the first is taken whatever its share


def test_l4_a_rejected_parent_takes_its_children_along_and_each_is_reported() -> None:
    bystander = create(2)
    pool = pool_of(PARENT, CHILD, bystander, GRANDCHILD)
    error = ValidationError("of no use")
    rejections = pool.reject(PARENT.id, error)
    assert [rejection.transaction for rejection in rejections] == [PARENT, CHILD, GRANDCHILD]
    assert rejections[0].error is error
    assert [str(rejection.error) for rejection in rejections[1:]] == [
        f"input `{PARENT.id}` doesn't exist",
        f"input `{CHILD.id}` doesn't exist",
    ]
    assert all(isinstance(rejection.error, InputDoesNotExist) for rejection in rejections[1:])
    assert list(pool) == [bystander]


def test_a_child_of_two_rejected_parents_is_reported_once() -> None:
    left = transfer(Coin(PARENT, 0), to=ALICE)
    right = transfer(Coin(PARENT, 1), to=ALICE)
    child = transfer(Coin(left), Coin(right))
    pool = pool_of(PARENT, left, right, child)
    assert [one.transaction for one in pool.reject(PARENT.id, ValidationError())] == [PARENT, left, right, child]


def test_what_a_rejected_transaction_spent_can_be_spent_again() -> None:
    pool = pool_of(PARENT, CHILD)
    pool.reject(CHILD.id, ValidationError())
    pool.admit(RIVAL, Committed(), signatures_valid=True)


def test_l4_what_loses_to_a_committed_rival_is_reported_with_its_children() -> None:
    """Another node proposed the rival: this pool had never heard of it."""
    pool = pool_of(PARENT, CHILD, GRANDCHILD)
    rejections = pool.settle([PARENT, RIVAL])
    assert [(one.transaction, type(one.error)) for one in rejections] == [
        (CHILD, DoubleSpend),
        (GRANDCHILD, InputDoesNotExist),
    ]
    assert (len(pool), pool.bytes) == (0, 0)


def test_what_was_committed_out_of_the_pool_rivals_nobody() -> None:
    pool = pool_of(PARENT, CHILD, GRANDCHILD)
    assert pool.settle([PARENT, CHILD]) == []
    assert list(pool) == [GRANDCHILD]


def test_rejecting_what_is_not_there_reports_nothing() -> None:
    assert pool_of(PARENT).reject(CHILD.id, ValidationError()) == []


def test_it_gives_a_transaction_by_its_id() -> None:
    pool = pool_of(PARENT)
    assert pool.get(PARENT.id) is PARENT
    assert pool.get(CHILD.id) is None
