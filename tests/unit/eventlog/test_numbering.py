"""Numbers ascend as the log does, and lead back to the place that they stand for."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.errors import UnknownPlace
from bigchaindb.eventlog import token
from bigchaindb.eventlog.bounds import INDEX_END
from bigchaindb.eventlog.numbering import ROWS, TRANSACTIONS, Numbering

POSITIONS: Final = st.integers(1, 2**42)
INDEXES: Final = st.integers(0, INDEX_END - 1)
BOTH: Final = pytest.mark.parametrize("numbering", [ROWS, TRANSACTIONS])


def place_behind(numbering: Numbering, number: int) -> token.Token:
    """Return the token behind a number."""
    position, index = numbering.token_place(number)
    return token.Token(b"", position, index, b"")


@given(POSITIONS, INDEXES, POSITIONS, INDEXES)
def test_numbers_of_transactions_ascend_as_the_log_does(position: int, index: int, other: int, later: int) -> None:
    """A page, a cursor and the order of a key rest on it."""
    one, two = TRANSACTIONS.number(position, index), TRANSACTIONS.number(other, later)
    assert (one < two) == ((position, index) < (other, later))
    assert TRANSACTIONS.position(one) == position
    assert TRANSACTIONS.behind(position - 1) < one < TRANSACTIONS.behind(position)


@given(POSITIONS)
def test_blocks_keep_plain_positions(position: int) -> None:
    """Pages of earlier releases hold positions."""
    assert ROWS.number(position) == ROWS.behind(position) == ROWS.position(position) == ROWS.seen(position) == position


@given(POSITIONS, INDEXES)
def test_a_cursor_is_the_lowest_in_hand_less_one(position: int, index: int) -> None:
    """A whole number below the first transaction of a block is the whole block before."""
    below = TRANSACTIONS.number(position, index) - 1
    assert TRANSACTIONS.seen(below) == position - 1
    assert TRANSACTIONS.seen(TRANSACTIONS.behind(position)) == position
    if index == 0:
        assert below == TRANSACTIONS.behind(position - 1)


@BOTH
@given(position=POSITIONS, index=INDEXES)
def test_a_token_leads_back_to_its_number(numbering: Numbering, position: int, index: int) -> None:
    number = numbering.number(position, index if numbering is TRANSACTIONS else 0)
    assert numbering.of_token(place_behind(numbering, number)) == number
    behind = numbering.behind(position)
    assert numbering.token_place(behind) == (position, token.WHOLE)
    assert numbering.of_token(place_behind(numbering, behind)) == behind


@BOTH
def test_the_beginning_has_one_token(numbering: Numbering) -> None:
    """Whatever number a cursor before the first event is."""
    for number in {0, numbering.behind(0)}:
        assert numbering.token_place(number) == (0, token.WHOLE)
        assert numbering.seen(number) == 0 or numbering.position(number) == 0
    assert numbering.of_token(token.Token(b"", 0, 7, b"")) == numbering.behind(0)


@given(POSITIONS, st.integers(0, token.WHOLE - 1))
def test_a_block_that_was_seen_in_part_comes_again_whole_as_a_block(position: int, index: int) -> None:
    """A token of a page of transactions is good for both; events are never cut."""
    seen = token.Token(b"", position, index, b"")
    assert ROWS.of_token(seen) == position - 1
    assert TRANSACTIONS.of_token(seen) == TRANSACTIONS.number(position, min(index, INDEX_END))


@BOTH
@given(position=POSITIONS, index=INDEXES)
def test_a_number_is_read_as_it_is_written(numbering: Numbering, position: int, index: int) -> None:
    number = numbering.number(position, index if numbering is TRANSACTIONS else 0)
    assert numbering.read(numbering.text(number)) == number


def test_the_text_names_position_and_index() -> None:
    assert TRANSACTIONS.text(TRANSACTIONS.number(41, 3)) == "41:3"
    assert ROWS.text(41) == "41"


@pytest.mark.parametrize(
    ("numbering", "text"),
    [
        *((ROWS, text) for text in ("", "0", "41:3", "-1", "x", " 41", "41 ", "\u0665", "9" * 19)),
        *((TRANSACTIONS, text) for text in ("", "41", "0:0", "41:", ":3", "41:-1", "41:1048575", "41:3:0")),
        (TRANSACTIONS, "9" * 18 + ":0"),
    ],
)
def test_another_text_is_refused_with_the_form(numbering: Numbering, text: str) -> None:
    """A transaction's number must not be taken for a block's, nor end a database's integers."""
    with pytest.raises(UnknownPlace, match=r"expected .*such as 41") as found:
        numbering.read(text)
    assert repr(text) in str(found.value)
