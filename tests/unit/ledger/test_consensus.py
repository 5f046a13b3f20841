"""What consensus hashes and signs, beyond what the vectors hold: nothing of it can be changed unnoticed."""

from dataclasses import fields, replace
from hashlib import sha256
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.ledger.consensus import (
    BlockId,
    ConsensusHeader,
    Moment,
    data_hash,
    header_hash,
    merkle_root,
    precommit_sign_bytes,
    validators_hash,
    vote_extension_sign_bytes,
)
from bigchaindb.ledger.validators import ValidatorSet

BLOCK_ID: Final = BlockId(b"h" * 32, 1, b"p" * 32)
HEADER: Final = ConsensusHeader(
    version_block=11,
    version_app=1,
    chain_id="chain",
    height=5,
    time=Moment(1_700_000_000, 5),
    last_block_id=BLOCK_ID,
    last_commit_hash=b"a" * 32,
    data_hash=b"b" * 32,
    validators_hash=b"c" * 32,
    next_validators_hash=b"d" * 32,
    consensus_hash=b"e" * 32,
    app_hash=b"f" * 32,
    last_results_hash=b"g" * 32,
    evidence_hash=b"i" * 32,
    proposer_address=b"j" * 20,
)


def leaf(content: bytes) -> bytes:
    return sha256(b"\x00" + content).digest()


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def test_the_tree_leans_to_the_left() -> None:
    a, b, c, d, e = (leaf(bytes([letter])) for letter in b"abcde")
    assert merkle_root([]) == sha256(b"").digest()
    assert merkle_root([b"a"]) == a
    assert merkle_root([b"a", b"b", b"c"]) == node(node(a, b), c)
    assert merkle_root([b"a", b"b", b"c", b"d", b"e"]) == node(node(node(a, b), node(c, d)), e)


@given(st.lists(st.binary(max_size=40), max_size=20), st.lists(st.binary(max_size=40), max_size=20))
def test_other_transactions_have_another_hash(one: list[bytes], other: list[bytes]) -> None:
    assert (data_hash(one) == data_hash(other)) == (one == other)


@pytest.mark.parametrize("name", [field.name for field in fields(ConsensusHeader)])
def test_the_hash_of_a_header_covers_each_field(name: str) -> None:
    """A field that it left out could be forged in a proof."""
    value, others = getattr(HEADER, name), list[Any]()
    match value:
        case Moment():
            others = [Moment(value.seconds + 1, value.nanos), Moment(value.seconds, value.nanos + 1)]
        case BlockId():
            others = [replace(value, hash=b""), replace(value, parts_total=2), replace(value, parts_hash=b"")]
        case int():
            others = [value + 1]
        case _:
            others = [value + value[:1], value[:0]]
    for other in others:
        assert header_hash(replace(HEADER, **{name: other})) != header_hash(HEADER)


def test_a_precommit_covers_all_that_it_says() -> None:
    time = Moment(1_700_000_000, 5)
    signed = {
        precommit_sign_bytes("chain", 5, 1, BLOCK_ID, time),
        precommit_sign_bytes("other", 5, 1, BLOCK_ID, time),
        precommit_sign_bytes("chain", 6, 1, BLOCK_ID, time),
        precommit_sign_bytes("chain", 5, 2, BLOCK_ID, time),
        precommit_sign_bytes("chain", 5, 1, None, time),
        precommit_sign_bytes("chain", 5, 1, replace(BLOCK_ID, hash=b"x" * 32), time),
        precommit_sign_bytes("chain", 5, 1, BLOCK_ID, Moment(1_700_000_000, 6)),
    }
    assert len(signed) == 7


def test_the_signature_of_an_extension_covers_all_that_it_says() -> None:
    signed = {
        vote_extension_sign_bytes("chain", 5, 1, b"extension"),
        vote_extension_sign_bytes("other", 5, 1, b"extension"),
        vote_extension_sign_bytes("chain", 6, 1, b"extension"),
        vote_extension_sign_bytes("chain", 5, 2, b"extension"),
        vote_extension_sign_bytes("chain", 5, 1, b""),
    }
    assert len(signed) == 5


def test_the_hash_over_validators_covers_keys_and_powers() -> None:
    hashes = {
        validators_hash(ValidatorSet.of([(b"a" * 32, 1), (b"b" * 32, 2)])),
        validators_hash(ValidatorSet.of([(b"a" * 32, 2), (b"b" * 32, 1)])),
        validators_hash(ValidatorSet.of([(b"a" * 32, 1), (b"c" * 32, 2)])),
        validators_hash(ValidatorSet.of([(b"a" * 32, 1)])),
    }
    assert len(hashes) == 4
