"""All records of cometbft_0_38.json: the real program made and signed them, so our bytes are its bytes."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from bigchaindb.errors import ProofError
from bigchaindb.ledger.block import event_body
from bigchaindb.ledger.consensus import (
    BlockId,
    Moment,
    data_hash,
    precommit_sign_bytes,
    validators_hash,
    vote_extension_sign_bytes,
)
from bigchaindb.ledger.proofs.document import commit_proof
from bigchaindb.ledger.proofs.pieces import Trust, network_block
from bigchaindb.ledger.proofs.signed_header import ConsensusHeader, SignedHeader, header_hash
from bigchaindb.ledger.proofs.trusted import read_trust
from bigchaindb.ledger.proofs.verifying import verify
from bigchaindb.ledger.rejections import INTERNAL_MARK
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.transaction.keys import verify_signature

RECORDS: Final = json.loads((Path(__file__).parent / "data/cometbft_0_38.json").read_bytes())
BLOCKS: Final = [pytest.param(block, id=block["signed_header"]["header"]["height"]) for block in RECORDS["blocks"]]
CHAIN_ID: Final = "vector-chain"
FOR_BLOCK: Final = 2


def moment(text: str) -> Moment:
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return Moment(int(datetime.fromisoformat(f"{whole}+00:00").timestamp()), int(fraction.ljust(9, "0")))


def block_id(record: Mapping[str, Any]) -> BlockId:
    parts = record["parts"]
    return BlockId(bytes.fromhex(record["hash"]), parts["total"], bytes.fromhex(parts["hash"]))


def validators(block: Mapping[str, Any]) -> ValidatorSet:
    listed = [(base64.b64decode(v["pub_key"]["value"]), int(v["voting_power"])) for v in block["validators"]]
    return ValidatorSet.of(reversed(listed))  # the order that they are hashed in does not come from the list


def network_event(block: Mapping[str, Any]) -> bytes:
    """The event that a network would log about a block: here whatever begins without a zero byte is a client's."""
    found = block["signed_header"]["header"]
    shown = [one for one in map(base64.b64decode, block["txs"]) if not one.startswith(INTERNAL_MARK)]
    proposer = bytes.fromhex(found["proposer_address"])
    return event_body(
        network_block(int(found["height"]), moment(found["time"]).seconds, proposer, validators(block), shown)
    )


KEYS: Final = validators(RECORDS["blocks"][0]).by_address


@pytest.mark.parametrize("block", BLOCKS)
def test_the_hash_of_a_header_is_what_the_commit_names(block: Mapping[str, Any]) -> None:
    """The first block has empty fields, the others none."""
    signed = block["signed_header"]
    header = msgspec.convert(signed["header"], ConsensusHeader)
    assert header_hash(header).hex().upper() == signed["commit"]["block_id"]["hash"]


@pytest.mark.parametrize("block", BLOCKS)
def test_the_hash_over_the_transactions_is_the_headers(block: Mapping[str, Any]) -> None:
    """No transaction, one, and four."""
    transactions = [base64.b64decode(text) for text in block["txs"]]
    assert data_hash(transactions).hex().upper() == block["signed_header"]["header"]["data_hash"]


@pytest.mark.parametrize("block", BLOCKS)
def test_the_hash_over_the_validators_is_the_headers(block: Mapping[str, Any]) -> None:
    """Two of the four have equal power: their addresses decide."""
    assert validators_hash(validators(block)).hex().upper() == block["signed_header"]["header"]["validators_hash"]


@pytest.mark.parametrize("block", BLOCKS)
def test_the_precommits_on_a_block_are_signed_over_our_bytes(block: Mapping[str, Any]) -> None:
    commit = block["signed_header"]["commit"]
    signatures = [found for found in commit["signatures"] if found["block_id_flag"] == FOR_BLOCK]
    assert len(signatures) >= 3
    for found in signatures:
        signed = precommit_sign_bytes(
            CHAIN_ID, int(commit["height"]), commit["round"], block_id(commit["block_id"]), moment(found["timestamp"])
        )
        key = KEYS[bytes.fromhex(found["validator_address"])]
        assert verify_signature(key, signed, base64.b64decode(found["signature"]))


@pytest.mark.parametrize("vote", RECORDS["nil_precommits"], ids=lambda vote: vote["validator_address"][:8])
def test_the_precommits_for_no_block_are_signed_over_our_bytes(vote: Mapping[str, Any]) -> None:
    signed = precommit_sign_bytes(CHAIN_ID, int(vote["height"]), vote["round"], None, moment(vote["timestamp"]))
    key = KEYS[bytes.fromhex(vote["validator_address"])]
    assert verify_signature(key, signed, base64.b64decode(vote["signature"]))


@pytest.mark.parametrize("record", RECORDS["extended_commits"], ids=lambda record: record["height"])
def test_the_extensions_of_votes_are_signed_over_our_bytes(record: Mapping[str, Any]) -> None:
    """One of the three is empty, and of a round above 0."""
    assert record["round"] > 0
    assert sorted(bool(vote["extension"]) for vote in record["votes"]) == [False, True, True]
    for vote in record["votes"]:
        signed = vote_extension_sign_bytes(
            CHAIN_ID, record["height"], record["round"], bytes.fromhex(vote["extension"])
        )
        assert verify_signature(KEYS[bytes.fromhex(vote["address"])], signed, bytes.fromhex(vote["signature"]))


@pytest.mark.parametrize("block", BLOCKS)
def test_the_real_programs_commit_proves_an_event(block: Mapping[str, Any]) -> None:
    """The last of the blocks holds three transactions of clients behind one of the network's own, others none."""
    event = network_event(block)
    transactions = [base64.b64decode(text) for text in block["txs"]]
    signed = msgspec.convert(block["signed_header"], SignedHeader)
    document = commit_proof(event, signed, validators(block), transactions)
    trust = Trust(validators=validators(block), chain_id=CHAIN_ID)
    if all(one.startswith(INTERNAL_MARK) for one in transactions):
        with pytest.raises(ProofError, match="such a height is no event"):  # behind the checks of all that is signed
            verify(document, trust)
        return
    verified = verify(document, trust)
    assert verified.body == event
    assert verified.power in {27, 24}
    assert json.loads(verified.body)["height"] == int(block["signed_header"]["header"]["height"])


@pytest.mark.parametrize("block", BLOCKS)
def test_the_engines_list_of_validators_says_whom_to_trust(block: Mapping[str, Any]) -> None:
    assert read_trust(json.dumps({"validators": block["validators"]}).encode()).validators == validators(block)
