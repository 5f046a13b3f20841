"""A proof proves its event and nothing else: whatever is changed in it, whoever changes it."""

import base64
import json
import string
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.errors import ProofError
from bigchaindb.ledger.bundle import bundle_of
from bigchaindb.ledger.proofs.document import PROOF_BYTES_MAX
from bigchaindb.ledger.proofs.pieces import Trust
from bigchaindb.ledger.proofs.verifying import verify
from bigchaindb.ledger.rejections import BODY_BYTES_MAX
from bigchaindb.ledger.validators import ValidatorSet, address_of
from bigchaindb.transaction import KeyPair
from tests.support.chains import ALICE, create
from tests.support.proofs import (
    CHAIN_ID,
    HEIGHT,
    INTERNAL,
    KEYS,
    LARGE,
    NODE_TRUST,
    PROOFS,
    REASON,
    TIME,
    TRANSACTIONS,
    TRUST,
    Decided,
    Path,
    Rejected,
    changed,
    node_document,
    raw,
    refusal,
    replaced,
    set_of,
)

LETTERS: Final = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"


def strings(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield all texts of a document with the names of their members."""
    if isinstance(value, str):
        yield name, value
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield from strings(inner, key)
    for inner in value if isinstance(value, list) else ():
        yield from strings(inner, name)


def test_a_valid_block_of_a_network_is_proven() -> None:
    document, trust = PROOFS["commit"]
    verified = verify(document, trust)
    assert (verified.kind, verified.chain_id, verified.reason) == ("commit", CHAIN_ID, None)
    assert (verified.power, verified.total) == (20, 27)  # one voted for no block
    header = verified.block.header
    assert (header.height, header.timestamp, header.node_pubkey) == (HEIGHT, TIME.seconds, KEYS[1].public_key)
    assert header.voters == tuple(sorted(key.public_key for key in KEYS))
    assert verified.block.transactions == TRANSACTIONS
    assert json.loads(verified.body) == json.loads(document)["event"]


def test_a_block_of_bundles_is_proven_by_their_order() -> None:
    document, trust = PROOFS["commit-2"]
    assert json.loads(document)["evidence"]["order"] == [0, 2]
    verified = verify(document, trust)
    assert (verified.kind, verified.block.transactions) == ("commit-2", TRANSACTIONS)
    assert verified.body == verify(*PROOFS["commit"]).body
    single = Decided(transactions=(bundle_of(TRANSACTIONS[:1]), *INTERNAL, TRANSACTIONS[1])).document()
    assert json.loads(single)["evidence"]["order"] == [1, 0, 0]
    assert verify(single, trust).body == verified.body


@pytest.mark.parametrize("order", [[], [2], [0, 1], [0, 3], [0, 2, 0], [0, 0, 1, 1]])
def test_the_order_of_a_bundle_must_be_of_its_transactions(order: list[int]) -> None:
    assert refusal(replaced(PROOFS["commit-2"][0], ("evidence", "order"), order)) == "order: not of 3 transactions"


@pytest.mark.parametrize("order", [[0, 1, 1], [1, 2], [3], [1, 1, 0], [0, 0, 1]])
def test_the_order_of_another_bundle_is_not_what_was_signed(order: list[int]) -> None:
    found = refusal(replaced(PROOFS["commit-2"][0], ("evidence", "order"), order))
    assert found == "transactions: not those that the header names"


def test_an_order_without_a_bundle_is_none() -> None:
    """Else a block without bundles has proofs of two kinds."""
    document = json.loads(PROOFS["commit"][0])
    document["evidence"] |= {"kind": "commit-2", "order": [0, 0, 0]}
    assert refusal(json.dumps(document).encode()).startswith("order: of no bundle")


def test_a_bundle_is_not_proven_without_its_order() -> None:
    document = json.loads(PROOFS["commit-2"][0])
    document["evidence"]["kind"] = "commit"
    del document["evidence"]["order"]
    assert refusal(json.dumps(document).encode()) == "transactions: not those that the header names"


def test_an_invalid_block_of_a_network_is_proven_with_its_reason() -> None:
    document, trust = PROOFS["rejection"]
    verified = verify(document, trust)
    assert (verified.kind, verified.reason, verified.power) == ("rejection-2", REASON, 24)
    assert (verified.chain_id, verified.block.header.voters) == (CHAIN_ID, tuple(sorted(k.public_key for k in KEYS)))
    assert verified.block.header.node_pubkey == KEYS[3].public_key
    assert verified.block.transactions == TRANSACTIONS
    assert json.loads(verified.body) == json.loads(document)["event"]


def test_an_invalid_block_without_its_transactions_is_proven() -> None:
    document, trust = PROOFS["rejection of a large body"]
    verified = verify(document, trust)
    assert (verified.block.header.id, verified.block.transactions) == ("ab" * 32, ())
    assert json.loads(verified.body)["body_omitted"] is True


@pytest.mark.parametrize("transactions", [(), INTERNAL])
def test_a_height_without_transactions_of_clients_is_no_event(transactions: tuple[bytes, ...]) -> None:
    """Validators sign such heights as well, and no log holds an event about one."""
    assert "is no event" in refusal(Decided(transactions=transactions, shown=()).document())


@pytest.mark.parametrize("reason", [None, REASON])
def test_a_block_of_one_node_is_proven_by_its_signature_and_its_vote(reason: str | None) -> None:
    verified = verify(node_document(reason), NODE_TRUST)
    assert (verified.kind, verified.reason, verified.chain_id) == ("node", reason, None)
    assert verified.block.transactions == TRANSACTIONS
    assert json.loads(verified.body) == json.loads(node_document(reason))["event"]


def test_a_rejected_block_of_one_node_may_lack_the_signature_that_its_vote_stands_for() -> None:
    unsigned = replaced(node_document(REASON), ("event", "signature"), None)
    assert verify(unsigned, NODE_TRUST).block.header.signature is None
    assert "event.signature: missing" in refusal(replaced(node_document(), ("event", "signature"), None), NODE_TRUST)


@pytest.mark.parametrize("name", PROOFS)
def test_the_layout_of_the_document_does_not_matter(name: str) -> None:
    """People and tools reformat JSON; what was signed has one form alone."""
    document, trust = PROOFS[name]
    assert verify(json.dumps(json.loads(document), indent=4).encode(), trust) == verify(document, trust)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_nothing_else_is_a_proof(document: bytes) -> None:
    with pytest.raises(ProofError):
        verify(document, TRUST)


# Forgers who compute all hashes anew, and sign with the keys that they have


def stranger(count: int = 4) -> tuple[KeyPair, ...]:
    return tuple(KeyPair.from_seed(bytes([number]) * 32) for number in range(1, count + 1))


def test_validators_that_are_not_trusted_prove_nothing() -> None:
    """The proof brings its own validators, consistent in itself: anyone can make that."""
    assert "power: 0 of the 27 that are trusted" in refusal(Decided(keys=stranger()).document())
    assert "power: 0 of the 1 that are trusted" in refusal(node_document(key=ALICE), NODE_TRUST)
    assert "none of the trusted validators" in refusal(Rejected(signers=stranger()).document())
    assert "power" in refusal(PROOFS["commit"][0], Trust(validators=ValidatorSet({})))


@pytest.mark.parametrize(
    ("powers", "flags"),
    [
        ((1, 1, 1), (2, 2, 1)),  # exactly two thirds
        ((1, 1, 1), (2, 2, 3)),
        ((10, 7, 7, 3), (2, 2, 1, 1)),
    ],
)
def test_two_thirds_of_the_power_are_not_enough(powers: tuple[int, ...], flags: tuple[int, ...]) -> None:
    keys = KEYS[: len(powers)]
    document = Decided(keys=keys, powers=powers, flags=flags).document()
    assert "more than 2/3 decide" in refusal(document, Trust(validators=set_of(keys, powers)))


def test_two_thirds_of_the_trusted_power_are_not_enough() -> None:
    """The validators of the block may be others than the trusted ones, who must have signed it all the same."""
    document = Decided(keys=KEYS[:3], powers=(1, 1, 1), flags=(2, 2, 2)).document()
    assert verify(document, Trust(validators=set_of(KEYS, (3, 3, 3, 4)))).power == 9
    assert "9 of the 14" in refusal(document, Trust(validators=set_of(KEYS, (3, 3, 3, 5))))
    assert "6 of the 9" in refusal(document, Trust(validators=set_of((*KEYS[:2], ALICE), (3, 3, 3))))
    weak = Rejected(signers=KEYS[:2]).document()
    assert "power: 17 of the 27" in refusal(weak)


def test_one_validator_counts_once() -> None:
    twice = Decided(flags=(2, 2, 1, 1)).document()
    signatures = ("evidence", "signed_header", "commit", "signatures")
    assert "signed before" in refusal(changed(twice, signatures, lambda held: [*held, held[0]]))
    listed = ("evidence", "validators")
    assert "listed twice" in refusal(changed(twice, listed, lambda held: [*held, held[0]]))
    assert "listed twice" in refusal(Rejected(signers=(KEYS[0], KEYS[0])).document())


def test_a_signature_over_something_else_proves_nothing() -> None:
    def other(key: KeyPair, message: bytes) -> bytes:
        return key.sign(message + b"x")

    assert "signatures[0]: not a signature of its validator" in refusal(Decided(sign=other).document())
    assert "support[0]: not a signature of its validator" in refusal(Rejected(sign=other).document())


def test_a_vote_for_no_block_is_none_for_the_block() -> None:
    flag = ("evidence", "signed_header", "commit", "signatures", 2, "block_id_flag")
    assert "not a signature" in refusal(replaced(Decided().document(), flag, 2))
    assert "yet not empty" in refusal(replaced(Decided().document(), flag, 1))


def test_the_validators_are_those_of_the_header() -> None:
    document = Decided(header={"validators_hash": "AB" * 32}).document()
    assert "validators: not those that the header names" in refusal(document)


def test_the_precommits_are_of_the_headers_height() -> None:
    assert "signed_header.commit.height: found '8'" in refusal(Decided(commit_height=HEIGHT + 1).document())


def test_the_transactions_are_those_of_the_header_in_their_order() -> None:
    for other in (TRANSACTIONS[:1], TRANSACTIONS[::-1], (*TRANSACTIONS, create(3).body), ()):
        assert "transactions: not those that the header names" in refusal(Decided(shown=other).document())


def test_a_proof_cannot_hide_a_transaction_of_a_client() -> None:
    """Else one could leave a transfer out of an event, and show a signature of everybody for it."""
    hidden = {"index": 1, "bytes": base64.b64encode(TRANSACTIONS[0]).decode()}
    document = Decided(shown=TRANSACTIONS[1:]).document()
    unseen = ("evidence", "unseen")
    assert "unseen[1]: the event would show it" in refusal(changed(document, unseen, lambda held: [*held, hidden]))
    rejected = changed(Rejected().document(), ("event", "block", "transactions"), lambda held: held[1:])
    assert "unseen[1]: the event would show it" in refusal(
        changed(rejected, unseen, lambda held: [held[0], hidden, held[1]])
    )


@pytest.mark.parametrize("index", [4, 10_000_000_000, -1])
def test_what_is_not_shown_has_its_place(index: int) -> None:
    path = ("evidence", "unseen", 0, "index")
    assert "unseen[0].index: out of order" in refusal(replaced(Decided().document(), path, index))


def test_the_proposer_is_a_validator() -> None:
    document = Decided(header={"proposer_address": address_of(raw(ALICE)).hex().upper()}).document()
    assert "is none of the validators" in refusal(document)
    others = set_of((*KEYS[1:3], ALICE), (1, 5, 1))
    elected = replace(Decided(), keys=(*KEYS[1:3], ALICE), powers=(1, 5, 1), flags=(2, 2, 2))
    forged = replace(Rejected(said={"proposer": address_of(raw(KEYS[0])).hex()}), signers=KEYS[1:3], decided=elected)
    assert "proposer: " in refusal(forged.document(), Trust(validators=others))
    assert "none of the validators" in refusal(forged.document(), Trust(validators=others))


def test_another_chain_is_not_the_trusted_one() -> None:
    """The same keys may serve several networks."""
    document = Decided(header={"chain_id": "other"}).document()
    assert verify(document, replace(TRUST, chain_id=None)).chain_id == "other"
    assert refusal(document) == "chain_id: found 'other', but trusted is 'proven'"
    assert "chain_id" in refusal(PROOFS["rejection"][0], replace(TRUST, chain_id="other"))
    assert verify(node_document(), replace(NODE_TRUST, chain_id="any")).chain_id is None


def test_an_extension_must_say_the_very_rejection() -> None:
    for says in (lambda _: (), lambda _: [Rejected(said={"reason": "ValidationError at id"}).rejection]):
        assert "support[0]: does not say the rejection" in refusal(Rejected(says=says).document())
    assert "support[0]: extension: rejections must ascend" in refusal(Rejected(says=lambda one: [one, one]).document())
    height = ("evidence", "support", 0, "height")
    assert "support[0]" in refusal(replaced(Rejected().document(), height, 2**70))


def test_the_transactions_are_those_of_the_rejection() -> None:
    document = Rejected(said={"body": "00" * 32}).document()
    assert "transactions: not those that the rejection names" in refusal(document)


def test_only_a_body_that_is_too_large_is_left_out() -> None:
    assert "not those that the rejection names" in refusal(Rejected(body_omitted=True).document())
    for some in ((TRANSACTIONS[0],), (b"no JSON",)):
        document = Rejected(said={"size": LARGE}, transactions=some).document()
        assert "too large to be carried, yet there are some" in refusal(document)
    assert verify(Rejected(said={"size": BODY_BYTES_MAX}).document(), TRUST).block.transactions == TRANSACTIONS


# What a file of another height is worth


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("event", "id"), "ab" * 32, "event.id"),
        (("evidence", "vote", "vote", "is_block_valid"), False, "vote: not signed"),
        (("evidence", "vote", "vote"), 5, "vote: Expected `object`, got `int` - at `$.vote`"),
        (("event", "reason"), REASON, "vote.is_block_valid: found True, but the event says False"),
        (("event", "signature"), "1" * 88, "event.signature: not of event.block.node_pubkey"),
        (("event", "body_omitted"), True, "event.body_omitted"),
    ],
)
def test_a_node_proves_what_it_signed(path: Path, value: Any, message: str) -> None:
    document = json.loads(node_document())
    document["event"] |= {"reason": None, "body_omitted": None}
    assert message in refusal(replaced(json.dumps(document).encode(), path, value), NODE_TRUST)


def test_a_vote_on_another_block_or_of_another_node_proves_nothing() -> None:
    other = json.loads(node_document(transactions=TRANSACTIONS[:1]))["evidence"]
    assert "vote.voting_for_block" in refusal(replaced(node_document(), ("evidence",), other), NODE_TRUST)
    strange = json.loads(node_document(key=ALICE))["evidence"]
    assert "vote.node_pubkey" in refusal(replaced(node_document(), ("evidence",), strange), NODE_TRUST)
    why = json.loads(node_document("ValidationError at id"))["evidence"]
    assert "vote.invalid_reason" in refusal(replaced(node_document(REASON), ("evidence",), why), NODE_TRUST)
    nested = json.dumps(json.loads(node_document())).replace(
        '"is_block_valid": true', '"is_block_valid": ' + "[" * 9000
    )
    assert refusal(nested.encode(), NODE_TRUST)


def test_times_have_one_form() -> None:
    path = ("evidence", "signed_header", "header", "time")
    for text in ("2023-11-14T24:00:00Z", "2023-11-14 22:13:20Z", "2023-13-14T22:13:20Z", "2023-11-14T22:13:20.Z"):
        assert "time: '2023" in refusal(replaced(Decided().document(), path, text))


TWICE: Final = (
    ("commit", b'"event":', b'"event":null,"event":'),
    ("commit", b'"round":2', b'"round":2,"round":2'),
    ("rejection", b'"amount":', b'"amount":"7","amount":'),
    ("node", b'"vote":{"inv', b'"vote":{},"vote":{"inv'),
)


@pytest.mark.parametrize(("name", "once", "twice"), TWICE)
def test_no_member_stands_twice(name: str, once: bytes, twice: bytes) -> None:
    """Readers of JSON differ in which of the two they take: the event that one of them shows is not proven."""
    document, trust = PROOFS[name]
    assert once in document
    assert verify(document, trust)
    refusal(document.replace(once, twice, 1), trust)


@pytest.mark.parametrize("name", ["commit", "rejection", "bare rejection"])
def test_bytes_have_one_text(name: str) -> None:
    """The last digit before the padding has bits that mean nothing: set, they would make another text of one proof."""
    document, trust = PROOFS[name]
    texts = {one for _, one in strings(json.loads(document)["evidence"]) if one.endswith("=")}
    assert len(texts) > 2
    for text in texts:
        digits = text.rstrip("=")
        other = digits[:-1] + LETTERS[LETTERS.index(digits[-1]) + 1] + text[len(digits) :]
        assert base64.b64decode(other) == base64.b64decode(text)
        forged = document.replace(text.encode(), other.encode())
        assert "base64 with bits that mean nothing" in refusal(forged, trust)


def test_a_document_has_a_bound() -> None:
    assert "bytes, found" in refusal(b" " * (PROOF_BYTES_MAX + 1))
