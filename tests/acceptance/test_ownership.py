"""Owning together, in parts, and in turns.

Source: docs/reference/contract/driver-expectations.md, section 3, checks 5, 9, 10, 14 and 17.
"""

import pytest

from tests.support.clients import Client, Document, KeyPair, Recipient, RefusedError, Spend


def refused_for(client: Client, transaction: Document, reason: str) -> None:
    with pytest.raises(RefusedError) as refused:
        client.post(transaction)
    assert refused.value.status == 400
    assert not client.reads_error_bodies or f"Invalid transaction ({reason})" in refused.value.text


def counts(client: Client, owner: KeyPair) -> tuple[int, int, int]:
    return tuple(len(client.outputs(owner, spent=spent)) for spent in (True, False, None))  # type: ignore[return-value]


def test_5_spent_and_unspent_outputs_are_told_apart(client: Client) -> None:
    carol, dimi = client.keys(), client.keys()
    assert counts(client, carol) == (0, 0, 0)
    bicycle = client.commit(client.create(carol, data={"bicycle": 1}))
    car = client.commit(client.create(carol, data={"car": 1}))
    assert counts(client, carol) == (0, 2, 2)
    client.commit(client.transfer([Spend(car, 0, (carol,))], [Recipient((dimi,))]))
    assert counts(client, carol) == (1, 1, 2)
    assert client.outputs(carol, spent=False) == [(bicycle["id"], 0)]


def test_5_one_of_several_outputs_of_a_transaction_is_spent(client: Client) -> None:
    """Outputs are told apart by transaction and index, not by transaction alone."""
    alice, bob = client.keys(), client.keys()
    made = client.commit(client.create(alice, [Recipient((alice,), amount) for amount in (1, 2, 3)]))
    client.commit(client.transfer([Spend(made, 1, (alice,))], [Recipient((bob,), 2)]))
    assert client.outputs(alice, spent=True) == [(made["id"], 1)]
    assert client.outputs(alice, spent=False) == [(made["id"], 0), (made["id"], 2)]


def test_9_and_17_owners_together_own_and_spend(client: Client) -> None:
    alice, bob, carol = (client.keys() for _ in range(3))
    car = client.commit(client.create(alice, [Recipient((alice, bob))], data={"car": "shared"}))
    assert len(car["outputs"][0]["public_keys"]) == 2
    assert "threshold-sha-256" in car["outputs"][0]["condition"]["uri"]
    for owner in (alice, bob):
        assert client.outputs(owner, spent=False) == [(car["id"], 0)]

    to_three = client.commit(client.transfer([Spend(car, 0, (alice, bob))], [Recipient((alice, bob, carol))]))
    assert len(to_three["outputs"][0]["public_keys"]) == 3
    assert client.outputs(alice, spent=True) == [(car["id"], 0)]
    alone = client.transfer([Spend(to_three, 0, (alice, bob, carol))], [Recipient((carol,))])
    assert client.retrieve(client.commit(alone)["id"]) == alone


def test_9_one_owner_alone_cannot_take_what_several_own(client: Client) -> None:
    alice, bob = client.keys(), client.keys()
    car = client.commit(client.create(alice, [Recipient((alice, bob))]))
    theft = client.transfer([Spend(_as_if_owned_by_one(car), 0, (alice,))], [Recipient((alice,))])
    refused_for(client, theft, "InvalidSignature")


def _as_if_owned_by_one(transaction: Document) -> Document:
    """What a thief tells the driver: the output is mine alone."""
    output = transaction["outputs"][0]
    single = {**output, "public_keys": output["public_keys"][:1]}
    details = output["condition"]["details"]["subconditions"][0]
    return {**transaction, "outputs": [{**single, "condition": {**output["condition"], "details": details}}]}


def test_10_shares_are_split_and_joined(client: Client) -> None:
    alice, bob, carol = (client.keys() for _ in range(3))
    tokens = client.commit(client.create(alice, [Recipient((alice,), 10)], data={"tokens": "hours"}))
    split = client.commit(
        client.transfer(
            [Spend(tokens, 0, (alice,))], [Recipient((bob,), 3), Recipient((carol,), 2), Recipient((alice,), 5)]
        )
    )
    assert [output["amount"] for output in split["outputs"]] == ["3", "2", "5"]
    joined = client.commit(
        client.transfer([Spend(split, 0, (bob,)), Spend(split, 1, (carol,))], [Recipient((alice,), 5)])
    )
    assert client.outputs(alice, spent=False) == [(split["id"], 2), (joined["id"], 0)]
    assert client.outputs(bob, spent=False) == client.outputs(carol, spent=False) == []


@pytest.mark.parametrize("passed_on", [(9,), (11,), (10, 1)])
def test_10_shares_are_neither_made_nor_lost(client: Client, passed_on: tuple[int, ...]) -> None:
    alice, bob = client.keys(), client.keys()
    tokens = client.commit(client.create(alice, [Recipient((alice,), 10)]))
    wrong = client.transfer([Spend(tokens, 0, (alice,))], [Recipient((bob,), amount) for amount in passed_on])
    refused_for(client, wrong, "AmountError")
    with_text = (
        f"The amount used in the inputs `10` needs to be same as the amount used in the outputs `{sum(passed_on)}`"
    )
    if client.reads_error_bodies:
        with pytest.raises(RefusedError, match=with_text):
            client.post(wrong)


def test_10_nobody_spends_twice(client: Client) -> None:
    alice, bob, carol = (client.keys() for _ in range(3))
    coin = client.commit(client.create(alice))
    client.commit(client.transfer([Spend(coin, 0, (alice,))], [Recipient((bob,))]))
    refused_for(client, client.transfer([Spend(coin, 0, (alice,))], [Recipient((carol,))]), "DoubleSpend")


def test_14_inputs_from_one_transaction_and_from_several(client: Client) -> None:
    alice, bob = client.keys(), client.keys()
    made = client.commit(client.create(alice, [Recipient((alice,), 4), Recipient((alice,), 6)]))
    both = client.commit(
        client.transfer(
            [Spend(made, 0, (alice,)), Spend(made, 1, (alice,))], [Recipient((alice,), 7), Recipient((bob,), 3)]
        )
    )
    halves = [
        client.commit(client.transfer([Spend(both, index, (owner,))], [Recipient((bob,), amount)]))
        for index, owner, amount in ((0, alice, 7), (1, bob, 3))
    ]
    last = client.commit(client.transfer([Spend(half, 0, (bob,)) for half in halves], [Recipient((alice,), 10)]))
    assert client.outputs(alice, spent=False) == [(last["id"], 0)]


def test_14_a_block_holds_a_transaction_once(client: Client) -> None:
    made = client.commit(client.create(client.keys()))
    height = client.height(made["id"])
    assert height
    ids = [one["id"] for one in client.block(height)["transactions"]]
    assert ids.count(made["id"]) == 1


def test_17_keys_of_43_and_of_44_characters_own(client: Client) -> None:
    lengths: dict[int, KeyPair] = {}
    for _ in range(2000):  # about one key in twenty has 43 characters
        pair = client.keys()
        lengths.setdefault(len(pair.public), pair)
        if {43, 44} <= lengths.keys():
            break
    short, long = lengths[43], lengths[44]
    made = client.commit(client.create(short))
    assert len(made["inputs"][0]["fulfillment"]) == 136
    moved = client.commit(client.transfer([Spend(made, 0, (short,))], [Recipient((long,))]))
    assert client.outputs(short) == [(made["id"], 0)]
    assert client.outputs(long) == [(moved["id"], 0)]
