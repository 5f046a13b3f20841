"""How text and JSON become typed values. Source: docs/reference/contract/configuration-and-cli.md, section 1."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.config.values import TRUTH, build, from_text
from bigchaindb.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class Section:
    flag: bool = False
    count: int | None = None
    path: Path = Path("x")


@pytest.mark.parametrize("text", TRUTH)
def test_booleans_are_real(text: str) -> None:
    """`BIGCHAINDB_…=false` meant true upstream."""
    assert from_text(text, bool, "a.b") is TRUTH[text]
    assert from_text(text.upper(), bool, "a.b") is TRUTH[text]


@given(st.text())
def test_other_booleans_are_refused(text: str) -> None:
    if text.lower() not in TRUTH:
        with pytest.raises(ConfigurationError, match=r"a\.b: expected one of true"):
            from_text(text, bool, "a.b")


@given(st.integers())
def test_whole_numbers_are_read(number: int) -> None:
    assert from_text(str(number), int, "a") == number
    assert from_text(str(number), int | None, "a") == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_read(number: float) -> None:
    assert from_text(repr(number), float, "a") == number


@given(st.lists(st.text(st.characters(exclude_characters=":"), min_size=1)))
def test_lists_are_split_at_colons(members: list[str]) -> None:
    assert from_text(":".join(members), tuple[str, ...], "a") == members


def test_an_empty_text_is_null_where_null_is_allowed() -> None:
    assert from_text("", int | None, "a") is None
    assert from_text("", str | None, "a") is None
    assert from_text("", str, "a") == ""


def test_a_section_is_built_from_what_is_given() -> None:
    assert build({"flag": "no", "count": 3, "unknown": 1}, Section, "s") == Section(count=3)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"flag": 1}, "s.flag: expected true or false, found 1"),
        ({"count": "x"}, "s.count: expected a whole number, found 'x'"),
        ({"path": None}, "s.path: expected a path, found None"),
        ({"path": "a\0b"}, "s.path: expected a path"),
        ({"path": "a\ud800b"}, "s.path: expected a path, found 'a"),
        ([], r"s: expected an object, found \[\]"),
    ],
)
def test_what_cannot_be_built_is_named(value: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        build(value, Section, "s")


def test_no_error_shows_a_secret() -> None:
    for path, value in (("options.password", 5), ("keypair.private", ["hunter22"])):
        with pytest.raises(ConfigurationError) as caught:
            build(value, str, path)
        assert "not shown" in str(caught.value)
    for shown in ("amqp://user:hunter22@host", [{"options": {"password": "hunter22"}}]):
        with pytest.raises(ConfigurationError) as caught:
            build(shown, int, "url")
        assert "hunter22" not in str(caught.value)


def test_numbers_of_a_list_are_numbers() -> None:
    """`show-config` prints what the node runs with."""
    assert from_text("20:0.5", tuple[float, ...] | None, "a") == [20.0, 0.5]
    assert from_text("", tuple[float, ...] | None, "a") is None
    with pytest.raises(ConfigurationError, match=r"^a: expected a number"):
        from_text("20:x", tuple[float, ...] | None, "a")


@pytest.mark.parametrize("path", ["network.peers", "access.origins", "access.proxies"])
def test_lists_whose_members_hold_colons_are_split_at_commas(path: str) -> None:
    assert from_text("https://a.example:1,[::1]", tuple[str, ...], path) == ["https://a.example:1", "[::1]"]
