"""All records of blocks_votes_v1.json: v1 blocks, v1 votes, v1 elections.

Where this node decides otherwise than 1.3.0, the record stands in a table by its name, with the reason.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from bigchaindb.errors import CriticalDuplicateVote, ImproperVoteError, ValidationError
from bigchaindb.ledger.block import Block, Header
from bigchaindb.ledger.proposal import find_forgery
from bigchaindb.ledger.validating import Parsed, ParseResult, validate_in_order
from bigchaindb.ledger.view import LoadedView, Overlay
from bigchaindb.ledger.voting import check_vote, is_signed
from bigchaindb.transaction import parse, verify
from bigchaindb.transaction.canonical import canonical
from tests.support.majority import tally

DATA: Final = Path(__file__).parent / "data"
VECTORS: Final = json.loads((DATA / "blocks_votes_v1.json").read_bytes())
TRANSACTIONS: Final = {record["name"]: record["tx"] for record in json.loads((DATA / "valid_v1.json").read_bytes())}
VOTES: Final = {record["name"]: record["vote"] for record in VECTORS["votes"]}

BLOCKS_DECIDED_DIFFERENTLY: Final = {
    "genesis": "no chain of this node begins with a GENESIS transaction, and none may come later",
    "create-and-spend": "an output may be spent in its own block, as in 2.x",
    "transaction-again": "1.x finds a repeat only when it votes; here the check of the block finds it",
}
"""Records of `blocks` whose `valid` is the opposite here."""

ERRORS_DECIDED_DIFFERENTLY: Final = {
    "transfer-again": "DoubleSpend",  # 1.x: CriticalDoubleSpend, for it counts the spends of the chain
    "empty": "ValidationError",  # 1.x: ValueError
    "extra-field-inside": "InvalidHash",  # 1.x drops the unknown member before it verifies the signature
}


def named(part: str) -> list[Any]:
    return [pytest.param(record, id=record["name"]) for record in VECTORS[part]]


def block_of(document: Mapping[str, Any]) -> Block:
    inner = document["block"]
    header = Header(
        id=document["id"],
        height=1,
        timestamp=int(inner["timestamp"]),
        node_pubkey=inner["node_pubkey"],
        voters=tuple(inner["voters"]),
        signature=document.get("signature"),
    )
    return Block(header, tuple(canonical(transaction, "1.0") for transaction in inner["transactions"]))


def parsed(body: bytes) -> ParseResult:
    try:
        transaction = parse(body)
    except ValidationError as error:
        return error
    return Parsed(transaction, verify(transaction))


def committed(names: list[str]) -> Overlay:
    state = Overlay(LoadedView(0, frozenset(), {}))
    for name in names:
        state.add(parse(canonical(TRANSACTIONS[name], "1.0")))
    return state


def errors_of(record: Mapping[str, Any]) -> Iterator[ValidationError]:
    """Check a block in the order of 1.x: what it claims, then its transactions."""
    block = block_of(record["block"])
    if (forgery := find_forgery(block, record["federation"])) is not None:
        yield forgery.error
    if not block.transactions:
        yield ValidationError("no transactions")
    state = committed(record["ledger"])
    yield from filter(None, validate_in_order([parsed(body) for body in block.transactions], state))


def accepts(record: Mapping[str, Any]) -> bool:
    try:
        return next(errors_of(record), None) is None
    except KeyError:  # the block lacks a member
        return False


@pytest.mark.parametrize("record", named("blocks"))
def test_block(record: dict[str, Any]) -> None:
    if record["name"] == "missing-voters":
        with pytest.raises(KeyError, match="voters"):
            block_of(record["block"])
        return
    error = next(errors_of(record), None)
    if record["name"] in BLOCKS_DECIDED_DIFFERENTLY:
        assert (error is None) is not record["valid"]
        return
    assert (error is None) is record["valid"], error
    if error is not None:
        expected = ERRORS_DECIDED_DIFFERENTLY.get(record["name"], record["error_class"])
        assert type(error).__name__ == expected


@pytest.mark.parametrize("record", named("blocks"))
def test_a_node_votes_on_a_block_as_1_x_did(record: dict[str, Any]) -> None:
    differs = record["name"] in BLOCKS_DECIDED_DIFFERENTLY and record["name"] != "transaction-again"
    assert (accepts(record) is bool(record["node_votes_valid"])) is not differs


@pytest.mark.parametrize("record", named("votes"))
def test_signature_of_a_vote(record: dict[str, Any]) -> None:
    assert is_signed(record["vote"]) is bool(record["signature_valid"])  # null: 1.x raised


@pytest.mark.parametrize("record", named("votes"))
def test_schema_of_a_vote(record: dict[str, Any]) -> None:
    if record["schema_valid"]:
        check_vote(record["vote"])
    else:
        with pytest.raises(ImproperVoteError):
            check_vote(record["vote"])


@pytest.mark.parametrize("record", named("elections"))
def test_election(record: dict[str, Any]) -> None:
    votes = [VOTES[name] for name in record["votes"]]
    if record.get("error_class") == "CriticalDuplicateVote":
        with pytest.raises(CriticalDuplicateVote, match=record["error_message"]):
            tally(record["block_id"], record["voters"], record["keyring"], votes)
        return
    outcome = tally(record["block_id"], record["voters"], record["keyring"], votes)
    if record["name"] == "with-pubkey-list":  # 1.x: TypeError; here a vote of nobody
        assert (outcome.status, outcome.n_valid, len(outcome.ineligible)) == ("undecided", 2, 1)
        return
    assert outcome.block_id == record["block_id"]
    assert outcome.status == record["status"]
    assert (outcome.n_valid, outcome.n_invalid) == (record["n_valid"], record["n_invalid"])
    assert outcome.previous_block == record["previous_block"]
    assert outcome.other_previous_block == record["other_previous_block"]
    assert (len(outcome.ineligible), len(outcome.malformed)) == (record["n_ineligible"], record["n_malformed"])


@pytest.mark.parametrize("record", named("election_blocks"))
def test_election_block_is_what_its_id_and_signature_say(record: dict[str, Any]) -> None:
    block = block_of(record["block"])
    assert find_forgery(block, block.header.voters) is None


def test_the_file_is_complete() -> None:
    counts = {part: len(VECTORS[part]) for part in ("blocks", "votes", "election_blocks", "elections")}
    assert counts == {"blocks": 33, "votes": 98, "election_blocks": 7, "elections": 162}
