"""Proofs of rejections: what the header and the validators of another height are worth."""

import json
from typing import Final

import msgspec
import pytest

from bigchaindb.ledger.block import block_id, block_text
from bigchaindb.ledger.consensus import validators_hash
from bigchaindb.ledger.proofs.pieces import Trust
from bigchaindb.ledger.proofs.verifying import verify
from bigchaindb.transaction.keys import encode
from tests.support.chains import ALICE
from tests.support.proofs import (
    CHAIN_ID,
    HEIGHT,
    KEYS,
    LARGE,
    POWERS,
    REASON,
    TRANSACTIONS,
    TRUST,
    Decided,
    Rejected,
    refusal,
    replaced,
    set_of,
)

# What a file of another height is worth

MORE: Final = Trust(validators=set_of((*KEYS, ALICE), (*POWERS, 1)), chain_id=CHAIN_ID)
"""Of another height: one more validator, and nearly all power in the same hands."""
NEEDED: Final = f"trusted: not the validators of height {HEIGHT}, whose file is needed: "


def with_voters_of(trust: Trust, document: bytes) -> bytes:
    """Forge an event that fits the reader's file of another height: its voters, and the id that follows from them."""
    event = json.loads(document)["event"]
    voters = sorted(map(encode, trust.validators.powers))
    text = block_text(int(event["block"]["timestamp"]), TRANSACTIONS, event["block"]["node_pubkey"], voters)
    event["block"]["voters"] = voters
    if "body_omitted" not in event:
        event["id"] = block_id(text)
    return replaced(document, ("event",), event)


@pytest.mark.parametrize("rejected", [Rejected(), Rejected(transactions=TRANSACTIONS)], ids=["partial", "whole"])
def test_the_validators_of_a_rejection_are_those_of_its_height(rejected: Rejected) -> None:
    """The header of its height names them: an event under the voters of a file of another height is false."""
    document = rejected.document()
    for one in (document, with_voters_of(MORE, document)):
        assert refusal(one, MORE).startswith(NEEDED)
        assert refusal(one, MORE).endswith(f"/api/v1/validators?height={HEIGHT}")
    assert "event.block.voters" in refusal(with_voters_of(MORE, document), TRUST)


def test_the_header_of_a_rejection_is_that_of_its_height() -> None:
    other = Rejected(decided=Decided(header={"height": str(HEIGHT + 1)}, commit_height=HEIGHT + 1))
    found = f"found {HEIGHT + 1}, but the rejection says {HEIGHT}"
    assert refusal(other.document()) == f"signed_header.header.height: {found}"


def test_a_header_that_its_validators_did_not_sign_says_nothing_of_them() -> None:
    """Else a forger writes the hash of any file into it."""
    assert "more than 2/3 decide" in refusal(Rejected(decided=Decided(flags=(2, 1, 1, 1))).document())
    assert "not a signature of its validator" in refusal(
        Rejected(decided=Decided(sign=lambda key, message: key.sign(message + b"x"))).document()
    )
    renamed = ("evidence", "signed_header", "header", "validators_hash")
    hash_ = validators_hash(MORE.validators).hex().upper()
    document = replaced(with_voters_of(MORE, Rejected().document()), renamed, hash_)
    assert "signed_header.header: not what the precommits name" in refusal(document, MORE)


def test_the_header_of_another_chain_proves_no_rejection_of_this_one() -> None:
    other = Rejected(decided=Decided(header={"chain_id": "other"})).document()
    assert "support[0]: not a signature of its validator" in refusal(other)


@pytest.mark.parametrize("trust", [TRUST, MORE], ids=["of its height", "of another"])
@pytest.mark.parametrize("omitted", [False, True])
def test_a_kept_rejection_proves_what_was_rejected_and_neither_id_nor_voters(trust: Trust, omitted: bool) -> None:  # noqa: FBT001 - a case
    kept = Rejected(said={"size": LARGE} if omitted else {}, body_omitted=omitted)
    for document in (kept.bare_document(), with_voters_of(MORE, kept.bare_document())):
        verified = verify(document, trust)
        assert (verified.kind, verified.reason, verified.is_bound) == ("rejection", REASON, False)
        assert (verified.block.header.id, verified.block.header.voters) == ("", ())
        shown = json.loads(document)["event"]
        del shown["id"], shown["block"]["voters"]
        assert json.loads(verified.body) == shown
        assert verified.body == msgspec.json.encode(msgspec.json.decode(verified.body))


def test_the_proposer_of_a_kept_rejection_is_the_one_that_it_names() -> None:
    key = ("event", "block", "node_pubkey")
    for other in (KEYS[0].public_key, "1" * 43):
        assert "event.block.node_pubkey: " in refusal(replaced(Rejected().bare_document(), key, other))
