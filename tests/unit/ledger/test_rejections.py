"""How rejections are written down: one form for each, and nothing else is read."""

import pytest
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
    VotesTransaction,
    body_size,
    decode_extension,
    decode_votes,
    encode_extension,
    encode_votes,
)
from tests.support.networks import KEYS, VOTES, said, signed, votes

ONE = encode_extension([said()])


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


@pytest.mark.parametrize("size", [0, BODY_BYTES_MAX])
def test_a_body_of_more_transactions_than_a_block_has_is_too_large_to_carry(size: int) -> None:
    """As many empty ones as fit into 1 MiB would be written in JSON, and read again, by every node in every turn."""
    first = bytes(size)
    assert body_size([b""] * BODY_COUNT_MAX) == BODY_OVERHEAD_BYTES * BODY_COUNT_MAX
    sizes = [body_size([first, *[b""] * count]) for count in (BODY_COUNT_MAX, 130_000)]
    assert sizes[0] == max(BODY_BYTES_MAX + 1, size + BODY_OVERHEAD_BYTES * (BODY_COUNT_MAX + 1))
    assert min(sizes) > BODY_BYTES_MAX
