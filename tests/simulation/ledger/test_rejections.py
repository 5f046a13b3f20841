"""Whatever honest nodes write down of rejections is read again, and no other bytes mean the same."""

from base64 import b64encode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.errors import ImproperVoteError
from bigchaindb.ledger.rejections import (
    BODY_OVERHEAD_BYTES,
    EXTENSION_BYTES_MAX,
    EXTENSION_COUNT_MAX,
    Rejection,
    SignedExtension,
    VotesTransaction,
    body_digest,
    body_size,
    decode_extension,
    decode_votes,
    encode_extension,
    encode_votes,
)
from tests.support.networks import KEYS, VOTES, said, signed, votes

hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)


addresses = st.binary(min_size=20, max_size=20).map(bytes.hex)


rejections = st.builds(
    Rejection,
    height=st.integers(1, 2**62),
    block=hashes,
    proposer=addresses,
    time=st.integers(0, 10**10 - 1),
    body=hashes,
    size=st.integers(0, 2**40 - 1),
    reason=st.from_regex(r"\A[A-Za-z]{1,60} at [a-z_]{1,40}(\[[0-9]{1,7}\])?\Z"),
)


extensions = st.lists(rejections, max_size=EXTENSION_COUNT_MAX, unique=True).map(sorted)


signed_extensions = st.builds(
    SignedExtension,
    validator=addresses,
    round=st.integers(0, 2**31 - 1),
    extension=st.binary(min_size=1, max_size=200),
    signature=st.binary(min_size=64, max_size=64),
)


votes_transactions = st.builds(
    VotesTransaction,
    height=st.integers(1, 2**62),
    extensions=st.lists(signed_extensions, min_size=1, max_size=4, unique_by=lambda one: one.validator).map(
        lambda found: tuple(sorted(found, key=lambda one: one.validator))
    ),
    bodies=st.lists(st.lists(st.binary(max_size=20), max_size=3).map(tuple), max_size=3).map(tuple),
)


@given(extensions)
def test_what_an_honest_node_says_is_read_again_and_never_too_long(found: list[Rejection]) -> None:
    """A refused extension loses its whole vote: that must not happen to honest validators."""
    extension = encode_extension(found)
    assert len(extension) <= EXTENSION_BYTES_MAX
    assert decode_extension(extension) == tuple(found)


@given(votes_transactions)
def test_votes_are_read_as_they_were_written(found: VotesTransaction) -> None:
    assert decode_votes(encode_votes(found)) == found


@pytest.mark.parametrize(
    "transaction",
    [
        VOTES,
        encode_votes(votes(signed(KEYS[0], said()), bodies=())),
    ],
)
@given(data=st.data())
def test_a_changed_byte_is_refused_or_says_something_else(transaction: bytes, data: st.DataObject) -> None:
    """One meaning, one form: otherwise two blocks of different hashes would say the same."""
    index = data.draw(st.integers(0, len(transaction) - 1))
    changed = bytearray(transaction)
    changed[index] ^= data.draw(st.integers(1, 255))
    try:
        found = decode_votes(bytes(changed))
    except ImproperVoteError:
        return
    assert encode_votes(found) == changed
    assert found != decode_votes(transaction)


@given(st.lists(st.binary(max_size=3), max_size=4), st.lists(st.binary(max_size=3), max_size=4))
def test_a_digest_tells_bodies_apart(one: list[bytes], other: list[bytes]) -> None:
    """Also where the same bytes are split at another place."""
    assert (body_digest(one) == body_digest(other)) == (one == other)


@given(st.lists(st.binary(max_size=40), max_size=30))
def test_a_size_bounds_what_carrying_takes(body: list[bytes]) -> None:
    """A million empty transactions are small by their bytes, and would fit into no votes transaction."""
    assert body_size(body) == sum(map(len, body)) + BODY_OVERHEAD_BYTES * len(body)
    assert len(msgspec.json.encode(body)) <= 2 + body_size(body) * 4 / 3
    assert sum(len(b64encode(one)) for one in body) <= body_size(body) * 4 / 3
