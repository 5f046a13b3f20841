"""How rejections are written down: one form for each, and nothing else is read."""

from base64 import b64encode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bigchaindb import errors
from bigchaindb.errors import ImproperVoteError, ValidationError
from bigchaindb.ledger.proposal import Fault
from bigchaindb.ledger.rejections import (
    BODY_BYTES_MAX,
    BODY_COUNT_MAX,
    BODY_OVERHEAD_BYTES,
    EXTENSION_BYTES_MAX,
    EXTENSION_COUNT_MAX,
    VOTES_MARK,
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
from tests.support.networks import KEYS, said, signed, votes

ONE = encode_extension([said()])
VOTES = encode_votes(votes(signed(KEYS[0], said()), signed(KEYS[1], said())))

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


def test_the_form_of_an_extension() -> None:
    """Validators of all versions sign and compare these bytes."""
    one = Rejection(
        height=7, block="ab" * 32, proposer="cd" * 20, time=1_700_000_000, body="ef" * 32, size=12, reason="X at y[0]"
    )
    assert encode_extension([one]).decode() == (
        '[{"height":7,"block":"' + "ab" * 32 + '","proposer":"' + "cd" * 20 + '","time":1700000000,'
        '"body":"' + "ef" * 32 + '","size":12,"reason":"X at y[0]"}]'
    )


def test_nothing_to_say_is_no_bytes() -> None:
    assert encode_extension([]) == b""
    assert decode_extension(b"") == ()


@given(extensions)
def test_what_an_honest_node_says_is_read_again_and_never_too_long(found: list[Rejection]) -> None:
    """A refused extension loses its whole vote: that must not happen to honest validators."""
    extension = encode_extension(found)
    assert len(extension) <= EXTENSION_BYTES_MAX
    assert decode_extension(extension) == tuple(found)


def reasons() -> list[str]:
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, ValidationError)]
    places = [("transactions", None), ("transactions", 0), ("transactions", 9_999_999)]
    return [Fault(where, one("why"), index).reason for one in classes for where, index in places]


@pytest.mark.parametrize("reason", reasons())
def test_every_reason_that_the_rules_give_can_be_said(reason: str) -> None:
    assert decode_extension(encode_extension([replace(said(), reason=reason)]))


@pytest.mark.parametrize(
    "extension",
    [
        b"[]",
        b"null",
        b"{}",
        b"no JSON",
        b"\xff",
        b"[" * 100_000,
        b"x" * (EXTENSION_BYTES_MAX + 1),
        ONE + b" ",
        ONE.replace(b",", b", ", 1),
        ONE.replace(b'"height":5', b'"height":5.0'),
        ONE.replace(b'"height":5', b'"height":"5"'),
        ONE.replace(b'"height":5', b'"height":0'),
        ONE.replace(b'"height":5', b'"height":99999999999999999999'),
        ONE.replace(b'"height":5,', b""),
        ONE.replace(b'"height":5,', b'"height":5,"height":5,'),
        ONE.replace(b'"height":5,', b'"more":1,"height":5,'),
        ONE.replace(b'"time":', b'"time":-'),
        ONE.replace(b" at ", b" in "),
        ONE.replace(b"Json", b"J\\u0073on"),
        ONE.replace(b"Malformed", b"M" * 121),
        ONE.replace(said().block.encode(), said().block.upper().encode()),
        encode_extension([said(6), said(5)]),
        encode_extension([said(), said()]),
        encode_extension([said(height) for height in range(1, EXTENSION_COUNT_MAX + 2)]),
    ],
)
def test_what_no_honest_node_says_is_refused(extension: bytes) -> None:
    with pytest.raises(ImproperVoteError):
        decode_extension(extension)


@pytest.mark.parametrize("member", ["block", "proposer", "body", "reason"])
def test_a_line_break_makes_no_second_form(member: str) -> None:
    """`$` of a regular expression also matches before a last line break: the same validator could count twice."""
    one = said()
    with pytest.raises(ImproperVoteError):
        decode_extension(encode_extension([replace(one, **{member: getattr(one, member) + "\n"})]))


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


TWO = votes(signed(KEYS[0], said()), signed(KEYS[1], said()))


@pytest.mark.parametrize(
    "wrong",
    [
        replace(TWO, extensions=TWO.extensions[::-1]),
        replace(TWO, extensions=(TWO.extensions[0],) * 2),
        replace(TWO, extensions=()),
        replace(TWO, height=0),
        replace(
            TWO,
            extensions=(
                TWO.extensions[0],
                replace(TWO.extensions[0], validator=TWO.extensions[0].validator + "\n"),
            ),
        ),
        replace(TWO, extensions=(replace(TWO.extensions[0], signature=b"s" * 63),)),
        replace(TWO, extensions=(replace(TWO.extensions[0], extension=b""),)),
        replace(TWO, extensions=(replace(TWO.extensions[0], extension=b"x" * (EXTENSION_BYTES_MAX + 1)),)),
        replace(TWO, extensions=(replace(TWO.extensions[0], round=-1),)),
    ],
)
def test_votes_that_no_honest_proposer_writes_are_refused(wrong: VotesTransaction) -> None:
    with pytest.raises(ImproperVoteError):
        decode_votes(encode_votes(wrong))


def test_votes_begin_with_their_mark() -> None:
    with pytest.raises(ImproperVoteError, match="mark"):
        decode_votes(VOTES.removeprefix(VOTES_MARK))


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


@pytest.mark.parametrize("size", [0, BODY_BYTES_MAX])
def test_a_body_of_more_transactions_than_a_block_has_is_too_large_to_carry(size: int) -> None:
    """As many empty ones as fit into 1 MiB would be written in JSON, and read again, by every node in every turn."""
    first = bytes(size)
    assert body_size([b""] * BODY_COUNT_MAX) == BODY_OVERHEAD_BYTES * BODY_COUNT_MAX
    sizes = [body_size([first, *[b""] * count]) for count in (BODY_COUNT_MAX, 130_000)]
    assert sizes[0] == max(BODY_BYTES_MAX + 1, size + BODY_OVERHEAD_BYTES * (BODY_COUNT_MAX + 1))
    assert min(sizes) > BODY_BYTES_MAX
