"""A block says what it is and who made it; whoever changes a byte is found out."""

from dataclasses import replace

import pytest

from bigchaindb.errors import InvalidHash, InvalidSignature, SybilError, ValidationError
from bigchaindb.ledger.block import Block, block_id, block_text, text_of
from bigchaindb.ledger.proposal import Fault, as_logged, can_be_carried, find_forgery, sign_proposal
from tests.support.chains import ALICE, NODE, create

VOTERS = [NODE.public_key]
BODIES = [create(1).body, create(2).body]


def signed(bodies: list[bytes] = BODIES) -> Block:
    return sign_proposal(bodies, height=3, timestamp=1_700_000_000, voters=VOTERS, key=NODE)


def test_a_signed_proposal_is_no_forgery() -> None:
    assert find_forgery(signed(), VOTERS) is None


def test_what_is_received_is_hashed_and_verified_whoever_sent_it() -> None:
    """Only the very block that this process has signed is spared that; its text is never taken for another's."""
    own = signed()
    received = Block(own.header, own.transactions)
    assert received == own
    assert received.text is None
    assert find_forgery(received, VOTERS) is None
    assert text_of(own) == text_of(received) == text_of(replace(own))
    assert replace(own, header=replace(own.header, timestamp=1)).text is None
    assert b'"timestamp":"1"' in text_of(replace(own, header=replace(own.header, timestamp=1)))


def error_of(block: Block) -> ValidationError | None:
    fault = find_forgery(block, VOTERS)
    return None if fault is None else fault.error


def test_another_content_has_another_id() -> None:
    assert isinstance(error_of(replace(signed(), transactions=tuple(BODIES[:1]))), InvalidHash)


def test_a_stranger_can_make_no_block() -> None:
    stranger = sign_proposal(BODIES, height=3, timestamp=1_700_000_000, voters=VOTERS, key=ALICE)
    error = error_of(stranger)
    assert isinstance(error, SybilError)
    assert str(error) == "Only federation nodes can create blocks"


@pytest.mark.parametrize("signature", [None, "", "1" * 88, signed(BODIES[:1]).header.signature])
def test_a_block_needs_the_signature_of_its_maker(signature: str | None) -> None:
    block = signed()
    error = error_of(replace(block, header=replace(block.header, signature=signature)))
    assert isinstance(error, InvalidSignature)
    assert str(error) == "Invalid block signature"


def test_the_reason_of_a_fault_has_no_librarys_wording() -> None:
    """It stands in votes and events, which must be equal on all nodes."""
    assert Fault("transactions", ValidationError("some text"), 3).reason == "ValidationError at transactions[3]"
    assert Fault("signature", InvalidSignature("some text")).reason == "InvalidSignature at signature"


@pytest.mark.parametrize(
    ("body", "carried"),
    [
        (BODIES[0], True),
        (b'{"a":1}', True),
        (b'{"b":1,"a":2}', False),
        (b'{"a": 1}', False),
        (b"[]", False),
        (b'{"a":', False),
        (b"\xff", False),
        (b'{"a":1e-7,"version":"1.0"}', True),
        (b'{"a":1e-07,"version":"2.0"}', True),
        (b'{"a":1e-7,"version":"2.0"}', False),
    ],
)
def test_an_event_carries_what_a_reader_can_parse_and_hash(body: bytes, *, carried: bool) -> None:
    assert can_be_carried(body) is carried


def test_a_rejected_proposal_is_logged_under_the_id_that_its_content_has() -> None:
    block = signed()
    forged = replace(block, header=replace(block.header, id="f" * 64, height=99))
    assert as_logged(forged, 3, block.transactions) == block


def test_a_rejected_proposal_that_cannot_be_carried_whole_has_no_signature() -> None:
    logged = as_logged(signed(), 3, BODIES[:1])
    assert logged.header.signature is None
    assert logged.transactions == (BODIES[0],)
    assert logged.header.id == block_id(block_text(1_700_000_000, BODIES[:1], NODE.public_key, VOTERS))
