"""All that a decision changes, as values: `finalize` computes them, `commit` writes them in one fsynced write (E1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from bigchaindb.ledger.block import NO_BLOCK_ID, Block
from bigchaindb.transaction.model import Transaction

NO_DIGEST: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Tip:
    """Where the chain and its log stand: all that the next decision continues from.

    Attributes:
        height: of the last valid block, 0 before the first.
        block_id: v1 id of the last valid block, 64 zeros before the first.
        timestamp: of the last valid block, Unix seconds, 0 before the first.
        app_hash: 32 bytes over everything decided so far (L3).
        position: of the last event, 0 before the first.
        digest: of the log at `position`, 32 bytes.
    """

    height: int = 0
    block_id: str = NO_BLOCK_ID
    timestamp: int = 0
    app_hash: bytes = NO_DIGEST
    position: int = 0
    digest: bytes = NO_DIGEST


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One row of the event log: a pointer into the ledger.

    Attributes:
        position: from 1, without gap (E2).
        type: a bit of `bigchaindb.events.EventTypes`.
        height: of the block, or the height that a rejected proposal was made for.
        block_id: v1 id of the block or proposal.
        reason: of an invalid block, `<Class> at transactions[<i>]`; None for a valid one.
        digest: of the log up to here, 32 bytes.
    """

    position: int
    type: int
    height: int
    block_id: str
    reason: str | None
    digest: bytes


@dataclass(frozen=True, slots=True)
class Logged:
    """One event that the log gains, with what it is about.

    Attributes:
        event: the row of the log.
        block: what was decided, valid or invalid.
        vote: this node's own v1 vote on it, canonical JSON bytes.
        proof: what proves it to others, JSON bytes; empty where that is kept elsewhere.
        body_omitted: transactions of an invalid block are left out, so that the consensus engine's hash is its id.
    """

    event: LoggedEvent
    block: Block
    vote: bytes
    proof: bytes = b""
    body_omitted: bool = False


@dataclass(frozen=True, slots=True)
class Effects:
    """What one decision changes, and nothing else.

    Attributes:
        tip: the chain's and log's state after it.
        logged: ascending. A valid block stands last, behind the invalid ones that it completes; a network's block that
            is empty to clients logs nothing of its own.
        transactions: those of the valid block, parsed, in block order; the bytes of invalid ones stand in `logged`.
        network: the network's state after it, encoded; None if it stays as it is.
        powers: validators whose power changes, by public key; 0 takes one out.
    """

    tip: Tip
    logged: tuple[Logged, ...]
    transactions: tuple[Transaction, ...]
    network: bytes | None = None
    powers: Mapping[bytes, int] = field(default_factory=dict)

    @property
    def last(self) -> Logged:
        """The decision itself, where every decision logs one event: on a network of one."""
        return self.logged[-1]


def log_digest(previous: bytes, event_type: int, height: int, block_id: str) -> bytes:
    """Chain the log's digest by one event: SHA-256 of what was, one byte of type, eight of height, 32 of block id."""
    return sha256(
        previous + event_type.to_bytes(1, "big") + height.to_bytes(8, "big") + bytes.fromhex(block_id)
    ).digest()
