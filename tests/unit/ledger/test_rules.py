"""The rules that need state, T8 to T16: each breaks alone, with the class and text that clients know."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from bigchaindb import errors
from bigchaindb.errors import ValidationError
from bigchaindb.ledger.rules import validate
from bigchaindb.transaction import Transaction
from bigchaindb.transaction.model import OutputRef
from tests.support.chains import ALICE, BOB, CAROL, NODE, Coin, Committed, create, transfer
from tests.support.elections import NEWCOMER, election, validators_of, vote

FIRST = create(1, amounts=(3, 4))
OTHER = create(2, amounts=(5,))
SPENT = create(3)
SPENDER = transfer(Coin(SPENT))
ABSENT = create(4)


def state() -> Committed:
    committed = Committed()
    committed.add(FIRST, OTHER, SPENT, SPENDER)
    return committed


class Broken(NamedTuple):
    rule: str
    transaction: Transaction
    error: type[ValidationError]
    message: str
    signatures_valid: bool = True


BROKEN = [
    Broken("T8", FIRST, errors.DuplicateTransaction, f"transaction `{FIRST.id}` already exists"),
    Broken("T9", create(9), errors.InvalidSignature, "Transaction signature is invalid.", signatures_valid=False),
    Broken("T10", transfer(Coin(ABSENT)), errors.InputDoesNotExist, f"input `{ABSENT.id}` doesn't exist"),
    Broken("T11", transfer(Coin(SPENT), to=CAROL), errors.DoubleSpend, f"input `{SPENT.id}` was already spent"),
    Broken("T11 for a repeat", SPENDER, errors.DoubleSpend, f"input `{SPENT.id}` was already spent"),
    Broken(
        "T13",
        transfer(Coin(FIRST), Coin(OTHER)),
        errors.AssetIdMismatch,
        "All inputs of all transactions passed need to have the same asset id",
    ),
    Broken(
        "T14",
        transfer(Coin(FIRST), asset_id=OTHER.id),
        errors.AssetIdMismatch,
        "The asset id of the input does not match the asset id of the transaction",
    ),
    Broken(
        "T15",
        transfer(Coin(FIRST), amounts=(1, 1)),
        errors.AmountError,
        "The amount used in the inputs `3` needs to be same as the amount used in the outputs `2`",
    ),
    Broken(
        "T15 for no outputs",
        transfer(Coin(FIRST), amounts=()),
        errors.AmountError,
        "The amount used in the inputs `3` needs to be same as the amount used in the outputs `0`",
    ),
    Broken(
        "T16, another's key",
        transfer(Coin(FIRST, owner=BOB)),
        errors.InvalidSignature,
        "Transaction signature is invalid.",
    ),
    Broken(
        "T16, bad signature",
        transfer(Coin(FIRST)),
        errors.InvalidSignature,
        "Transaction signature is invalid.",
        signatures_valid=False,
    ),
]


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.rule)
def test_each_rule_has_its_class_and_text(case: Broken) -> None:
    with pytest.raises(ValidationError) as caught:
        validate(case.transaction, state(), signatures_valid=case.signatures_valid)
    assert type(caught.value) is case.error
    assert str(caught.value) == case.message


def test_t10_an_output_that_its_transaction_does_not_have() -> None:
    beyond = replace(SPENDER, inputs=(replace(SPENDER.inputs[0], fulfills=OutputRef(FIRST.id, 2)),))
    with pytest.raises(errors.InputDoesNotExist, match=rf"^input `{FIRST.id}` doesn't exist$"):
        validate(beyond, state(), signatures_valid=True)


def test_t12_one_transaction_that_spends_an_output_twice() -> None:
    twice = transfer(Coin(FIRST), Coin(FIRST))
    with pytest.raises(errors.DoubleSpend, match=rf'^tx "{twice.id}" spends inputs twice$'):
        validate(twice, state(), signatures_valid=True)


def test_a_genesis_transaction_comes_too_late() -> None:
    genesis = replace(create(5), operation="GENESIS")
    with pytest.raises(errors.GenesisBlockAlreadyExistsError, match=r"^Duplicate GENESIS transaction$"):
        validate(genesis, state(), signatures_valid=True)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_versions_may_be_mixed(version: str) -> None:
    parent = create(6, version="1.0" if version == "2.0" else "2.0")
    committed = Committed()
    committed.add(parent)
    child = transfer(Coin(parent), version="2.0" if version == "2.0" else "1.0")
    validate(child, committed, signatures_valid=True)


def test_a_create_without_outputs_is_an_asset_without_owner() -> None:
    validate(create(7, amounts=()), state(), signatures_valid=True)


ORDER: list[tuple[str, Callable[[], Transaction], type[ValidationError]]] = [
    ("T10 before T11, input by input", lambda: transfer(Coin(ABSENT), Coin(SPENT)), errors.InputDoesNotExist),
    ("T11 before T10, input by input", lambda: transfer(Coin(SPENT), Coin(ABSENT)), errors.DoubleSpend),
    ("T11 before T13", lambda: transfer(Coin(FIRST), Coin(SPENT)), errors.DoubleSpend),
    ("T12 before T14", lambda: transfer(Coin(FIRST), Coin(FIRST), asset_id=OTHER.id), errors.DoubleSpend),
    ("T13 before T15", lambda: transfer(Coin(FIRST), Coin(OTHER), amounts=(1,)), errors.AssetIdMismatch),
    ("T14 before T15", lambda: transfer(Coin(FIRST), asset_id=OTHER.id, amounts=(1,)), errors.AssetIdMismatch),
    ("T15 before T16", lambda: transfer(Coin(FIRST, owner=BOB), amounts=(1,)), errors.AmountError),
]


@pytest.mark.parametrize(("make", "error"), [row[1:] for row in ORDER], ids=[row[0] for row in ORDER])
def test_the_first_broken_rule_is_the_one_that_is_told(
    make: Callable[[], Transaction], error: type[ValidationError]
) -> None:
    with pytest.raises(ValidationError) as caught:
        validate(make(), state(), signatures_valid=False)
    assert type(caught.value) is error


def test_a_good_transfer_passes() -> None:
    validate(transfer(Coin(FIRST, 0, ALICE), Coin(FIRST, 1, ALICE)), state(), signatures_valid=True)


ELECTION = election()
"""Committed in none of the states below but where it says so."""


def test_a_good_election_passes() -> None:
    validate(ELECTION, state(), signatures_valid=True, validators=validators_of())


ELECTION_ORDER = [
    ("T8 first", election(proposer=NEWCOMER), True, errors.DuplicateTransaction),
    ("T9 before its own rules", election(1, proposer=NEWCOMER), False, errors.InvalidSignature),
    ("then its own rules", election(1, proposer=NEWCOMER), True, errors.InvalidProposer),
]


@pytest.mark.parametrize(
    ("transaction", "signatures_valid", "error"),
    [row[1:] for row in ELECTION_ORDER],
    ids=[r[0] for r in ELECTION_ORDER],
)
def test_an_election_is_a_new_transaction_with_rules_of_its_own(
    transaction: Transaction, error: type[ValidationError], *, signatures_valid: bool
) -> None:
    committed = state()
    committed.add(election(proposer=NEWCOMER))
    with pytest.raises(ValidationError) as caught:
        validate(transaction, committed, signatures_valid=signatures_valid, validators=validators_of())
    assert type(caught.value) is error


def test_a_vote_is_a_transfer_by_its_rules() -> None:
    """Whoever voted has no votes left, and nobody votes for another."""
    committed = state()
    committed.add(ELECTION)
    validate(vote(ELECTION, ALICE), committed, signatures_valid=True, validators=validators_of())
    with pytest.raises(errors.InvalidSignature):
        validate(vote(ELECTION, ALICE), committed, signatures_valid=False, validators=validators_of())
    foreign = replace(vote(ELECTION, ALICE), inputs=vote(ELECTION, NODE).inputs)
    foreign = replace(foreign, inputs=(replace(foreign.inputs[0], fulfills=OutputRef(ELECTION.id, 1)),))
    with pytest.raises(errors.InvalidSignature):
        validate(foreign, committed, signatures_valid=True, validators=validators_of())
    committed.add(vote(ELECTION, ALICE))
    with pytest.raises(errors.DoubleSpend):
        validate(vote(ELECTION, ALICE), committed, signatures_valid=True, validators=validators_of())
