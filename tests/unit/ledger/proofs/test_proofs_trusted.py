"""Whom to trust comes from the reader of a proof, in the forms that he has."""

import base64
import json
from typing import Any

import pytest

from bigchaindb.api.validators import document
from bigchaindb.errors import ConfigurationError
from bigchaindb.ledger.proofs.trusted import TRUST_BYTES_MAX, read_trust
from tests.support.proofs import KEYS, POWERS, raw, set_of

PAIRS = list(zip(KEYS, POWERS, strict=True))


def genesis(**members: Any) -> dict[str, Any]:
    keys = [{"type": "tendermint/PubKeyEd25519", "value": base64.b64encode(raw(key)).decode()} for key, _ in PAIRS]
    listed = [{"address": "", "pub_key": key, "power": str(power)} for key, (_, power) in zip(keys, PAIRS, strict=True)]
    return {"chain_id": "proven", "validators": listed, "app_hash": "", **members}


def test_the_answer_of_a_node_is_taken_as_it_was_saved() -> None:
    answer = document(set_of())
    trust = read_trust(json.dumps(answer, indent=2).encode())
    assert (trust.validators, trust.chain_id) == (set_of(), None)


def test_a_genesis_says_which_chain_as_well() -> None:
    trust = read_trust(json.dumps(genesis()).encode())
    assert (trust.validators, trust.chain_id) == (set_of(), "proven")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "[1]",
        '{"validators": []}',
        '[{"public_key": {"type": "ed25519-base64", "value": "AA=="}, "voting_power": 1}]',
        json.dumps(genesis(validators=[*genesis()["validators"], genesis()["validators"][0]])),
        json.dumps(genesis(validators=[{"pub_key": genesis()["validators"][0]["pub_key"]}])),
        json.dumps(genesis(validators=[{**genesis()["validators"][0], "power": "0"}])),
        "[" * 100_000,
        '"\udcff"',
        json.dumps(genesis()).replace('"chain_id":', '"chain_id": "other", "chain_id":'),
        json.dumps(genesis()).replace('"app_hash": "', '"app_hash": "\udcff'),
        " " * (TRUST_BYTES_MAX + 1),
    ],
    ids=lambda text: text[:40],
)
def test_a_file_that_does_not_say_whom_to_trust_is_refused(text: str) -> None:
    """Nobody is trusted by mistake: an empty or half-read list would be a smaller network than was meant."""
    with pytest.raises(ConfigurationError):
        read_trust(text.encode(errors="surrogateescape"))
