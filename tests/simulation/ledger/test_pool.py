"""The pool under any interleaving of posts, commits and rejections."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bigchaindb.errors import (
    Overloaded,
    ValidationError,
)
from bigchaindb.ledger.pool import HEAVY_BLOCK_MS, Pool
from bigchaindb.ledger.view import Needs
from bigchaindb.ledger.weight import weight_ms
from bigchaindb.transaction import Transaction
from tests.support.chains import ALICE, BOB, CAROL, Coin, Committed, create, transfer
from tests.support.pools import pool_of, wordy


@given(
    plan=st.lists(st.tuples(st.sampled_from([0, 1_000, 4_000, 20_000]), st.integers(0, 9)), max_size=12),
    heavy_ms_max=st.sampled_from([0, HEAVY_BLOCK_MS]),
)
def test_candidates_are_in_order_and_stand_on_what_is_before_them(
    plan: list[tuple[int, int]], *, heavy_ms_max: float
) -> None:
    """Else a proposer would vote against its own block."""
    made: list[Transaction] = []
    for serial, (count, parent) in enumerate(plan):
        spent = {i.fulfills for one in made for i in one.inputs}
        coin = Coin(made[parent]) if parent < len(made) else None
        if coin is None or coin.ref in spent or made[parent].operation != "CREATE":
            made.append(wordy(serial, count))
        else:
            made.append(transfer(coin))
    pool = pool_of(*made, bytes_max=64_000_000)
    chosen = pool.candidates(count_max=100, bytes_max=4_000_000, heavy_ms_max=heavy_ms_max)
    dear = pool.first_dear(bytes_max=4_000_000)
    assert heavy_ms_max == 0 or bool(chosen or dear) == bool(made)
    assert all(i.fulfills is None for one in dear for i in one.inputs)
    assert not set(dear) & set(chosen)
    places = [made.index(one) for one in chosen]
    assert places == sorted(places)
    ids = {one.id for one in chosen}
    assert all(i.fulfills is None or i.fulfills.transaction_id in ids for one in chosen for i in one.inputs)
    assert sum(weight_ms(one) for one in chosen if pool.has_heavy([one])) <= heavy_ms_max


CREATES = [create(serial, amounts=(1, 2)) for serial in range(6)]


SPENDS = [transfer(Coin(one, index), to=to) for one in CREATES for index in (0, 1) for to in (BOB, CAROL)]


DEEPER = [transfer(Coin(one, owner=BOB), to=ALICE) for one in SPENDS if one.outputs[0].owners == (BOB.public_key,)]


ALL = CREATES + SPENDS + DEEPER


class Interleavings(RuleBasedStateMachine):
    """L1 and L2 under any order of posting, cutting blocks, committing late, rejecting, and judging by older views."""

    def __init__(self) -> None:
        super().__init__()
        self.committed = Committed()
        self.pool = Pool(count_max=8, bytes_max=1_000_000)
        self.in_flight: list[Transaction] = []
        self.known_height = 0

    @rule(transaction=st.sampled_from(ALL))
    def post(self, transaction: Transaction) -> None:
        view = self.committed.view(Needs.of([transaction]))
        assert view.height >= self.known_height  # what the engine sees to
        with suppress(ValidationError, Overloaded):
            self.pool.admit(transaction, view, signatures_valid=True)

    @precondition(lambda self: not self.in_flight and len(self.pool) > 0)
    @rule(count=st.integers(1, 4))
    def commit(self, count: int) -> None:
        """The store has the block before the pool knows."""
        self.in_flight = self.pool.candidates(count_max=count, bytes_max=1_000_000)
        self.committed.add(*self.in_flight)

    @precondition(lambda self: self.in_flight)
    @rule()
    def learn_of_the_commit(self) -> None:
        self.pool.remove(transaction.id for transaction in self.in_flight)
        self.in_flight = []
        self.known_height = self.committed.height

    @precondition(lambda self: not self.in_flight and len(self.pool) > 0)
    @rule(data=st.data())
    def reject(self, data: st.DataObject) -> None:
        transaction = data.draw(st.sampled_from(list(self.pool)))
        assert self.pool.reject(transaction.id, ValidationError("a rule"))

    @invariant()
    def an_output_is_spent_at_most_once(self) -> None:
        by_id = {one.id: one for one in (*self.committed.present.values(), *self.pool)}
        spends = [i.fulfills for one in by_id.values() for i in one.inputs if i.fulfills is not None]
        assert len(spends) == len(set(spends))

    @invariant()
    def what_is_unspent_is_what_was_created(self) -> None:
        for asset in CREATES:
            if asset.id in self.committed.present:
                unspent = [
                    transaction.outputs[index].amount
                    for transaction, index in self.committed.unspent()
                    if transaction.asset_id == asset.id
                ]
                assert sum(unspent) == 3

    @invariant()
    def parents_precede_children(self) -> None:
        seen = set(self.committed.present)
        for transaction in self.pool:
            for input_ in transaction.inputs:
                assert input_.fulfills is None or input_.fulfills.transaction_id in seen
            seen.add(transaction.id)


TestInterleavings = Interleavings.TestCase


@given(st.lists(st.sampled_from(ALL), max_size=30))
def test_bytes_are_those_of_what_is_in_it(posted: list[Transaction]) -> None:
    pool = Pool(count_max=100, bytes_max=1_000_000)
    for transaction in posted:
        with suppress(ValidationError):
            pool.admit(transaction, Committed(), signatures_valid=True)
    assert pool.bytes == sum(len(transaction.body) for transaction in pool)
