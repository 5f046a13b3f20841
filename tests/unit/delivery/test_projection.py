"""Fields by JSONPath: what is selected, what is refused before it runs, and what a stranger's document can cost.

Source: RFC 9535, and its own examples in section 1.5; RFC 9485 for patterns.
"""

import json
from typing import Any

import jsonpath_rfc9535
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigchaindb.delivery import projection
from bigchaindb.delivery.projection import DEPTH_MAX, FIELDS_MAX, PATH_CHARACTERS_MAX, Projection

STORE: dict[str, Any] = {
    "store": {
        "book": [
            {"category": "reference", "author": "Nigel Rees", "title": "Sayings of the Century", "price": 8.95},
            {"category": "fiction", "author": "Evelyn Waugh", "title": "Sword of Honour", "price": 12.99},
            {
                "category": "fiction",
                "author": "Herman Melville",
                "title": "Moby Dick",
                "isbn": "0-553-21311-3",
                "price": 8.99,
            },
            {
                "category": "fiction",
                "author": "J. R. R. Tolkien",
                "title": "The Lord of the Rings",
                "isbn": "0-395-19395-8",
                "price": 22.99,
            },
        ],
        "bicycle": {"color": "red", "price": 399},
    }
}
BOOKS = STORE["store"]["book"]
LEAVES = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a", "ab"])


def project(path: str, document: object = STORE) -> Any:
    return json.loads(Projection({"it": path})(json.dumps(document).encode()))["it"]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.store.book[*].author", [one["author"] for one in BOOKS]),
        ("$..author", [one["author"] for one in BOOKS]),
        ("$.store.*", [BOOKS, STORE["store"]["bicycle"]]),
        ("$..book[2]", [BOOKS[2]]),
        ("$..book[-1]", [BOOKS[3]]),
        ("$..book[0,1]", BOOKS[:2]),
        ("$..book[:2]", BOOKS[:2]),
        ("$..book[?@.isbn]", BOOKS[2:]),
        ("$..book[?@.price<10]", [BOOKS[0], BOOKS[2]]),
    ],
)
def test_the_examples_of_the_standard(path: str, found: object) -> None:
    assert project(path) == found


def test_a_path_to_one_value_gives_the_value_and_null_where_there_is_none() -> None:
    """A column has the same type in every message, whatever is in it."""
    assert project("$.store.bicycle.color") == "red"
    assert project("$.store.book[0].price") == 8.95
    assert project("$.store.ship.color") is None
    assert project("$.store.book[?@.isbn == 'none']") == []
    assert project("$") == STORE


@pytest.mark.parametrize(
    "path", ["$.a", "$[0]", "$[-1]", "$[-3]", "$.a[1].a", "$['a']['b'][-2]", "$.a.a", "$[0][0]", "$[1].b"]
)
@settings(max_examples=50)
@given(st.recursive(LEAVES, lambda some: st.lists(some, max_size=3) | st.dictionaries(st.sampled_from("ab"), some)))
def test_the_one_value_is_the_librarys(path: str, document: Any) -> None:
    found = jsonpath_rfc9535.find(path, document).values()
    assert project(path, document) == (found[0] if found else None)


def test_members_stand_in_the_order_of_the_option() -> None:
    assert Projection({"b": "$.b", "a\n": "$.a"})(b'{"a":1,"b":2}') == b'{"b":2,"a\\n":1}'


def test_numbers_and_texts_keep_their_values() -> None:
    text = b'[123456789012345678901234567890,-0.5,1.0,1e300,5e-324,"\\u2028\\ud83d\\ude00",true,null]'
    assert json.loads(Projection({"it": "$.a"})(b'{"a":%b}' % text)) == {"it": json.loads(text)}


