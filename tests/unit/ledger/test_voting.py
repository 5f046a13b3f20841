"""Votes that 1.x clients can verify, and the table of elections. The vectors are run in tests/vectors."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.errors import CriticalDuplicateVote, ImproperVoteError
from bigchaindb.ledger.block import NO_BLOCK_ID, Header
from bigchaindb.ledger.voting import check_vote, decide, is_signed, make_vote, signed_by, tally
from bigchaindb.transaction import KeyPair
from tests.support.chains import ALICE, BOB, CAROL, NODE

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


@pytest.mark.parametrize(
    ("n_voters", "n_valid", "n_invalid", "status"),
    [
        (0, 0, 0, "invalid"),
        (1, 0, 0, "undecided"),
        (1, 1, 0, "valid"),
        (1, 0, 1, "invalid"),
        (2, 1, 0, "undecided"),
        (2, 1, 1, "invalid"),
        (2, 2, 0, "valid"),
        (3, 2, 0, "valid"),
        (3, 1, 1, "undecided"),
        (3, 1, 2, "invalid"),
        (4, 2, 0, "undecided"),
        (4, 3, 0, "valid"),
        (4, 2, 2, "invalid"),
        (4, 3, 1, "valid"),
    ],
)
def test_the_table_of_the_contract(n_voters: int, n_valid: int, n_invalid: int, status: str) -> None:
    assert decide(n_voters, n_valid, n_invalid) == status


@given(n_voters=st.integers(1, 50), data=st.data())
def test_a_decided_election_stays_decided_whatever_votes_follow(n_voters: int, data: st.DataObject) -> None:
    """Otherwise one node could log a block as valid and another, which saw more votes, as invalid."""
    n_valid = data.draw(st.integers(0, n_voters))
    n_invalid = data.draw(st.integers(0, n_voters - n_valid))
    status = decide(n_voters, n_valid, n_invalid)
    more_valid = data.draw(st.integers(n_valid, n_voters - n_invalid))
    more_invalid = data.draw(st.integers(n_invalid, n_voters - more_valid))
    if status != "undecided":
        assert decide(n_voters, more_valid, more_invalid) == status


def test_a_network_of_one_is_decided_by_its_own_vote() -> None:
    outcome = tally(HEADER.id, HEADER.voters, [NODE.public_key], [vote()])
    assert (outcome.status, outcome.n_valid, outcome.previous_block) == ("valid", 1, NO_BLOCK_ID)


def test_strangers_are_set_aside_and_the_outvoted_are_told() -> None:
    voters = [key.public_key for key in (ALICE, BOB, CAROL)]
    votes = [vote(ALICE), vote(BOB, previous="d" * 64), vote(CAROL), vote(NODE), "nonsense"]
    outcome = tally(HEADER.id, voters, voters, votes)
    assert (outcome.status, outcome.n_valid, outcome.n_invalid) == ("valid", 2, 1)
    assert outcome.other_previous_block == {"d" * 64: 1}
    assert outcome.ineligible == (votes[3], "nonsense")


def test_a_signed_vote_that_breaks_the_schema_counts_as_invalid() -> None:
    """A voter must not be able to hide a vote against a block in a document that nobody reads."""
    malformed = {**vote(ALICE), "more": 1}
    outcome = tally(HEADER.id, [ALICE.public_key], [ALICE.public_key], [malformed])
    assert (outcome.status, outcome.malformed) == ("invalid", (malformed,))


def test_two_votes_of_one_voter_stop_the_count() -> None:
    with pytest.raises(CriticalDuplicateVote, match=f"{NODE.public_key} voted twice"):
        tally(HEADER.id, HEADER.voters, HEADER.voters, [vote(), vote(reason="second thoughts")])
