"""What faulty validators do: proposals that break a rule or withhold something, and extensions that slander."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import msgspec
from msgspec.structs import replace

from bigchaindb.ledger.bundle import bundle_of
from bigchaindb.ledger.rejections import (
    BODY_BYTES_MAX,
    VOTES_MARK,
    WAKE_MARK,
    Rejection,
    SignedExtension,
    VotesTransaction,
    decode_votes,
    encode_extension,
    encode_votes,
)
from bigchaindb.transaction import KeyPair
from tests.support.networks import said, signed_bytes

Body = tuple[bytes, ...]


@dataclass
class Knowledge:
    """What a faulty proposer works with.

    Attributes:
        draw: its choices.
        key: its own.
        height: of the block that is being made.
        body: what an honest proposer would propose.
        made: transactions, of which most are on the chain or break a rule by now.
        evidence: signed extensions of the votes on the block before.
    """

    draw: Random
    key: KeyPair
    height: int
    body: Body
    made: Sequence[bytes]
    evidence: Sequence[SignedExtension]


def with_what_nobody_checked(knows: Knowledge) -> Body:
    return (*knows.body, knows.draw.choice(knows.made))


def with_garbage(knows: Knowledge) -> Body:
    body = list(knows.body)
    body.insert(knows.draw.randrange(len(body) + 1), knows.draw.randbytes(knows.draw.randrange(20)))
    return tuple(body)


def respaced(knows: Knowledge) -> Body:
    return tuple(one.replace(b",", b", ", 1) for one in knows.body)


def shuffled(knows: Knowledge) -> Body:
    return tuple(knows.draw.sample(knows.body, len(knows.body)))


def with_gaps(knows: Knowledge) -> Body:
    return tuple(one for one in knows.body if knows.draw.random() < 0.6)


def in_other_bundles(knows: Knowledge) -> Body:
    """Bundle what is proposed as nobody else would, perhaps wrongly: cut, with more, one within another, or twice."""
    carried: list[bytes] = []
    rest = list(knows.body)
    while rest:
        count = knows.draw.randint(1, 4)
        carried.append(rest[0] if knows.draw.random() < 0.2 else bundle_of(rest[:count]))
        del rest[: 1 if carried[-1] == rest[0] else count]
    if carried and knows.draw.random() < 0.7:
        at = knows.draw.randrange(len(carried))
        one = carried[at]
        carried[at : at + 1] = knows.draw.choice([[one[:-1]], [one + b"{"], [bundle_of([one])], [one, one]])
    return tuple(carried)


def too_many(knows: Knowledge) -> Body:
    return (*knows.body, *([b"{}"] * 1_001))


def with_internal_mark(knows: Knowledge) -> Body:
    inside = knows.draw.choice([WAKE_MARK + b"nonce", VOTES_MARK, b"\0", b"\0more"])
    return (inside, *knows.body) if knows.draw.random() < 0.5 else (*knows.body, inside)


def too_large_to_carry(knows: Knowledge) -> Body:
    return (*knows.body, b"x" * (BODY_BYTES_MAX + knows.draw.randrange(-20, 20)))


def of_tiny_ones(knows: Knowledge) -> Body:
    """Small by their bytes, but not where they are carried."""
    return (*knows.body, *([b""] * knows.draw.choice([10, 140_000])))


def with_votes(knows: Knowledge) -> Body:
    """Put in votes that are not what an honest proposer would write, or are, by chance."""
    if knows.body and knows.body[0].startswith(VOTES_MARK):
        votes, rest = decode_votes(knows.body[0]), knows.body[1:]
    else:
        extensions = tuple(
            sorted({one.validator: one for one in knows.evidence}.values(), key=lambda one: one.validator)
        )
        votes, rest = VotesTransaction(height=max(1, knows.height - 1), extensions=extensions, bodies=()), knows.body
    if not votes.extensions:
        return (VOTES_MARK + b"{}", *rest)
    forged = knows.draw.choice(FORGERIES)(knows, votes)
    return (encode_votes(forged), *rest)


def _without_bodies(_: Knowledge, votes: VotesTransaction) -> VotesTransaction:
    return replace(votes, bodies=())


def _with_another_body(_: Knowledge, votes: VotesTransaction) -> VotesTransaction:
    return replace(votes, bodies=(*votes.bodies, (b"superfluous",)))


def _of_another_height(_: Knowledge, votes: VotesTransaction) -> VotesTransaction:
    return replace(votes, height=votes.height + 1)


def _with_a_bad_signature(_: Knowledge, votes: VotesTransaction) -> VotesTransaction:
    first, *others = votes.extensions
    return replace(votes, extensions=(replace(first, signature=bytes(64)), *others))


def _counting_one_twice(_: Knowledge, votes: VotesTransaction) -> VotesTransaction:
    first, *others = votes.extensions
    return replace(votes, extensions=(first, replace(first, validator=first.validator + "\n"), *others))


def _with_fewer(knows: Knowledge, votes: VotesTransaction) -> VotesTransaction:
    fewer = knows.draw.sample(votes.extensions, knows.draw.randint(1, len(votes.extensions)))
    return replace(votes, extensions=tuple(sorted(fewer, key=lambda one: one.validator)))


def _with_all_there_are(knows: Knowledge, votes: VotesTransaction) -> VotesTransaction:
    """Slander included."""
    extensions = {one.validator: one for one in knows.evidence}
    return replace(votes, extensions=tuple(extensions[validator] for validator in sorted(extensions)))


Forgery = Callable[[Knowledge, VotesTransaction], VotesTransaction]
FORGERIES: Final[list[Forgery]] = [
    _without_bodies,
    _with_another_body,
    _of_another_height,
    _with_a_bad_signature,
    _counting_one_twice,
    _with_fewer,
    _with_all_there_are,
]


def without_votes(knows: Knowledge) -> Body:
    """Keep from the chain what it could carry: a delay, and no more."""
    return tuple(one for one in knows.body if not one.startswith(VOTES_MARK))


def with_votes_twice(knows: Knowledge) -> Body:
    return (*knows.body, *(one for one in knows.body if one.startswith(VOTES_MARK)), b"\0votes{}")


Fault = Callable[[Knowledge], Body]
FAULTS: Final[list[Fault]] = [
    with_what_nobody_checked,
    with_garbage,
    respaced,
    shuffled,
    with_gaps,
    in_other_bundles,
    with_internal_mark,
    *([with_votes] * 6),
    without_votes,
    with_votes_twice,
]
RARE_FAULTS: Final[list[Fault]] = [too_many, too_large_to_carry, of_tiny_ones]


def draw_fault(draw: Random) -> Fault:
    """Draw one; those that take long are rare."""
    return draw.choice(RARE_FAULTS) if draw.random() < 0.04 else draw.choice(FAULTS)


def draw_extension(
    draw: Random, key: KeyPair, *, height: int, round_: int, true: Sequence[Rejection]
) -> SignedExtension:
    """Draw an extension as a faulty validator may sign it.

    Args:
        draw: its choices.
        key: its own.
        height: of the vote.
        round_: of the vote.
        true: rejections that honest validators have made.
    """
    kind = draw.random()
    if kind < 0.1:
        return signed_bytes(key, draw.randbytes(30) or b"?", height=height, round_=round_)
    joined = draw.sample(true, draw.randint(0, min(4, len(true))))
    slander = [
        said(draw.randint(1, height), name=f"slander {draw.random()}", proposer=key) for _ in range(draw.randint(0, 2))
    ]
    twisted = [replace(one, reason="DoubleSpend at transactions[7]") for one in joined[:1]] if kind < 0.3 else []
    extension = encode_extension(sorted({*joined, *slander, *twisted}))
    if kind > 0.95 and extension:
        extension = msgspec.json.format(extension, indent=1)
    return signed_bytes(key, extension, height=height, round_=round_)
