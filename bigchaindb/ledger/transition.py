"""From a verdict to its effects: the step that every node computes for itself and that must come out equal (L3)."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from bigchaindb.events import EventTypes
from bigchaindb.ledger.effects import Effects, Logged, LoggedEvent, Tip, log_digest
from bigchaindb.ledger.proposal import Verdict
from bigchaindb.ledger.voting import make_vote
from bigchaindb.transaction.keys import KeyPair
from bigchaindb.transaction.model import Transaction


def finalize(verdict: Verdict, tip: Tip, key: KeyPair) -> Effects:
    """Compute all that a decision changes. The same chain of verdicts gives the same effects everywhere (L3).

    Args:
        verdict: on the block of height `tip.height + 1`.
        tip: the state it continues from.
        key: signs this node's own vote, which is the only part that differs between nodes.
    """
    header = verdict.block.header
    assert header.height == tip.height + 1, (header.height, tip.height)
    event = _log(verdict, tip)
    after = replace(
        tip,
        app_hash=_app_hash(tip.app_hash, event, verdict.transactions),
        position=event.position,
        digest=event.digest,
    )
    if verdict.fault is None:
        after = replace(after, height=header.height, block_id=header.id, timestamp=header.timestamp)
    vote = make_vote(header, tip.block_id, event.reason, key)
    return Effects(after, (Logged(event, verdict.block, vote),), verdict.transactions)


def _log(verdict: Verdict, tip: Tip) -> LoggedEvent:
    header, fault = verdict.block.header, verdict.fault
    event_type = EventTypes.BLOCK_VALID if fault is None else EventTypes.BLOCK_INVALID
    return LoggedEvent(
        position=tip.position + 1,  # E2
        type=event_type,
        height=header.height,
        block_id=header.id,
        reason=None if fault is None else fault.reason,
        digest=log_digest(tip.digest, event_type, header.height, header.id),
    )


def _app_hash(previous: bytes, event: LoggedEvent, transactions: Sequence[Transaction]) -> bytes:
    """Chain the hash of the state: SHA-256 of what was and of the digest of the effects (L3).

    The log's digest covers the block id and so every byte of the block; the ids stand beside it because they are what
    a client can check without the block.
    """
    ids = b"".join(bytes.fromhex(transaction.id) for transaction in transactions)
    effects = sha256(event.digest + event.position.to_bytes(8, "big") + ids).digest()
    return sha256(previous + effects).digest()
