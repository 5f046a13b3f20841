"""All that a decision changes, as values: `finalize` computes them, `commit` writes them in one fsynced write (E1)."""

from dataclasses import dataclass
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
class Effects:
    """What one decision changes, and nothing else.

    Attributes:
        tip: the chain's and log's state after it.
        event: what the log gains.
        block: what was decided, valid or invalid.
        transactions: those of a valid block, parsed, in block order; empty for an invalid one, whose bytes stand in
            `block`.
        vote: this node's own v1 vote on it, canonical JSON bytes.
    """

    tip: Tip
    event: LoggedEvent
    block: Block
    transactions: tuple[Transaction, ...]
    vote: bytes


def log_digest(previous: bytes, event_type: int, height: int, block_id: str) -> bytes:
    """Chain the log's digest by one event: SHA-256 of what was, one byte of type, eight of height, 32 of block id."""
    return sha256(
        previous + event_type.to_bytes(1, "big") + height.to_bytes(8, "big") + bytes.fromhex(block_id)
    ).digest()
