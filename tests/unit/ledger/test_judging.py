"""The transactions of a block, each judged by what stands before it."""

from bigchaindb.errors import DoubleSpend, DuplicateTransaction, InputDoesNotExist, InvalidProposer, MalformedJson
from bigchaindb.ledger.judging import Examination, Examined, judge, require_exact, transactions_of
from bigchaindb.transaction import Transaction
from tests.support.chains import ALICE, CAROL, Coin, Committed, create, transfer
from tests.support.elections import NEWCOMER, election, validators_of, vote

PARENT = create(1)
CHILD = transfer(Coin(PARENT))
RIVAL = transfer(Coin(PARENT), to=CAROL)


def classes(*transactions: Transaction) -> list[type | None]:
    examined = [Examined(transaction, signatures_valid=True) for transaction in transactions]
    return [None if error is None else type(error) for error in judge(examined, Committed())]


def test_an_output_may_be_spent_in_its_own_block_after_it_was_made() -> None:
    assert classes(PARENT, CHILD) == [None, None]
    assert classes(CHILD, PARENT) == [InputDoesNotExist, None]


def test_l1_one_block_spends_an_output_once() -> None:
    assert classes(PARENT, CHILD, RIVAL) == [None, None, DoubleSpend]


def test_one_block_holds_a_transaction_once() -> None:
    assert classes(PARENT, CHILD, PARENT, CHILD) == [None, None, DuplicateTransaction, DuplicateTransaction]


def test_what_is_invalid_leaves_no_trace_in_the_state() -> None:
    """An attacker could otherwise make good transactions fail by putting bad ones before them."""
    state = Committed()
    state.add(PARENT)
    examined = [Examined(RIVAL, signatures_valid=False), Examined(CHILD, signatures_valid=True)]
    assert [error is None for error in judge(examined, state)] == [False, True]


def test_what_could_not_be_read_keeps_its_error() -> None:
    error = MalformedJson("no JSON")
    examined: list[Examination] = [error, Examined(PARENT, signatures_valid=True)]
    assert list(judge(examined, Committed())) == [error, None]
    assert transactions_of(examined) == [PARENT]


def test_only_the_exact_canonical_bytes_may_stand_in_a_block() -> None:
    examined = Examined(PARENT, signatures_valid=True)
    error = MalformedJson("no JSON")
    assert require_exact(PARENT.body, examined) is examined
    assert isinstance(require_exact(PARENT.body + b" ", examined), MalformedJson)
    assert require_exact(b"", error) is error


def test_elections_are_judged_by_the_validators_before_the_block() -> None:
    proposed = election()
    block = [proposed, vote(proposed, ALICE), election(proposer=NEWCOMER)]
    examined = [Examined(one, signatures_valid=True) for one in block]
    found = [type(error) for error in judge(examined, Committed(), validators=validators_of())]
    assert found == [type(None), type(None), InvalidProposer]
