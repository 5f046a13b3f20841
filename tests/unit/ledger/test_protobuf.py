"""The fields that are hashed and signed. A wrong byte here makes every signature of the network look forged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.ledger.protobuf import delimited, fixed, integer, message, octets, uvarint


@pytest.mark.parametrize(("value", "text"), [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02")])
def test_integers_are_written_seven_bits_at_a_time(value: int, text: str) -> None:
    assert uvarint(value).hex() == text


@given(st.integers(0, 2**64 - 1))
def test_every_integer_is_read_back(value: int) -> None:
    written = uvarint(value)
    assert sum((byte & 0x7F) << 7 * place for place, byte in enumerate(written)) == value
    assert [byte >> 7 for byte in written] == [1] * (len(written) - 1) + [0]


def test_what_is_zero_is_left_out_but_for_a_message() -> None:
    assert integer(1, 0) == fixed(1, 0) == octets(1, b"") == b""
    assert message(1, b"") == b"\x0a\x00"


def test_each_kind_of_field_says_its_number_and_kind() -> None:
    assert integer(1, 5) == b"\x08\x05"
    assert integer(2, -1) == b"\x10" + b"\xff" * 9 + b"\x01"
    assert fixed(2, 5) == b"\x11\x05" + bytes(7)
    assert fixed(2, -1) == b"\x11" + b"\xff" * 8
    assert octets(3, b"ab") == message(3, b"ab") == b"\x1a\x02ab"
    assert octets(16, b"a") == b"\x82\x01\x01a"
    assert delimited(b"a" * 200) == b"\xc8\x01" + b"a" * 200
