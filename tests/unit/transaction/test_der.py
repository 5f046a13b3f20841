"""DER has one way to write a thing, and only that is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.transaction import der


@given(st.integers(0, 255), st.binary(max_size=700))
def test_what_is_written_is_read(tag: int, content: bytes) -> None:
    text = der.element(tag, content)
    found = der.read(text, 0, len(text))
    assert (found.tag, text[found.start : found.stop], found.stop) == (tag, content, len(text))


@given(st.integers(0, 2**70))
def test_integers(value: int) -> None:
    assert der.read_integer(der.integer(value)) == value


@pytest.mark.parametrize("content", [b"", b"\x80", b"\x00\x7f", b"\x00\x00"])
def test_integers_in_another_form(content: bytes) -> None:
    with pytest.raises(ValueError, match="integer"):
        der.read_integer(content)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xa0",
        b"\xa0\x01",
        b"\xa0\x80\x00\x00",
        b"\xa0\x81\x01x",
        b"\xa0\x82\x00\x80" + bytes(128),
        b"\xa0\x85\x00\x00\x00\x00\x80" + bytes(128),
        b"\xa0\x82\x01",
        b"\xa0\x81\x80" + bytes(127),
    ],
    ids=[
        "empty",
        "tag",
        "short",
        "indefinite",
        "long form",
        "leading zero",
        "too long a length",
        "cut length",
        "cut content",
    ],
)
def test_elements_in_another_form(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut short|not in DER"):
        der.read(text, 0, len(text))


@given(st.binary(max_size=12))
def test_nothing_else_is_raised(text: bytes) -> None:
    try:
        found = der.read(text, 0, len(text))
    except ValueError:
        return
    assert text.startswith(der.element(found.tag, text[found.start : found.stop]))
