"""The canonical text (transactions.md, section 2): if it changes, all ids of the past are worth nothing."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bigchaindb.errors import MalformedJson
from bigchaindb.transaction.canonical import canonical, canonical_plain, exact, is_plain

LOOP: list[object] = []
LOOP.append(LOOP)


@given(st.floats(min_value=1e-4, max_value=1e16, exclude_max=True))
@example(0.0)
@example(-0.0)
@example(-123.456)
def test_plain_floats_are_written_alike_by_all(number: float) -> None:
    assert is_plain(number)
    assert canonical_plain(number, "1.0") == exact(number, "1.0") == exact(number, "2.0") == repr(number).encode()


@pytest.mark.parametrize(
    ("number", "v1", "v2"),
    [
        (1e16, "10000000000000000.0", "1e+16"),
        (1e20, "100000000000000000000.0", "1e+20"),
        (1e21, "1e21", "1e+21"),
        (1.25e21, "1.25e21", "1.25e+21"),
        (1e-5, "0.00001", "1e-05"),
        (1e-6, "0.000001", "1e-06"),
        (1e-7, "1e-7", "1e-07"),
        (-1.5e-7, "-1.5e-7", "-1.5e-07"),
        (123.45, "123.45", "123.45"),
        (-0.0, "-0.0", "-0.0"),
        (5e-324, "5e-324", "5e-324"),
    ],
)
def test_layout_of_floats(number: float, v1: str, v2: str) -> None:
    assert canonical(number, "1.0").decode() == v1
    assert canonical(number, "2.0").decode() == v2


def test_control_characters_have_upper_case_digits_and_backslashes_stay() -> None:
    assert canonical("\x1f\x0b\n\\u001f", "2.0") == rb'"\u001F\u000B\n\\u001f"'
    assert canonical({"\\\x1a": 1e99}, "2.0") == rb'{"\\\u001A":1e+99}'


def test_every_control_character_is_written_with_upper_case_digits() -> None:
    own = {"\b": r"\b", "\t": r"\t", "\n": r"\n", "\f": r"\f", "\r": r"\r"}
    for code in range(0x20):
        text = own.get(chr(code), f"\\u{code:04X}")
        assert canonical(chr(code), "2.0") == exact(chr(code), "1.0") == f'"{text}"'.encode()


def test_integers_of_any_size_that_a_double_reaches() -> None:
    assert canonical(10**40, "2.0") == b"1" + b"0" * 40
    with pytest.raises(MalformedJson, match="beyond the largest double"):
        canonical(2**1024, "2.0")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "NaN"),
        ([{"a": float("-inf")}], "Infinity"),
        ("\ud800", "UTF-8"),
        ({1: 2}, "keys"),
        ({"a": object()}, "object is no JSON type"),
        (1j, "complex"),
        (LOOP, "nested too deep, or holds itself"),
    ],
    ids=["nan", "infinity", "surrogate", "key", "object", "complex", "loop"],
)
def test_what_has_no_text(value: object, message: str) -> None:
    with pytest.raises(MalformedJson, match=message):
        canonical(value, "2.0")
