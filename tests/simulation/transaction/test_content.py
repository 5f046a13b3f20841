"""Strings and keys are found in any value."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.transaction.content import strings_of

LETTERS = st.text("ab")


@given(st.recursive(LETTERS | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(LETTERS, inner)))
def test_all_strings_and_no_keys(value: Any) -> None:
    def collected(item: Any) -> list[str]:
        match item:
            case str():
                return [item]
            case dict():
                return [text for inner in item.values() for text in collected(inner)]
            case list():
                return [text for inner in item for text in collected(inner)]
            case _:
                return []

    assert sorted(strings_of(value)) == sorted(collected(value))
