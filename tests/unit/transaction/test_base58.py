"""Base58 against arithmetic that takes one digit at a time."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bigchaindb.transaction.base58 import ALPHABET, LENGTH_MAX, decode, encode


def encoded(raw: bytes) -> str:
    number, digits = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        digits = ALPHABET[digit] + digits
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + digits


@given(raw=st.binary(max_size=64))
@example(raw=b"")
@example(raw=bytes(64))
@example(raw=bytes(31) + b"\1")
@example(raw=b"\xff" * 64)
@example(raw=(58**10).to_bytes(8, "big"))
@example(raw=(58**10 - 1).to_bytes(8, "big"))
@example(raw=(58**20).to_bytes(15, "big"))
def test_text_and_bytes_belong_together(raw: bytes) -> None:
    """Another text for a key would be another owner."""
    assert encode(raw) == encoded(raw)
    assert decode(encode(raw)) == raw


@given(text=st.text(ALPHABET, max_size=LENGTH_MAX))
@example(text="1" * LENGTH_MAX)
@example(text="z" * LENGTH_MAX)
def test_every_text_of_the_alphabet_is_some_bytes(text: str) -> None:
    assert encode(decode(text)) == text
    assert decode(text + " \n") == decode(text)


@given(text=st.text(max_size=20))
@example(text="0")
@example(text="O")
@example(text="I")
@example(text="l")
@example(text="1 1")
@example(text=" 1")
@example(text="é")
@example(text="\0")
def test_other_characters_are_refused(text: str) -> None:
    if set(text.rstrip()) <= set(ALPHABET):
        assert encode(decode(text)) == text.rstrip()
    else:
        with pytest.raises(ValueError, match=r"base58|ascii"):
            decode(text)


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="no base58 text of at most 64 bytes"):
        decode("2" * (LENGTH_MAX + 1))


def test_known_texts() -> None:
    assert encode(b"") == decode("").decode() == ""
    assert encode(b"hello world") == "StV1DL6CwTryKyV"
    assert encode(bytes(10)) == "1" * 10
