"""Proposals: how one is signed, what is wrong with one, and the verdict on it.

Source: docs/reference/contract/blocks-and-votes.md, section 1.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from bigchaindb.errors import InvalidHash, InvalidSignature, SybilError, ValidationError
from bigchaindb.ledger.block import Block, Header, block_id, block_text, text_of
from bigchaindb.ledger.voting import signed_by
from bigchaindb.transaction.canonical import canonical
from bigchaindb.transaction.keys import KeyPair, encode
from bigchaindb.transaction.model import Transaction
from bigchaindb.transaction.reading import read


@dataclass(frozen=True, slots=True)
class Fault:
    """The first rule that a proposal breaks.

    Attributes:
        where: the member at fault.
        index: of the transaction at fault, where it is one.
    """

    where: str
    error: ValidationError
    index: int | None = None

    @property
    def reason(self) -> str:
        """The text of votes and events: a function of block and state alone, without any library's wording."""
        place = self.where if self.index is None else f"{self.where}[{self.index}]"
        return f"{type(self.error).__name__} at {place}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the voter concludes about a proposal, with all that `finalize` needs.

    Attributes:
        block: as it will be logged, under the id that its content has.
        transactions: of a valid block, parsed, in order; empty for an invalid one.
        fault: None for a valid block.
    """

    block: Block
    transactions: tuple[Transaction, ...] = field(repr=False)
    fault: Fault | None


def sign_proposal(
    transactions: Sequence[bytes], *, height: int, timestamp: int, voters: Sequence[str], key: KeyPair
) -> Block:
    """Make a block of canonical transaction bytes, to be put to the vote under this node's signature.

    Args:
        transactions: canonical bytes, in order.
        height: of the chain once it is decided.
        timestamp: Unix seconds.
        voters: base58, sorted.
        key: of this node.
    """
    text = block_text(timestamp, transactions, key.public_key, voters)
    signature = encode(key.sign(text))
    header = Header(block_id(text), height, timestamp, key.public_key, tuple(voters), signature)
    block = Block(header, tuple(transactions))
    object.__setattr__(block, "text", text)  # hashing 48 KB takes 0.2 ms: once is enough
    return block


def find_forgery(block: Block, federation: Collection[str]) -> Fault | None:
    """Check id, proposer and signature of a block, in the order of 1.x.

    Args:
        block: from anyone.
        federation: base58, the nodes that may make blocks.

    Returns:
        The first fault: `InvalidHash`, `SybilError` or `InvalidSignature`; None if there is none.
    """
    header, text = block.header, text_of(block)
    is_own = block.text is not None  # this process has hashed and signed just that
    if not is_own and header.id != block_id(text):
        return Fault("id", InvalidHash("the block's id isn't equal to the hash of its body"))
    if header.node_pubkey not in federation:
        return Fault("node_pubkey", SybilError("Only federation nodes can create blocks"))
    if not is_own and (header.signature is None or not signed_by(header.node_pubkey, text, header.signature)):
        return Fault("signature", InvalidSignature("Invalid block signature"))
    return None


def can_be_carried(body: bytes) -> bool:
    """Whether an event about a rejected proposal can repeat `body`: a JSON object in canonical form.

    Anything else would make the event's own body something that does not parse, or whose id a reader cannot verify.
    """
    try:
        document, _ = read(body)
        return canonical(document, str(document.get("version"))) == body
    except ValidationError:
        return False


def as_logged(block: Block, height: int, transactions: Sequence[bytes]) -> Block:
    """Return a rejected proposal as it is logged.

    Args:
        block: as it was proposed, whatever it claims.
        height: that was to be decided.
        transactions: those of its transactions that an event can carry.

    Returns:
        The block under the id that its content really has; without a signature if that covers more than is carried.
    """
    header = block.header
    text = block_text(header.timestamp, transactions, header.node_pubkey, header.voters)
    signature = header.signature if len(transactions) == len(block.transactions) else None
    return Block(replace(header, id=block_id(text), height=height, signature=signature), tuple(transactions))
