"""A place in words leads to one position, or is refused with the forms that there are."""

from hashlib import sha256
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.errors import HistoryLost, MalformedToken, UnknownPlace
from bigchaindb.eventlog import token
from bigchaindb.eventlog.place import AtHeight, AtPosition, AtTime, AtToken, Now, Place, parse, resolve

CHAIN: Final = "solo-1"
HEAD: Final = 6


class Entry:
    """A row: of it the digest counts."""

    def __init__(self, position: int) -> None:
        self.digest = sha256(b"%d" % position).digest() if position else bytes(32)


class Six:
    """A log of six events of heights 1, 1, 2, 4, 4, 5, ten seconds a height; the node was told of `HEAD` of them."""

    def __init__(self, *later: int) -> None:
        self.heights = (1, 1, 2, 4, 4, 5, *later)

    def entry(self, position: int) -> Entry | None:
        return Entry(position) if 1 <= position <= len(self.heights) else None

    def first_at(self, *, height: int | None = None, time: int | None = None) -> int:
        assert (height is None) != (time is None)
        wanted = (time or 0) / 10 if height is None else height
        return next((p for p, found in enumerate(self.heights, 1) if found >= wanted), len(self.heights) + 1)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("now", Now()),
        ("genesis", AtPosition(1)),
        ("height:0", AtHeight(0)),
        ("height:12", AtHeight(12)),
        ("position:1", AtPosition(1)),
        ("time:1700000000", AtTime(1_700_000_000)),
        ("time:2023-11-14T22:13:20Z", AtTime(1_700_000_000)),
        ("time:2023-11-14T22:13:20+00:00", AtTime(1_700_000_000)),
        ("time:2023-11-15T00:13:20+02:00", AtTime(1_700_000_000)),
        ("time:2023-11-14T22:13:19.5Z", AtTime(1_700_000_000)),
        ("time:0001-01-01T00:00:00+23:59", AtTime(-62_135_683_140)),
        ("1.anything", AtToken("1.anything")),
    ],
)
def test_each_form_is_read(text: str, place: Place) -> None:
    assert parse(text) == place


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Now",
        "now:",
        "now:1",
        "genesis:",
        "height",
        "height:",
        "height:-1",
        "height: 1",
        "height:1.5",
        "height:\u0665",
        "height:" + "9" * 19,
        "position:0",
        "position:x",
        "time:",
        "time:now",
        "time:2023-11-14",
        "time:2023-11-14T22:13:20",
        "time:-5",
        "5",
        "2.abc",
    ],
)
def test_anything_else_is_refused_with_a_list_of_the_forms(text: str) -> None:
    """A person who seeks has one try before events are delivered from the wrong place."""
    with pytest.raises(UnknownPlace) as caught:
        parse(text)
    assert str(caught.value) == (
        "expected one of now, genesis, height:N, position:N, time:T (Unix seconds, or ISO 8601 with a zone), "
        f"or a token, which begins with '1.'; found {text!r}"
    )


@given(st.text())
def test_any_text_is_a_place_or_refused(text: str) -> None:
    for form in (text, "time:" + text, "height:" + text, "position:" + text):
        try:
            place = parse(form)
        except UnknownPlace:
            continue
        assert isinstance(place, Now | AtPosition | AtHeight | AtTime | AtToken)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("now", 6),
        ("genesis", 0),
        ("position:1", 0),
        ("position:6", 5),
        ("position:7", 6),
        ("height:0", 0),
        ("height:2", 2),
        ("height:3", 3),
        ("height:5", 5),
        ("height:6", 6),
        ("time:0", 0),
        ("time:21", 3),
        ("time:50", 5),
        ("time:51", 6),
    ],
)
def test_delivery_goes_on_with_the_first_event_at_the_place(text: str, after: int) -> None:
    assert resolve(parse(text), Six(), CHAIN, HEAD) == after


def test_nothing_goes_beyond_the_head_that_was_told() -> None:
    """What is behind it may not be durable yet (P4)."""
    grown = Six(6, 6)
    assert [resolve(parse(text), grown, CHAIN, HEAD) for text in ("now", "height:7", "time:70")] == [6, 6, 6]


def test_a_position_beyond_the_next_one_is_refused() -> None:
    with pytest.raises(UnknownPlace, match=r"^position:8 is beyond the end: the head is 6, 7 comes next$"):
        resolve(AtPosition(8), Six(), CHAIN, HEAD)


def test_a_token_goes_on_behind_what_was_seen_and_a_block_seen_in_part_comes_again() -> None:
    """Events are never cut, and none is lost."""

    def after(position: int, index: int) -> int:
        text = token.encode(CHAIN, position, index, Entry(position).digest)
        return resolve(parse(text), Six(), CHAIN, HEAD)

    assert after(3, token.WHOLE) == 3
    assert after(3, 0) == 2
    assert after(1, 5) == 0
    assert after(0, token.WHOLE) == 0
    assert after(0, 0) == 0
    assert after(6, token.WHOLE) == 6


@pytest.mark.parametrize(
    "text",
    [
        token.encode("solo-2", 3, token.WHOLE, Entry(3).digest),
        token.encode(CHAIN, 7, token.WHOLE, Entry(7).digest),
        token.encode(CHAIN, 3, token.WHOLE, Entry(4).digest),
        token.encode(CHAIN, 0, token.WHOLE, Entry(1).digest),
    ],
)
def test_a_token_of_another_log_is_a_lost_history(text: str) -> None:
    """P8: never other events under old positions."""
    with pytest.raises(HistoryLost):
        resolve(parse(text), Six(), CHAIN, HEAD)


def test_a_position_that_the_log_has_lost_is_a_lost_history() -> None:
    text = token.encode(CHAIN, 7, token.WHOLE, Entry(7).digest)
    with pytest.raises(HistoryLost):
        resolve(parse(text), Six(), CHAIN, 7)


def test_a_text_that_no_node_made_is_a_malformed_token() -> None:
    with pytest.raises(MalformedToken):
        resolve(parse("1.nonsense"), Six(), CHAIN, HEAD)
