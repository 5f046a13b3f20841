"""A block's header with the precommits on it, in the JSON of CometBFT's RPC (`signed_header` of `/commit`). Pure.

Proofs carry it in that form, which other tools know as well; here it becomes values, once, with everything bounded.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from bigchaindb.errors import ProofError
from bigchaindb.ledger.consensus import BlockId, Moment, encoded_block_id, encoded_moment, merkle_root
from bigchaindb.ledger.protobuf import integer, octets

VALIDATOR_COUNT_MAX: Final = 10_000
"""As many as the engine allows."""
ABSENT: Final = 1
FOR_BLOCK: Final = 2
FOR_NO_BLOCK: Final = 3
"""Values of `block_id_flag` of a validator's precommit."""

_MOMENT: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z")

Number = Annotated[str, Meta(pattern="^(0|[1-9][0-9]{0,17})$(?!\n)")]
"""A number below 10^18, as text."""
Hash = Annotated[str, Meta(pattern="^([0-9A-F]{64})?$(?!\n)")]
Address = Annotated[str, Meta(pattern="^([0-9A-F]{40})?$(?!\n)")]
AppHash = Annotated[str, Meta(pattern="^([0-9A-F]{2}){0,64}$(?!\n)")]
Time = Annotated[str, Meta(max_length=30)]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Unknown members are refused: they would seem proven and be ignored."""


class Parts(_Strict, frozen=True):
    """Of a block id: how many pieces the block was sent in, and the root over them."""

    total: Annotated[int, Meta(ge=0, lt=2**32)]
    hash: Hash


class WireBlockId(_Strict, frozen=True):
    """What a precommit names."""

    hash: Hash
    parts: Parts

    def value(self) -> BlockId:
        """Return the value that the core works with."""
        return BlockId(bytes.fromhex(self.hash), self.parts.total, bytes.fromhex(self.parts.hash))


class Version(_Strict, frozen=True):
    """Of the engine's blocks, and of our rules; the engine leaves out an `app` of 0."""

    block: Number
    app: Number = "0"


class ConsensusHeader(_Strict, frozen=True):
    """The header of a block of the consensus engine: all fields, in its order; hashes are empty where there is none."""

    version: Version
    chain_id: Annotated[str, Meta(min_length=1, max_length=50)]
    height: Number
    time: Time
    last_block_id: WireBlockId
    last_commit_hash: Hash
    data_hash: Hash
    validators_hash: Hash
    next_validators_hash: Hash
    consensus_hash: Hash
    app_hash: AppHash
    last_results_hash: Hash
    evidence_hash: Hash
    proposer_address: Address


class Precommit(_Strict, frozen=True):
    """One validator's, without what it shares with the others; of an absent one the rest is empty.

    Attributes:
        block_id_flag: whether it is for the block, for none, or absent.
        validator_address: hex.
        timestamp: the validator's.
        signature: base64.
    """

    block_id_flag: Annotated[int, Meta(ge=ABSENT, le=FOR_NO_BLOCK)]
    validator_address: Address
    timestamp: Time
    signature: Annotated[bytes, Meta(max_length=64)] | None


class Commit(_Strict, frozen=True):
    """The precommits that decided a block."""

    height: Number
    round: Annotated[int, Meta(ge=0, lt=2**31)]
    block_id: WireBlockId
    signatures: Annotated[tuple[Precommit, ...], Meta(max_length=VALIDATOR_COUNT_MAX)]


class SignedHeader(_Strict, frozen=True):
    """A header and the precommits on it."""

    header: ConsensusHeader
    commit: Commit


def header_hash(header: ConsensusHeader) -> bytes:
    """Return the hash of a block: the root over the fields of its header, each as protobuf.

    Raises:
        ProofError: the time is none.
    """
    hashes = (
        header.last_commit_hash,
        header.data_hash,
        header.validators_hash,
        header.next_validators_hash,
        header.consensus_hash,
        header.app_hash,
        header.last_results_hash,
        header.evidence_hash,
        header.proposer_address,
    )
    return merkle_root(
        [
            integer(1, int(header.version.block)) + integer(2, int(header.version.app)),
            octets(1, header.chain_id.encode()),
            integer(1, int(header.height)),
            encoded_moment(moment(header.time)),
            encoded_block_id(header.last_block_id.value()),
            *(octets(1, bytes.fromhex(value)) for value in hashes),
        ]
    )


def moment(text: str) -> Moment:
    """Read a point in time, RFC 3339 in UTC with up to nine digits behind the point.

    Raises:
        ProofError: it is none.
    """
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ProofError(f"time: {text[:40]!r} has not the form 2026-01-31T12:00:00.123456789Z")
    try:
        whole = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
    except ValueError as error:
        raise ProofError(f"time: {text[:40]!r}: {error}") from None
    return Moment(int(whole.timestamp()), int((found[2] or "").ljust(9, "0")))
