"""Elections and votes as documents: known on networks only. Source: transactions.md, sections 1.3 and 7."""

import json
from hashlib import sha3_256
from typing import Any, Final

import pytest

from bigchaindb.errors import SchemaValidationError
from bigchaindb.transaction import build, parse, verify
from bigchaindb.transaction.canonical import canonical
from bigchaindb.transaction.conditions import condition_of, details_of, to_json
from bigchaindb.transaction.keys import decode_key, election_key
from bigchaindb.transaction.model import OutputRef
from bigchaindb.transaction.shape import POWER_MAX
from tests.support.chains import ALICE, BOB
from tests.support.elections import POWERS, election, vote

ELECTION: Final = election()
VOTE: Final = vote(ELECTION, ALICE)
BOTH: Final = pytest.mark.parametrize("transaction", [ELECTION, VOTE], ids=["election", "vote"])


def rehashed(document: dict[str, Any]) -> bytes:
    """Write the id that belongs to a document into it; its signatures are not made anew."""
    id_ = sha3_256(canonical({**document, "id": None}, "2.0")).hexdigest()
    return canonical({**document, "id": id_}, "2.0")


def refused(body: bytes, *, elections: bool = True) -> str:
    with pytest.raises(SchemaValidationError) as caught:
        parse(body, elections=elections)
    return str(caught.value)


def test_an_election_is_about_itself_and_a_vote_about_it() -> None:
    assert (ELECTION.operation, ELECTION.asset_id) == ("VALIDATOR_ELECTION", ELECTION.id)
    assert (VOTE.operation, VOTE.asset_id) == ("VOTE", ELECTION.id)
    assert [(output.owners, output.amount) for output in ELECTION.outputs] == [
        ((pair.public_key,), power) for pair, power in POWERS.items()
    ]
    assert [(output.owners, output.amount) for output in VOTE.outputs] == [((election_key(ELECTION.id),), 10)]
    assert VOTE.inputs[0].fulfills == OutputRef(ELECTION.id, 1)


def test_votes_are_paid_to_the_bytes_of_the_id() -> None:
    assert decode_key(election_key(ELECTION.id)).hex() == ELECTION.id


@BOTH
def test_what_is_built_verifies(transaction: Any) -> None:
    assert verify(transaction)


@pytest.mark.parametrize(("transaction", "operation"), [(ELECTION, "VALIDATOR_ELECTION"), (VOTE, "VOTE")])
def test_a_node_that_votes_alone_does_not_know_them(transaction: Any, operation: str) -> None:
    expected = f"'{operation}' is not one of ['CREATE', 'TRANSFER']"
    assert refused(transaction.body, elections=False) == expected
    with pytest.raises(SchemaValidationError):
        parse(transaction.body)


@pytest.mark.parametrize("operation", ["CHAIN_MIGRATION_ELECTION", "GENESIS", "FOO"])
def test_a_network_knows_no_others(operation: str) -> None:
    body = rehashed({**json.loads(ELECTION.body), "operation": operation})
    assert refused(body) == f"'{operation}' is not one of ['CREATE', 'TRANSFER', 'VALIDATOR_ELECTION', 'VOTE']"


@BOTH
def test_version_1_has_none(transaction: Any) -> None:
    document = {**json.loads(transaction.body), "version": "1.0"}
    assert "is not one of ['CREATE', 'TRANSFER', 'GENESIS']" in refused(rehashed(document))


@BOTH
def test_a_network_knows_assets_as_ever(transaction: Any) -> None:
    del transaction
    signed = build.create([ALICE], data={"a": 1})
    assert parse(signed.body, elections=True) == parse(signed.body)


KEY: Final = {"type": "ed25519-base64", "value": "x"}
BAD_DATA: Final[list[tuple[dict[str, Any], str]]] = [
    ({"power": -1}, "asset.data.power: "),
    ({"power": 1.5}, "asset.data.power: "),
    ({"power": True}, "asset.data.power: "),
    ({"power": "1"}, "asset.data.power: "),
    ({"power": POWER_MAX + 1}, "asset.data.power: "),
    ({"power": None}, "asset.data.power: "),
    ({"node_id": 1}, "asset.data.node_id: "),
    ({"node_id": "n" * 129}, "asset.data.node_id: "),
    ({"seed": 1}, "asset.data.seed: "),
    ({"seed": "s" * 129}, "asset.data.seed: "),
    ({"more": 1}, "asset.data: Additional properties are not allowed ('more' was unexpected)"),
    ({"public_key": "x"}, "asset.data.public_key: "),
    ({"public_key": {**KEY, "type": "ed25519"}}, "asset.data.public_key.type: "),
    ({"public_key": {**KEY, "value": "v" * 129}}, "asset.data.public_key.value: "),
    ({"public_key": {"value": "x"}}, "asset.data.public_key: 'type' is a required property"),
]


@pytest.mark.parametrize(("data", "message"), BAD_DATA)
def test_what_an_election_may_say(data: dict[str, Any], message: str) -> None:
    document = json.loads(ELECTION.body)
    document["asset"]["data"] |= data
    assert refused(rehashed(document)).startswith(message)


@pytest.mark.parametrize("name", ["node_id", "power", "public_key"])
def test_what_an_election_must_say(name: str) -> None:
    document = json.loads(ELECTION.body)
    del document["asset"]["data"][name]
    assert refused(rehashed(document)) == f"asset.data: '{name}' is a required property"


def test_a_seed_may_be_left_out() -> None:
    document = json.loads(ELECTION.body)
    del document["asset"]["data"]["seed"]
    assert parse(rehashed(document), elections=True).operation == "VALIDATOR_ELECTION"


@BOTH
def test_votes_are_held_by_single_keys(transaction: Any) -> None:
    """A voter could otherwise name the election and keep the votes."""
    document = json.loads(transaction.body)
    details = details_of([ALICE.public_key, BOB.public_key], threshold=1)
    document["outputs"][0]["condition"] = {"details": to_json(details), "uri": condition_of(details).uri}
    expected = "outputs[0].condition.details: expected ed25519-sha-256, as all votes have"
    assert refused(rehashed(document)) == expected
    del document["outputs"][0]["condition"]["details"]["type"]
    assert refused(rehashed(document)).startswith("outputs[0].condition.details: ")


def test_a_vote_spends_and_an_election_does_not() -> None:
    spending = {**json.loads(ELECTION.body), "inputs": json.loads(VOTE.body)["inputs"]}
    assert refused(rehashed(spending)).startswith("inputs[0].fulfills: ")
    spending = {**json.loads(VOTE.body), "inputs": json.loads(ELECTION.body)["inputs"]}
    assert refused(rehashed(spending)).startswith("inputs[0].fulfills: ")
