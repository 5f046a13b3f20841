"""Rejections: the reports of validators about proposals that they voted against, and how every node gets them.

A validator's rejections ride in the extension of its vote, signed by the consensus engine. The next proposer puts the
signed extensions into a *votes transaction*, the first of its block, so that every node counts the same ones. All
encodings are canonical: what does not come out the same when it is written again is refused.

Source: docs/explanation/network.md.
"""

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from bigchaindb.errors import ImproperVoteError

INTERNAL_MARK: Final = b"\0"
"""Begins transactions of the network's own; no document of a client does."""
VOTES_MARK: Final = b"\0votes"
WAKE_MARK: Final = b"\0wake"
EXTENSION_COUNT_MAX: Final = 16
"""Rejections that one vote carries."""
EXTENSION_BYTES_MAX: Final = 16 * 1024
BODY_BYTES_MAX: Final = 1024 * 1024
"""Transactions of a rejected proposal beyond this `body_size` are not carried: its event then has none."""
BODY_OVERHEAD_BYTES: Final = 8
"""What a transaction takes in a votes transaction besides its bytes."""
BLOCK_COUNT_MAX: Final = 1_000
"""Transactions of clients in a block. A rule of the network: no setting of one node may change it."""
BODY_COUNT_MAX: Final = BLOCK_COUNT_MAX + 1
"""Most transactions of a rejected proposal that are carried: those of clients and the votes before them. More are the
fault themselves; 130,000 empty ones, written and read in JSON by each node again and again, would cost it 13 s."""
CARRY_HEIGHTS: Final = 100
"""Heights for which a rejection is repeated until the chain shows it."""

Height = Annotated[int, Meta(ge=1, le=2**62)]
# `$` alone also stands before a last line break, and an address with one would be the same validator a second time.
Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
Address = Annotated[str, Meta(pattern=r"^[0-9a-f]{40}$(?!\n)")]
Reason = Annotated[str, Meta(max_length=120, pattern=r"^[A-Za-z]+ at [a-z_]+(\[[0-9]{1,7}\])?$(?!\n)")]


class Rejection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, order=True):
    """One proposal that an application voted against: a function of proposal and state, equal on all honest nodes.

    Attributes:
        height: that it was made for.
        block: its hash as the consensus engine names it, hex.
        proposer: address of the validator that its header names, hex. The engine requires no more than that it is a
            validator: a faulty one may name another.
        time: its own, whole Unix seconds.
        body: SHA-256 over the SHA-256 of each of its transactions, hex; over none if they are too large to be carried.
        size: `body_size` of its transactions.
        reason: `<Class> at transactions[<i>]`.
    """

    height: Height
    block: Hash
    proposer: Address
    time: Annotated[int, Meta(ge=0, lt=10**10)]
    body: Hash
    size: Annotated[int, Meta(ge=0, lt=2**40)]
    reason: Reason


class SignedExtension(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A validator's vote extension with its signature, as the consensus engine handed it to the next proposer.

    Attributes:
        validator: address, hex.
        round: of the vote.
        extension: what was signed, base64 in JSON.
        signature: Ed25519, 64 bytes, base64 in JSON.
    """

    validator: Address
    round: Annotated[int, Meta(ge=0, lt=2**31)]
    extension: Annotated[bytes, Meta(min_length=1, max_length=EXTENSION_BYTES_MAX)]
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


class VotesTransaction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a proposer puts on the chain of the votes on the block before.

    Attributes:
        height: of the block that was voted on.
        extensions: ascending by validator, one of each at most.
        bodies: the transactions of the rejected proposals that are decided by this, in the order of their rejections,
            each once; base64 in JSON.
    """

    height: Height
    extensions: Annotated[tuple[SignedExtension, ...], Meta(min_length=1)]
    bodies: tuple[tuple[bytes, ...], ...]


def body_digest(transactions: Sequence[bytes]) -> str:
    """Return the digest of a proposal's transactions."""
    return sha256(b"".join(sha256(one).digest() for one in transactions)).hexdigest()


def body_size(transactions: Sequence[bytes]) -> int:
    """Return the size of a proposal's transactions: base64 in a votes transaction, they take at most 4/3 of it.

    More than `BODY_COUNT_MAX` are not carried, so their size is beyond `BODY_BYTES_MAX` in any case.
    """
    size = sum(map(len, transactions)) + BODY_OVERHEAD_BYTES * len(transactions)
    return size if len(transactions) <= BODY_COUNT_MAX else max(size, BODY_BYTES_MAX + 1)


def encode_extension(rejections: Sequence[Rejection]) -> bytes:
    """Return the bytes of a vote extension: nothing for none. `rejections` ascend, at most `EXTENSION_COUNT_MAX`."""
    return msgspec.json.encode(rejections) if rejections else b""


def decode_extension(extension: bytes) -> tuple[Rejection, ...]:
    """Read a vote extension.

    Raises:
        ImproperVoteError: no honest node sends that: too long, not canonical, unknown members, out of order.
    """
    if not extension:
        return ()
    if len(extension) > EXTENSION_BYTES_MAX:
        raise ImproperVoteError(f"extension: at most {EXTENSION_BYTES_MAX} bytes, found {len(extension)}")
    rejections: tuple[Rejection, ...] = _decoded(extension, _extension)
    if not 0 < len(rejections) <= EXTENSION_COUNT_MAX:
        raise ImproperVoteError(f"extension: 1 to {EXTENSION_COUNT_MAX} rejections, found {len(rejections)}")
    if any(before >= after for before, after in pairwise(rejections)):
        raise ImproperVoteError("extension: rejections must ascend")
    return rejections


def encode_votes(votes: VotesTransaction) -> bytes:
    """Return the bytes of a votes transaction."""
    return VOTES_MARK + msgspec.json.encode(votes)


def decode_votes(transaction: bytes) -> VotesTransaction:
    """Read a votes transaction.

    Raises:
        ImproperVoteError: it does not have the form of `encode_votes`, or names a validator twice.
    """
    if not transaction.startswith(VOTES_MARK):
        raise ImproperVoteError("votes: without their mark")
    votes: VotesTransaction = _decoded(transaction.removeprefix(VOTES_MARK), _votes)
    names = [one.validator for one in votes.extensions]
    if any(before >= after for before, after in pairwise(names)):
        raise ImproperVoteError("votes: validators must ascend")
    return votes


def _decoded(text: bytes, decoder: "msgspec.json.Decoder[Any]") -> Any:  # noqa: ANN401 - the decoder's type
    try:
        found = decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ImproperVoteError(f"votes: {error}") from None
    if msgspec.json.encode(found) != text:
        raise ImproperVoteError("votes: not in canonical form")
    return found


_extension: Final = msgspec.json.Decoder(tuple[Rejection, ...])
_votes: Final = msgspec.json.Decoder(VotesTransaction)
