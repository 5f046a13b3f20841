"""What CometBFT v0.38 hashes and signs, made here once more so that a proof is checked without trust in any node. Pure.

These bytes are functions of a block's content, so that no answer of CometBFT is needed for them. Vectors made by the
real program test them. Source: CometBFT v0.38, "Data structures" and "Encoding".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

from bigchaindb.ledger.protobuf import delimited, fixed, integer, message, octets
from bigchaindb.ledger.validators import ValidatorSet, address_of

PRECOMMIT: Final = 2
"""The type of the vote that decides."""


class Moment(NamedTuple):
    """A point in time: Unix seconds and nanoseconds from 0 to 999,999,999."""

    seconds: int
    nanos: int


@dataclass(frozen=True, slots=True)
class BlockId:
    """What a precommit names.

    Attributes:
        hash: of the header, 32 bytes; empty for "no block".
        parts_total: pieces that the block was sent in.
        parts_hash: root over them, 32 bytes.
    """

    hash: bytes
    parts_total: int
    parts_hash: bytes


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root, 32 bytes, of the tree of RFC 6962, section 2.1, with SHA-256."""
    match leaves:
        case []:
            return sha256().digest()
        case [leaf]:
            return sha256(b"\x00" + leaf).digest()
    left = 1 << (len(leaves) - 1).bit_length() - 1  # the largest power of two below their number
    return sha256(b"\x01" + merkle_root(leaves[:left]) + merkle_root(leaves[left:])).digest()


def data_hash(transactions: Sequence[bytes]) -> bytes:
    """Return the hash over a consensus block's transactions, internal ones included, in its order."""
    return merkle_root([sha256(transaction).digest() for transaction in transactions])


def validators_hash(validators: ValidatorSet) -> bytes:
    """Return the hash over a set of validators, ordered by falling power, then by address."""
    ordered = sorted(validators.powers.items(), key=lambda item: (-item[1], address_of(item[0])))
    return merkle_root([message(1, octets(1, key)) + integer(2, power) for key, power in ordered])


def precommit_sign_bytes(chain_id: str, height: int, round_: int, block_id: BlockId | None, time: Moment) -> bytes:
    """Return the bytes that a validator signs with its precommit.

    Args:
        chain_id: the network's.
        height: of the vote.
        round_: of the vote, from 0.
        block_id: what it is for; None is a vote for no block.
        time: the validator's, from its vote.
    """
    return delimited(
        integer(1, PRECOMMIT)
        + fixed(2, height)
        + fixed(3, round_)
        + (b"" if block_id is None else message(4, encoded_block_id(block_id)))
        + message(5, encoded_moment(time))
        + octets(6, chain_id.encode())
    )


def vote_extension_sign_bytes(chain_id: str, height: int, round_: int, extension: bytes) -> bytes:
    """Return the bytes that a validator signs with the extension of its precommit; an empty one is signed too.

    Args:
        chain_id: the network's.
        height: of the precommit.
        round_: of the precommit, from 0.
        extension: the application's bytes.
    """
    return delimited(octets(1, extension) + fixed(2, height) + fixed(3, round_) + octets(4, chain_id.encode()))


def encoded_moment(time: Moment) -> bytes:
    """Encode a point in time."""
    return integer(1, time.seconds) + integer(2, time.nanos)


def encoded_block_id(block_id: BlockId) -> bytes:
    """Encode the id of a block."""
    return octets(1, block_id.hash) + message(2, integer(1, block_id.parts_total) + octets(2, block_id.parts_hash))
