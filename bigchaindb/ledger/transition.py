"""From a verdict to its effects: the step that every node computes for itself and that must come out equal (L3)."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from bigchaindb.events import EventTypes
from bigchaindb.ledger.block import Block
from bigchaindb.ledger.effects import Effects, Logged, LoggedEvent, Tip, log_digest
from bigchaindb.ledger.proposal import Verdict
from bigchaindb.ledger.voting import make_vote
from bigchaindb.transaction.keys import KeyPair
from bigchaindb.transaction.model import Transaction


def finalize(verdict: Verdict, tip: Tip, key: KeyPair) -> Effects:
    """Compute all that a decision changes. The same chain of verdicts has the same effects everywhere (L3).

    Args:
        verdict: on the block of height `tip.height + 1`.
        tip: the state it continues from.
        key: signs this node's own vote, which is the only part that differs between nodes.
    """
    assert verdict.block.header.height == tip.height + 1, (verdict.block.header.height, tip.height)
    logged: list[Logged] = []
    after = log(verdict.block, tip, logged, key, reason=None if verdict.fault is None else verdict.fault.reason)
    after = replace(after, app_hash=app_hash(after, verdict.transactions))
    return Effects(after, tuple(logged), verdict.transactions)


def log(
    block: Block,
    tip: Tip,
    logged: list[Logged],
    key: KeyPair,
    *,
    reason: str | None = None,
    proof: bytes = b"",
    body_omitted: bool = False,
) -> Tip:
    """Append the event about a block, with this node's vote; return the tip after it. See `Logged`.

    Args:
        block: as it is logged.
        tip: before it.
        logged: what the decision has logged so far.
        key: signs the vote.
        reason: why the block is invalid; None for a valid one, which moves the chain.
        proof: of an invalid block.
        body_omitted: whether transactions of an invalid block are left out.
    """
    header = block.header
    event_type = EventTypes.BLOCK_VALID if reason is None else EventTypes.BLOCK_INVALID
    digest = log_digest(tip.digest, event_type, header.height, header.id)
    event = LoggedEvent(tip.position + 1, event_type, header.height, header.id, reason, digest)  # E2
    logged.append(Logged(event, block, make_vote(header, tip.block_id, reason, key), proof, body_omitted))
    after = replace(tip, position=event.position, digest=digest)
    if reason is None:
        return replace(after, height=header.height, block_id=header.id, timestamp=header.timestamp)
    return after


def app_hash(tip: Tip, transactions: Sequence[Transaction], network: bytes | None = None) -> bytes:
    """Chain the hash of the state: SHA-256 of the one before and of the digest of the effects (L3).

    The log's digest covers the block id and so every byte of the block; the ids stand beside it because they are what
    a client can check without the block.

    Args:
        tip: after all events of the decision, with the hash before it.
        transactions: of the valid block.
        network: the network's state after the decision, encoded; None on a network of one.
    """
    ids = b"".join(bytes.fromhex(transaction.id) for transaction in transactions)
    state = b"" if network is None else sha256(network).digest()
    effects = sha256(tip.digest + tip.position.to_bytes(8, "big") + ids + state).digest()
    return sha256(tip.app_hash + effects).digest()
