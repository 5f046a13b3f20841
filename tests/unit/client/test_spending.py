"""Which outputs a transfer spends, and its change."""

import json
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.client.spending import asset_of, payment, signers_of, spending
from bigchaindb.documents import Transaction
from bigchaindb.errors import CannotSpend
from bigchaindb.transaction import build
from bigchaindb.transaction.build import Payment, Signed
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.keys import KeyPair

ALICE, BOB, CAROL = (KeyPair.from_seed(bytes([number]) * 32) for number in (1, 2, 3))


def document(signed: Signed) -> Transaction:
    return cast("Transaction", json.loads(signed.body))


def created(*owners_and_amounts: tuple[KeyPair, int], tag: int = 0) -> Transaction:
    paid = [Payment(details_of([key.public_key]), amount) for key, amount in owners_and_amounts]
    return document(build.create([ALICE], paid, data={"tag": tag}))


def shares(transaction: Transaction) -> list[tuple[list[str], int]]:
    return [(output["public_keys"], int(output["amount"])) for output in transaction["outputs"]]


def transfer(held: Transaction, amount: int | None = None, index: int | None = None) -> Transaction:
    what = spending([held], [ALICE], BOB.public_key, amount, index)
    return document(build.transfer(what.asset_id, what.spends, what.payments))


def test_all_of_what_the_signer_holds_is_passed_on() -> None:
    made = transfer(created((ALICE, 3), (BOB, 4), (ALICE, 5)))
    assert shares(made) == [([BOB.public_key], 8)]
    assert [one["fulfills"] and one["fulfills"]["output_index"] for one in made["inputs"]] == [0, 2]


def test_as_many_outputs_as_are_needed_and_the_change_goes_back() -> None:
    made = transfer(created((ALICE, 3), (ALICE, 5), (ALICE, 7)), 4)
    assert shares(made) == [([BOB.public_key], 4), ([ALICE.public_key], 4)]
    assert len(made["inputs"]) == 2


def test_one_output_alone() -> None:
    assert shares(transfer(created((ALICE, 3), (ALICE, 5)), index=1)) == [([BOB.public_key], 5)]


@given(amounts=st.lists(st.integers(1, 50), min_size=1, max_size=6), wanted=st.integers(1, 100))
def test_what_is_spent_is_what_is_paid(amounts: list[int], wanted: int) -> None:
    """T15, whatever is asked for; and nothing is spent that is not needed."""
    held = created(*((ALICE, amount) for amount in amounts))
    if wanted > sum(amounts):
        with pytest.raises(CannotSpend, match=f"hold.* {sum(amounts)} shares, found {wanted}"):
            spending([held], [ALICE], BOB.public_key, wanted, None)
        return
    what = spending([held], [ALICE], BOB.public_key, wanted, None)
    spent = [amounts[spend.output.output_index] for spend in what.spends]
    assert sum(spent) == sum(one.amount for one in what.payments) >= wanted > sum(spent[:-1])
    assert what == spending([held], [ALICE], BOB.public_key, wanted, None)


def test_what_several_own_is_spent_by_enough_of_them_and_their_change_stays_theirs() -> None:
    together = details_of([ALICE.public_key, BOB.public_key, CAROL.public_key], 2)
    held = document(build.create([ALICE], [Payment(together, 10)]))
    with pytest.raises(CannotSpend, match="none of the outputs belongs to"):
        spending([held], [CAROL], BOB.public_key, None, None)
    what = spending([held], [ALICE, CAROL], BOB.public_key, 4, None)
    assert [one.details for one in what.payments] == [details_of([BOB.public_key]), together]
    made = document(build.transfer(what.asset_id, what.spends, what.payments))
    assert shares(made)[1][1] == 6


def test_several_transactions_of_one_asset() -> None:
    first = created((ALICE, 3), (ALICE, 5))
    second = transfer(first, 1, index=0)  # 1 to Bob, 2 back to Alice
    what = spending([first, second], [ALICE], BOB.public_key, 10, None)
    assert [one.output for one in what.spends] == [(first["id"], 0), (first["id"], 1), (second["id"], 1)]
    assert what.asset_id == first["id"] == asset_of(second)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (([], [ALICE], BOB.public_key, None, None), "a transfer is of one asset; found 0"),
        (
            ([created((ALICE, 1)), created((ALICE, 1), tag=1)], [ALICE], BOB.public_key, None, None),
            "a transfer is of one asset; found 2",
        ),
        (([created((ALICE, 1))], [BOB], BOB.public_key, None, None), "none of the outputs belongs to"),
        (([created((ALICE, 1))], [BOB], BOB.public_key, None, 0), "belongs to .*, and the signing key is"),
        (([created((ALICE, 1))], [ALICE], BOB.public_key, None, 1), "has 1 outputs, .*; there is no output 1"),
        (([created((ALICE, 1))], [ALICE], BOB.public_key, None, -1), "there is no output -1"),
        (([created((ALICE, 3))], [ALICE], BOB.public_key, 4, None), "the output holds 3 shares, found 4"),
        (([created((ALICE, 3))], [ALICE], BOB.public_key, 0, 0), "amount: 0 is no number of shares"),
        (([created((ALICE, 3))], [ALICE], "bob.json", None, None), "to: 'bob.json' is not a base58 key"),
        (([created((ALICE, 3))], [ALICE], (), None, None), "to: no owner is named"),
    ],
)
def test_what_cannot_be_spent_is_said(arguments: tuple, error: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(CannotSpend, match=error):
        spending(*arguments)


def test_an_output_of_an_unknown_kind_is_passed_over() -> None:
    held = created((ALICE, 1), (ALICE, 2))
    held["outputs"][0]["condition"]["details"] = {"type": "prefix-sha-256"}  # type: ignore[typeddict-item]
    assert [one.output.output_index for one in spending([held], [ALICE], BOB.public_key, None, None).spends] == [1]


def test_owners_and_signers_are_one_or_several() -> None:
    assert signers_of(ALICE) == (ALICE,)
    assert signers_of([ALICE, BOB]) == (ALICE, BOB)
    assert payment([ALICE.public_key, BOB.public_key], 2).details == details_of([ALICE.public_key, BOB.public_key])
