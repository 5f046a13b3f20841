"""Any document that is built is valid, and any change of one is refused in order."""

from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.errors import (
    ValidationError,
)
from bigchaindb.transaction import parse, verify
from bigchaindb.transaction.build import create
from bigchaindb.transaction.canonical import canonical
from bigchaindb.transaction.model import Version
from tests.support.signed_documents import ALICE, BOB, contents, made, rehashed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abc", min_size=1), JSON, min_size=1), st.sampled_from(["1.0", "2.0"]))
def test_what_is_built_is_valid(data: dict[str, Any], version: Version) -> None:
    transaction = parse(create([ALICE, BOB], data=data, metadata=data, version=version).body)
    assert verify(transaction)
    assert parse(transaction.body) == transaction
    assert contents(transaction) == ({"data": data}, data)


PLACES = [
    ["id"],
    ["version"],
    ["operation"],
    ["asset"],
    ["asset", "data"],
    ["metadata"],
    ["inputs"],
    ["inputs", 0],
    ["inputs", 0, "fulfillment"],
    ["inputs", 0, "fulfills"],
    ["inputs", 0, "owners_before"],
    ["outputs"],
    ["outputs", 0],
    ["outputs", 0, "amount"],
    ["outputs", 0, "condition"],
    ["outputs", 0, "condition", "details"],
    ["outputs", 0, "condition", "details", "public_key"],
    ["outputs", 0, "condition", "uri"],
    ["outputs", 0, "public_keys"],
]


@given(st.sampled_from(PLACES), JSON, st.sampled_from(["1.0", "2.0"]), st.booleans())
def test_nothing_but_validation_errors_is_raised(place: list[Any], value: Any, version: Version, rehash: bool) -> None:  # noqa: FBT001  hypothesis gives it
    """A document with anything in any place is judged; it never makes a request fail with a 500."""
    document = made(version)
    holder: Any = document
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = value
    is_hashable = isinstance(document["inputs"], list) and all(isinstance(item, dict) for item in document["inputs"])
    body = rehashed(document) if rehash and is_hashable else canonical(document, version)
    message = ""
    try:
        verify(parse(body))
    except ValidationError as error:
        message = str(error)
    assert len(message) < 1000


@given(st.data(), st.sampled_from(["1.0", "2.0"]))
def test_bytes_of_a_valid_document_cut_or_changed(data: st.DataObject, version: Version) -> None:
    body = bytearray(canonical(made(version), version))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ValidationError):
        verify(parse(bytes(body[: data.draw(st.integers(len(body) - 5, len(body)))])))
