"""Blocks and events in the form that 1.x clients and plugins know."""

import json

from bigchaindb.ledger.block import block_id, block_text, event_body, v1_block
from bigchaindb.ledger.effects import log_digest
from bigchaindb.ledger.proposal import sign_proposal
from tests.support.chains import NODE, create

BLOCK = sign_proposal(
    [create(1).body, create(2, version="1.0").body],
    height=5,
    timestamp=1_700_000_000,
    voters=[NODE.public_key],
    key=NODE,
)


def test_the_v1_document_holds_what_its_id_hashes() -> None:
    document = json.loads(v1_block(BLOCK))
    assert document.keys() == {"id", "block", "signature"}
    text = json.dumps(document["block"], sort_keys=True, separators=(",", ":")).encode()
    assert document["id"] == block_id(text) == BLOCK.header.id
    assert text == block_text(1_700_000_000, BLOCK.transactions, NODE.public_key, BLOCK.header.voters)


def test_the_body_of_an_event_is_canonical_and_holds_the_transactions_once() -> None:
    body = event_body(BLOCK)
    document = json.loads(body)
    assert document.keys() == {"id", "block", "height", "signature"}
    assert document["block"] == json.loads(v1_block(BLOCK))["block"]
    assert body == json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def test_the_body_of_an_invalid_block_says_why() -> None:
    body = event_body(BLOCK, "DoubleSpend at transactions[1]")
    document = json.loads(body)
    assert document["reason"] == "DoubleSpend at transactions[1]"
    assert body == json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def test_the_digest_of_the_log_depends_on_all_that_it_chains() -> None:
    base = log_digest(bytes(32), 1, 1, "a" * 64)
    others = [
        log_digest(b"\1" + bytes(31), 1, 1, "a" * 64),
        log_digest(bytes(32), 2, 1, "a" * 64),
        log_digest(bytes(32), 1, 2, "a" * 64),
        log_digest(bytes(32), 1, 1, "b" * 64),
    ]
    assert len({base, *others}) == 5
