"""Documents as they may stand in a ledger, drawn by Hypothesis, as far as selections read them."""

from typing import Any

from hypothesis import strategies as st

from tests.support.chains import ALICE, BOB, CAROL

INTEGER_MAX = int(1.7976931348623157e308)
Document = dict[str, Any]


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-INTEGER_MAX, INTEGER_MAX),
    st.integers(-1, 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1e-7, 1e16, 1e21]),
    st.text(max_size=20),
    st.sampled_from(["\x00\x1f\x7f", "\u2028", '"\\/', "\U0001f600", "\\u00"]),
)
names = st.one_of(st.sampled_from(["a", "b", "", '"', "\x0b", "ü"]), st.text(max_size=5)).map(
    lambda name: name.replace(".", "")
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=3))
keys = st.sampled_from([ALICE.public_key, BOB.public_key, CAROL.public_key])
ids = st.sampled_from(["a" * 64, "b" * 64])


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Draw what may stand in a ledger, as far as selections look at it."""
    transfers = draw(st.booleans())
    return {
        "asset": {"id": draw(ids)} if transfers else {"data": draw(values)},
        "id": draw(ids),
        "inputs": [{"fulfills": None, "owners_before": draw(st.lists(keys, max_size=2))}],
        "metadata": draw(st.none() | st.dictionaries(names, values, max_size=3)),
        "operation": "TRANSFER" if transfers else "CREATE",
        "outputs": [
            {"amount": "1", "public_keys": owners} for owners in draw(st.lists(st.lists(keys, max_size=2), max_size=2))
        ],
        "version": draw(st.sampled_from(["1.0", "2.0"])),
    }
