"""Keys and signatures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.transaction import keys
from bigchaindb.transaction.keys import KeyPair, decode_key, decode_signature, encode, verify_signature

ALICE = KeyPair.from_seed(bytes([1]) * 32)


def test_pair_of_the_contract() -> None:
    """Section 3.1 and 4.2 of transactions.md."""
    pair = KeyPair.from_private_key("CfdqtD7sS7FgkMoGPXw55MVGGFwQLAoHYTcBhZDtF99Z")
    assert pair.public_key == "4K9sWUMFwTgaDGPfdynrbxWqWS6sWmKbZoTjxLtVUibD"
    assert ALICE.public_key == "AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRSZ9"


def test_private_keys_are_never_shown() -> None:
    assert ALICE.private_key not in repr(ALICE)
    assert repr(ALICE) == f"KeyPair(public_key='{ALICE.public_key}')"
    with pytest.raises(ValueError, match="base58 text of 32 bytes") as caught:
        KeyPair.from_private_key("0secret")
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_seed_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="not 31"):
        KeyPair.from_seed(bytes(31))


def test_pairs_of_one_seed_are_equal() -> None:
    assert KeyPair.from_private_key(ALICE.private_key) == ALICE


@given(st.binary(max_size=200))
def test_signatures_verify_for_their_message_alone(message: bytes) -> None:
    signature = ALICE.sign(message)
    public = decode_key(ALICE.public_key)
    assert verify_signature(public, message, signature)
    assert not verify_signature(public, message + b"x", signature)


def test_bytes_cannot_move_between_signature_and_message() -> None:
    """The library takes both as one text: without the check of lengths, a short signature would borrow bytes."""
    signature, public = ALICE.sign(b"message"), decode_key(ALICE.public_key)
    assert not verify_signature(public, signature[63:] + b"message", signature[:63])
    assert not verify_signature(public[:31], b"message", signature)


@pytest.mark.parametrize(
    "text", ["", "1" * 32, "1" * 43, "A" * 45, " " + ALICE.public_key, ALICE.public_key + "\n", "é" * 44]
)
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(ValueError, match="is not a base58 key"):
        decode_key(text)


@given(st.binary(min_size=64, max_size=64))
def test_signatures_in_base58(raw: bytes) -> None:
    assert decode_signature(encode(raw)) == raw


@pytest.mark.parametrize("text", ["", "1" * 63, "2" * 64, "0" * 88])
def test_what_is_no_signature(text: str) -> None:
    with pytest.raises(ValueError, match="is not a base58 signature"):
        decode_signature(text)


def test_the_cache_is_bounded() -> None:
    assert decode_key.cache_info().maxsize == keys.KEYS_CACHED_MAX
