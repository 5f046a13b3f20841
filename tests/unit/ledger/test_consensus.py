"""What consensus hashes and signs, beyond what the vectors hold: nothing of it can be changed unnoticed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.ledger.consensus import (
    BlockId,
    Moment,
    data_hash,
    merkle_root,
    precommit_sign_bytes,
    validators_hash,
    vote_extension_sign_bytes,
)
from bigchaindb.ledger.proofs.signed_header import ConsensusHeader, header_hash
from bigchaindb.ledger.validators import ValidatorSet

BLOCK_ID: Final = BlockId(b"h" * 32, 1, b"p" * 32)
HEADER: Final[dict[str, Any]] = {
    "version": {"block": "11", "app": "1"},
    "chain_id": "chain",
    "height": "5",
    "time": "2023-11-14T22:13:20.000000005Z",
    "last_block_id": {"hash": "AA" * 32, "parts": {"total": 1, "hash": "BB" * 32}},
    **{name: "CC" * 32 for name in ConsensusHeader.__struct_fields__ if name.endswith("_hash")},
    "proposer_address": "DD" * 20,
}


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


def hash_of(**changes: object) -> bytes:
    return header_hash(msgspec.convert({**HEADER, **changes}, ConsensusHeader))


OTHERS: Final[Mapping[str, Sequence[object]]] = {
    "version": [{"block": "12", "app": "1"}, {"block": "11", "app": "2"}],
    "chain_id": ["chain2"],
    "height": ["6"],
    "time": ["2023-11-14T22:13:21.000000005Z", "2023-11-14T22:13:20.000000006Z"],
    "last_block_id": [
        {"hash": "", "parts": {"total": 1, "hash": "BB" * 32}},
        {"hash": "AA" * 32, "parts": {"total": 2, "hash": "BB" * 32}},
        {"hash": "AA" * 32, "parts": {"total": 1, "hash": ""}},
    ],
    "app_hash": ["CC" * 33, ""],
    "proposer_address": ["EE" * 20, ""],
}


@pytest.mark.parametrize("name", ConsensusHeader.__struct_fields__)
def test_the_hash_of_a_header_covers_each_field(name: str) -> None:
    """A field that it left out could be forged in a proof."""
    for other in OTHERS.get(name, ["EE" * 32, ""]):
        assert hash_of(**{name: other}) != hash_of()


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
