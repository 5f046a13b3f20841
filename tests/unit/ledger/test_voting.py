"""Votes that 1.x clients can verify. The vectors are run in tests/vectors."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.errors import ImproperVoteError
from bigchaindb.ledger.block import NO_BLOCK_ID, Header
from bigchaindb.ledger.voting import check_vote, is_signed, make_vote, signed_by
from bigchaindb.transaction import KeyPair
from tests.support.chains import NODE

HEADER = Header("b" * 64, 7, 1_700_000_000, NODE.public_key, (NODE.public_key,), None)


def vote(key: KeyPair = NODE, *, reason: str | None = None, previous: str = NO_BLOCK_ID) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(make_vote(HEADER, previous, reason, key))
    return document


def test_a_vote_says_what_1_x_clients_look_for() -> None:
    assert vote()["node_pubkey"] == NODE.public_key
    assert vote()["vote"] == {
        "invalid_reason": None,
        "is_block_valid": True,
        "previous_block": NO_BLOCK_ID,
        "timestamp": "1700000000",
        "voting_for_block": "b" * 64,
    }


def test_a_vote_against_says_why() -> None:
    against = vote(reason="DoubleSpend at transactions[3]")["vote"]
    assert (against["is_block_valid"], against["invalid_reason"]) == (False, "DoubleSpend at transactions[3]")


@given(timestamp=st.integers(0, 9_999_999_999), reason=st.sampled_from([None, "AmountError at transactions[0]"]))
def test_every_vote_that_is_made_is_signed_and_well_formed(timestamp: int, reason: str | None) -> None:
    header = Header("c" * 64, 1, timestamp, NODE.public_key, (NODE.public_key,), None)
    made = make_vote(header, NO_BLOCK_ID, reason, NODE)
    document = json.loads(made)
    assert is_signed(document)
    check_vote(document)
    assert int(document["vote"]["timestamp"]) == timestamp
    assert made == make_vote(header, NO_BLOCK_ID, reason, NODE)
    assert made == json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def test_a_vote_that_was_changed_is_not_signed() -> None:
    changed = vote()
    changed["vote"]["is_block_valid"] = False
    assert not is_signed(changed)


@pytest.mark.parametrize(
    "document",
    [None, [], "vote", {}, {"node_pubkey": NODE.public_key}, {**vote(), "vote": {"a": float("nan")}}],
    ids=repr,
)
def test_whatever_is_no_vote_is_not_signed_and_breaks_the_schema(document: Any) -> None:
    """A stranger's document must not stop a count."""
    assert not is_signed(document)
    with pytest.raises(ImproperVoteError):
        check_vote(document)


@pytest.mark.parametrize("public_key", ["", "0" * 44, NODE.public_key[:-1]])
def test_keys_that_are_no_keys_sign_nothing(public_key: str) -> None:
    assert not signed_by(public_key, b"", vote()["signature"])
