"""Values of any document are counted from its bytes alone."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bigchaindb.transaction.canonical import canonical
from bigchaindb.transaction.reading import VALUE_COUNT_MAX
from tests.support.bounds import is_refused, separators

VALUES = st.recursive(
    st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.text('",[{\\a\x1f'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('",[{\\a'), inner),
)


@settings(max_examples=30)
@given(VALUES, st.sampled_from([None, 1]), st.sampled_from([True, False]))
def test_values_are_counted_from_the_bytes_alone(value: Any, indent: int | None, escaped: Any) -> None:
    """However a document is laid out: so what a client posts and what stands in a block are refused alike."""
    filler = [0] * (VALUE_COUNT_MAX - 3 - separators(value))  # `{`, `[`, and the comma before the filler's last
    for extra in (0, 1):
        document = {"a": [value, *filler, *[0] * (extra + 1)]}
        posted = json.dumps(document, indent=indent, ensure_ascii=escaped).encode()
        assert is_refused(posted) == is_refused(canonical(document, "2.0")) == bool(extra)
