"""What the checks of all kinds of evidence share: whom the reader trusts, what a check returns, and its small steps."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bigchaindb.errors import ProofError, ValidationError
from bigchaindb.ledger.block import Block, unsigned_block
from bigchaindb.ledger.network import Unseen
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.transaction.canonical import canonical
from bigchaindb.transaction.reading import read

SHOWN_CHARACTERS_MAX: Final = 100
"""Of a value in a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whom the reader of a proof believes.

    Attributes:
        validators: of the network.
        chain_id: of the network, None if the reader does not know it.
    """

    validators: ValidatorSet
    chain_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a proof proves.

    Attributes:
        kind: of its evidence: `commit`, `commit-2`, `rejection-2`, `rejection` or `node`.
        block: made anew from what was signed.
        reason: why it is invalid; None for a valid block.
        body: of the event, canonical bytes; for `rejection` without what is not proven.
        chain_id: that was signed; None for `node`, which signs none, and no height either.
        power: of the trusted validators that signed.
        total: power of all trusted validators.
        is_body_omitted: whether its transactions are not shown, or not all of them.
        is_bound: whether `id` and `block.voters` are proven; a `rejection` does not hold them, and they are empty.
    """

    kind: str
    block: Block
    reason: str | None
    body: bytes = field(repr=False)
    chain_id: str | None
    power: int
    total: int
    is_body_omitted: bool = False
    is_bound: bool = True


def require(holds: bool, message: str) -> None:  # noqa: FBT001 reads as a sentence where it is called
    """Require that something holds.

    Raises:
        ProofError: with the message.
    """
    if not holds:
        raise ProofError(message)


def require_equal(member: str, found: object, expected: object, says: str) -> None:
    """Require that a member of the proof equals a value with a stronger proof.

    Raises:
        ProofError: names both, cut.
    """
    if found != expected:
        raise ProofError(f"{member}: found {_cut(found)}, but {says} {_cut(expected)}")


def canonical_bytes(index: int, text: bytes) -> bytes:
    """Return the bytes of a transaction that were hashed, however the document lays them out.

    Raises:
        ProofError: it has none.
    """
    try:
        document, _ = read(text)
        return canonical(document, str(document.get("version")))
    except ValidationError as error:
        raise ProofError(f"event.block.transactions[{index}]: {error}") from None


def merged(shown: Sequence[bytes], unseen: Sequence[Unseen], may_hide: Callable[[bytes], bool]) -> list[bytes]:
    """Return all transactions that were decided upon, in their order.

    A proof brings what its event leaves out whole, not as hashes: else it could leave out more than that.

    Raises:
        ProofError: it hides what the event would show, or is out of order.
    """
    transactions: list[bytes] = []
    taken = 0  # of those shown
    for number, one in enumerate(unseen):
        require(may_hide(one.bytes), f"unseen[{number}]: the event would show it")
        end = one.index - number
        require(taken <= end <= len(shown), f"unseen[{number}].index: out of order")
        transactions += (*shown[taken:end], one.bytes)
        taken = end
    return [*transactions, *shown[taken:]]


def network_block(
    height: int,
    timestamp: int,
    proposer: bytes,
    validators: ValidatorSet,
    shown: Sequence[bytes],
    *,
    consensus_hash: str | None = None,
) -> Block:
    """Make a network's block anew, as every node makes it for the event.

    Args:
        height: of the chain.
        timestamp: Unix seconds.
        proposer: address.
        validators: of the height.
        shown: transactions of the event.
        consensus_hash: the block's id, if its transactions are not all shown; else it follows from the rest.

    Raises:
        ProofError: the proposer is no validator.
    """
    if proposer not in validators.by_address:
        raise ProofError(f"proposer: {proposer.hex()} is none of the validators")
    return unsigned_block(height, timestamp, proposer, validators, shown, consensus_hash=consensus_hash)


def power_of(signers: Iterable[bytes], validators: ValidatorSet) -> int:
    """Return the power that some keys have among validators; strangers have none."""
    return sum(validators.powers.get(key, 0) for key in signers)


def _cut(value: object) -> str:
    return repr(value)[:SHOWN_CHARACTERS_MAX]
