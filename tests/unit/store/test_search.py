import sqlite3
from collections.abc import Sequence
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigchaindb.store.migrations import statements
from bigchaindb.store.search import RANKED_COUNT_MAX, STOP_WORDS, Query, match_expression, read_query, text_of
from tests.support import scale

ID = "0123456789abcdef" * 4


def index(*texts: str) -> sqlite3.Connection:
    """Make an index of texts as the schema has it; rows count from 0."""
    connection = sqlite3.connect(":memory:")
    schema = files("bigchaindb.store").joinpath("schema.sql").read_text(encoding="utf-8")
    for statement in statements(schema):
        if "assets_search" in statement:
            connection.execute(statement)
    connection.executemany("INSERT INTO assets_search (rowid, text) VALUES (?, ?)", enumerate(texts))
    return connection


def found(connection: sqlite3.Connection, text: str) -> list[int]:
    expression = match_expression(read_query(text))
    if expression is None:
        return []
    ranked = "SELECT rowid FROM assets_search WHERE assets_search MATCH ? ORDER BY rank, rowid"
    return [row for (row,) in connection.execute(ranked, (expression,)).fetchall()]


def search(texts: Sequence[str], text: str) -> list[int]:
    connection = index(*texts)
    try:
        return found(connection, text)
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", Query()),
        ("call me maybe", Query(terms=["call", "maybe"])),
        ("Call call CALL", Query(terms=["Call", "call", "CALL"])),
        ('"call me" maybe', Query(terms=["maybe"], phrases=["call me"])),
        ('say"call me"now', Query(terms=["say", "now"], phrases=["call me"])),
        ("coffee -tea", Query(terms=["coffee"], excluded=["tea"])),
        ('coffee -"green tea"', Query(terms=["coffee"], excluded=["green tea"])),
        ("pre-market 0.123", Query(terms=["pre", "market", "0", "123"])),
        ("- -- -", Query()),
        ('"never closed', Query(phrases=["never closed"])),
        ('"" "the"', Query(phrases=["the"])),
        ('"call me" "call  me" -tea -tea', Query(phrases=["call me"], excluded=["tea"])),
        ("the and don't", Query(terms=["don"])),
        ("a\0b*c^d:e(f)", Query(terms=["b", "c", "e", "f"])),
        ("NEAR(x y) AND OR NOT", Query(terms=["NEAR", "x", "y"])),
        ("\u0301 \ue000 \ue001 \ud800", Query()),
    ],
)
def test_a_search_is_cut_into_words(text: str, query: Query) -> None:
    """Source: http-api.md, section 8."""
    assert read_query(text) == query


def test_terms_are_alternatives_and_the_best_row_comes_first() -> None:
    assert search(["red bicycle", "blue car", "red car"], "red car") == [2, 0, 1]
    assert search(["equal", "equal"], "equal") == [0, 1]


def test_case_diacritics_and_endings_do_not_count() -> None:
    for text in ("running", "Ran RUNS", "CREME", "brulee", "strasse"):
        assert search(["runs Crème brûlée strasse"], text) == [0], text


def test_phrases_must_occur_and_stop_words_count_in_them() -> None:
    texts = ["call me maybe", "maybe me call", "maybe"]
    assert search(texts, '"call me"') == [0]
    assert search(texts, '"call me" maybe') == [0]
    assert search(texts, '"call me" "me call"') == []
    assert search(texts, "me") == []


def test_a_phrase_does_not_reach_over_two_values() -> None:
    text = text_of({"a": "call me", "b": ["maybe", {"c": "never"}]}, ID)
    assert search([text], '"call me"') == [0]
    assert search([text], '"me maybe"') == []
    assert search([text], "never") == [0]


def test_excluded_words_and_phrases_do_not_occur() -> None:
    texts = ["coffee", "coffee with milk", "milk with coffee"]
    assert search(texts, "coffee -milk") == [0]
    assert search(texts, 'coffee -"with milk"') == [0, 2]
    assert search(texts, "-milk") == []


def test_a_row_is_found_by_its_id_and_by_ids_in_its_text() -> None:
    texts = [text_of({"name": "car"}, ID), text_of({"part of": ID}, "f" * 64), "neither"]
    assert sorted(search(texts, ID)) == sorted(search(texts, f'"{ID.upper()}"')) == [0, 1]
    assert search(texts, f"car -{ID}") == []


@settings(max_examples=scale.SEARCH_EXAMPLES)
@given(
    st.text()
    | st.text(alphabet="\"- a'*^:(){}+\0\u0301\u200dAND OR NOT\n", max_size=40)
    | st.lists(st.sampled_from(["AND", "OR", "NOT", "NEAR(", '"', "-", "text:", "*", "^", "a", ")"])).map(" ".join)
)
def test_no_text_is_an_error(text: str) -> None:
    """Users type anything, and it must not be taken for a query language."""
    search(["a b c", "NEAR OR"], text)


@pytest.mark.parametrize(("piece", "others"), [("w{}", 0), ("-w{} w", 1), ('-"w {}" w', 1)])
def test_rows_are_ranked_by_so_many_words_only(piece: str, others: int) -> None:
    """The rank of a row takes time that grows with the square of the words: one request could take hours."""
    pieces = [piece.format(number) for number in range(RANKED_COUNT_MAX + 1 - others)]
    assert read_query(" ".join(pieces[1:])).is_ranked
    assert not read_query(" ".join(pieces)).is_ranked


def test_a_phrase_counts_twice_since_it_stands_twice_in_what_is_asked() -> None:
    phrases = [f'"w {number}"' for number in range(RANKED_COUNT_MAX // 2)]
    assert read_query(" ".join(phrases)).is_ranked
    assert not read_query(" ".join([*phrases, "one"])).is_ranked


def test_a_long_text_is_no_error() -> None:
    words = [f"w{number}" for number in range(2000)]
    assert search(["w1999"], " ".join(words)) == [0]
    assert search(["w1999"], "w1999 -" + " -".join(words[:-1])) == [0]
    assert search([" ".join(words)], " ".join(f'"{word}"' for word in words)) == [0]


@settings(max_examples=scale.SEARCH_EXAMPLES)
@given(st.lists(st.text(alphabet=st.characters(categories=["L", "N"]), min_size=1, max_size=8), min_size=1, max_size=6))
def test_a_text_is_found_by_each_of_its_words_and_as_a_phrase(words: list[str]) -> None:
    text = " ".join(words)
    connection = index("something else", text)
    try:
        for word in words:
            if word.lower() not in STOP_WORDS:
                assert 1 in found(connection, word), word
        assert 1 in found(connection, f'"{text}"')
    finally:
        connection.close()
