"""The canonical text over any value."""

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.transaction.canonical import canonical, canonical_plain, exact, has_plain_floats

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


LEAVES = st.none() | st.booleans() | st.integers() | FLOATS | st.text(st.characters(exclude_categories=["Cs"]))


VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@given(VALUES, st.sampled_from(["1.0", "2.0"]))
def test_the_text_says_what_the_value_is(value: Any, version: str) -> None:
    assert msgspec.json.decode(canonical(value, version)) == value


@given(VALUES, st.sampled_from(["1.0", "2.0"]))
def test_the_fast_way_and_the_exact_way_agree(value: Any, version: str) -> None:
    assert canonical(value, version) == exact(value, version)
    if has_plain_floats(value):
        assert canonical_plain(value, version) == exact(value, version)


@given(VALUES)
def test_v2_text_is_the_one_of_the_standard_library_but_for_control_characters(value: Any) -> None:
    theirs = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(value, "2.0").decode().lower() == theirs.lower()


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), LEAVES))
def test_the_order_of_members_does_not_matter(value: dict[str, Any]) -> None:
    assert canonical(dict(reversed(value.items())), "2.0") == canonical(value, "2.0")