def test_patterns_match() -> None:
    assert project("$.store.book[?match(@.author, 'J\\\\..*')].title") == ["The Lord of the Rings"]
    assert project("$.store.book[?search(@.author, '[^.]el')].title") == [
        "Sayings of the Century",
        "Sword of Honour",
        "Moby Dick",
    ]
    assert project("$[?match(@, 'a.b')]", ["a\nb", "axb", "ax", 5, None]) == ["axb"]
    assert project("$[?match(@, 'a[.]b')]", ["axb", "a.b"]) == ["a.b"]
    assert project("$[?search(@, '\\\\p{Lu}')]", ["a", "Ä"]) == ["Ä"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "is no JSONPath"),
        ("store", "is no JSONPath, character 1"),
        ("$.store[", "is no JSONPath, character 9"),
        ("$.a[?nope(@.b)]", "is no JSONPath, character 6: function 'nope' is not defined"),
        ("$.a[?match(@.b)]", "is no JSONPath, character 6"),
        ("$.a[?match(@.b, 'x(')]", r"character 18: 'x\(' is no pattern of match; RFC 9485"),
        ("$.a[?!(@.c && search(@.b, '[z-a]'))]", "is no pattern of search"),
        ("$.a[?search(@.b, $.c)]", "character 18: the pattern of search must stand in quotes"),
        ("$.a[?match(@.b, @.c)]", "the pattern of match must stand in quotes"),
        ("$..a..b", r"character 5: \.\. may stand once in a path"),
        ("$..a[?@..b]", r"\.\. may stand once in a path, its filters included"),
        ("$.a[?@.b == 1 || $.c[*]]", r"a path from \$ within a filter must name one value"),
        ("$" + ".a" * PATH_CHARACTERS_MAX, "must have at most 500 characters, found 1001"),
        ("$[?" + "(" * 450 + "@.a" + ")" * 40 + "]", "is no JSONPath"),
    ],
)
def test_a_path_that_cannot_be_used_is_refused_with_its_place(path: str, said: str) -> None:
    """An invalid pattern would match nothing for ever, and a power of a stranger's document would stop the lane."""
    with pytest.raises(ValueError, match=said) as caught:
        Projection({"fine": "$.a", "it": path})
    assert str(caught.value).startswith("fields.it: ")


def test_names_and_their_number_are_bounded() -> None:
    with pytest.raises(ValueError, match="fields: must be 64 at most, found 65"):
        Projection({str(number): "$" for number in range(FIELDS_MAX + 1)})
    for name, found in (("", 0), ("n" * 101, 101)):
        with pytest.raises(ValueError, match=f"a name must have 1 to 100 characters, found {found}"):
            Projection({name: "$"})


def test_patterns_that_take_too_long_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger writes the text, so the lane must not wait for its end."""
    slow = Projection({"it": "$[?match(@, '([ab]*[ab]*)*[ab]*[ab]*[ab]*')]"})
    monkeypatch.setattr(projection, "PATTERNS_S_MAX", 1e-6)
    with pytest.raises(ValueError, match=r"fields\.it: its patterns take longer than 1e-06 s on this message"):
        slow(json.dumps(["ab" * 10_000 + "c"] * 20).encode())
    monkeypatch.undo()
    assert slow(b'["ab"]') == b'{"it":["ab"]}', "the next message has its own time"


def test_fields_much_larger_than_their_message_are_refused() -> None:
    """Each level of a deep document is selected with all that is below it, and windows count the document."""
    deep = b"[" * 200 + b'"%b"' % (b"x" * 1_000) + b"]" * 200
    most = 2 * len(deep) + 1_024
    with pytest.raises(ValueError, match=rf"fields\.it: the fields of this message exceed {most} bytes, 2 times the"):
        Projection({"it": "$..*"})(deep)
    text = b'"%b"' % (b"x" * 2_000)
    assert Projection({"a": "$", "b": "$"})(text) == b'{"a":%b,"b":%b}' % (text, text)
    with pytest.raises(ValueError, match=r"fields\.c: "):
        Projection({"a": "$", "b": "$", "c": "$"})(text)


def test_the_deepest_document_is_searched() -> None:
    deep = b'{"a":' * (DEPTH_MAX - 10) + b"1" + b"}" * (DEPTH_MAX - 10)
    assert Projection({"it": "$..a[?@ == 1]"})(deep) == b'{"it":[1]}'


@settings(max_examples=300)
@given(st.text("$@.*[]?()'\"\\,:!&|=<> abmtchsearclengvu0123456789-é\x00\ud800", max_size=40), st.booleans())
def test_whatever_is_written_is_a_path_or_refused(text: str, is_rooted: bool) -> None:  # noqa: FBT001
    path = f"$[?{text}]" if is_rooted else text
    try:
        found = Projection({"it": path})
    except ValueError as error:
        said = str(error)
    else:
        said = "fields.it: "
        json.loads(found(json.dumps(STORE).encode()))
    assert said.startswith("fields.it: ")
