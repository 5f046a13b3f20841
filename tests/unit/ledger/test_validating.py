"""The transactions of a block, each judged by what stands before it."""

from bigchaindb.errors import DoubleSpend, DuplicateTransaction, InputDoesNotExist, InvalidProposer, MalformedJson
from bigchaindb.ledger.validating import Parsed, ParseResult, require_exact, transactions_of, validate_in_order
from bigchaindb.transaction import Transaction
from tests.support.chains import ALICE, CHILD, PARENT, RIVAL, Committed
from tests.support.elections import NEWCOMER, election, validators_of, vote


def classes(*transactions: Transaction) -> list[type | None]:
    parsed = [Parsed(transaction, signatures_valid=True) for transaction in transactions]
    return [None if error is None else type(error) for error in validate_in_order(parsed, Committed())]


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
    parsed = [Parsed(RIVAL, signatures_valid=False), Parsed(CHILD, signatures_valid=True)]
    assert [error is None for error in validate_in_order(parsed, state)] == [False, True]


def test_what_could_not_be_read_keeps_its_error() -> None:
    error = MalformedJson("no JSON")
    parsed: list[ParseResult] = [error, Parsed(PARENT, signatures_valid=True)]
    assert list(validate_in_order(parsed, Committed())) == [error, None]
    assert transactions_of(parsed) == [PARENT]


def test_only_the_exact_canonical_bytes_may_stand_in_a_block() -> None:
    parsed = Parsed(PARENT, signatures_valid=True)
    error = MalformedJson("no JSON")
    assert require_exact(PARENT.body, parsed) is parsed
    assert isinstance(require_exact(PARENT.body + b" ", parsed), MalformedJson)
    assert require_exact(b"", error) is error


def test_elections_are_judged_by_the_validators_before_the_block() -> None:
    proposed = election()
    block = [proposed, vote(proposed, ALICE), election(proposer=NEWCOMER)]
    parsed = [Parsed(one, signatures_valid=True) for one in block]
    found = [type(error) for error in validate_in_order(parsed, Committed(), validators=validators_of())]
    assert found == [type(None), type(None), InvalidProposer]
