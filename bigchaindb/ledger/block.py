"""A block in the form that 1.x clients and plugins know, and the event body made from it. Pure.

Source: docs/reference/contract/blocks-and-votes.md, sections 1 and 5.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha3_256
from typing import Final

import orjson

from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.transaction.keys import key_text

NO_BLOCK_ID: Final = "0" * 64
"""`previous_block` of the first vote: the chain has no genesis block."""


@dataclass(frozen=True, slots=True)
class Header:
    """Everything of a block but its transactions.

    Attributes:
        id: v1 block id, 64 hex digits: SHA3-256 of `block_text`.
        height: of the chain; a rejected proposal carries the height that it was made for.
        timestamp: Unix seconds.
        node_pubkey: base58, who proposed it.
        voters: base58, sorted.
        signature: base58, by `node_pubkey` over `block_text`; None where an engine's proposer signs otherwise.
    """

    id: str
    height: int
    timestamp: int
    node_pubkey: str
    voters: tuple[str, ...]
    signature: str | None


@dataclass(frozen=True, slots=True)
class Block:
    """A header and the exact bytes of its transactions, in order.

    Attributes:
        text: what id and signature are of, kept by who has just made both; a copy that differs in anything has none.
    """

    header: Header
    transactions: tuple[bytes, ...] = field(repr=False)
    text: bytes | None = field(default=None, init=False, repr=False, compare=False)


def block_text(timestamp: int, transactions: Sequence[bytes], node_pubkey: str, voters: Sequence[str]) -> bytes:
    """Return the canonical text of `block`, made of each transaction's own canonical bytes."""
    return b"".join(
        (
            b'{"node_pubkey":"',
            node_pubkey.encode(),
            b'","timestamp":"',
            str(timestamp).encode(),
            b'","transactions":[',
            b",".join(transactions),
            b'],"voters":',
            orjson.dumps(list(voters)),
            b"}",
        )
    )


def text_of(block: Block) -> bytes:
    """Return the canonical text of a block's content, which its id and signature cover."""
    if block.text is not None:
        return block.text
    header = block.header
    return block_text(header.timestamp, block.transactions, header.node_pubkey, header.voters)


def block_id(text: bytes) -> str:
    """Return the v1 id of a block whose canonical text is `text`."""
    return sha3_256(text).hexdigest()


def unsigned_block(
    height: int,
    timestamp: int,
    proposer: bytes,
    validators: ValidatorSet,
    transactions: Sequence[bytes],
    *,
    consensus_hash: str | None = None,
) -> Block:
    """Make the block of a network, whose proposer signs otherwise.

    Args:
        height: of the chain.
        timestamp: Unix seconds.
        proposer: address of one of the validators.
        validators: of the height.
        transactions: canonical bytes, in order.
        consensus_hash: the block's id, if its transactions are not all here; else it follows from the rest.
    """
    node_pubkey, voters = key_text(validators.by_address[proposer]), tuple(sorted(map(key_text, validators.powers)))
    id_ = consensus_hash or block_id(block_text(timestamp, transactions, node_pubkey, voters))
    return Block(Header(id_, height, timestamp, node_pubkey, voters, None), tuple(transactions))


def v1_block(block: Block) -> bytes:
    """Return the v1 document `{"block", "id", "signature"}` as JSON bytes. Source: blocks-and-votes.md, section 1."""
    return (
        b'{"block":'
        + text_of(block)
        + b',"id":"'
        + block.header.id.encode()
        + b'","signature":'
        + _signature(block)
        + b"}"
    )


def event_body(block: Block, reason: str | None = None, *, body_omitted: bool = False) -> bytes:
    """Return the body of the event about `block`: equal bytes on every node, at every retry (E5).

    The list of transactions stands once; `bigchaindb.events.Event.data` lets both keys share it.

    Args:
        block: valid or invalid.
        reason: of an invalid one.
        body_omitted: not all of its transactions are here, perhaps none, and its id is the consensus engine's hash.
    """
    header = block.header
    tail = b"" if reason is None else b',"reason":' + orjson.dumps(reason)
    return b"".join(
        (
            b'{"block":',
            text_of(block),
            b',"body_omitted":true' if body_omitted else b"",
            b',"height":',
            str(header.height).encode(),
            b',"id":"',
            header.id.encode(),
            b'"',
            tail,
            b',"signature":',
            _signature(block),
            b"}",
        )
    )


def _signature(block: Block) -> bytes:
    return orjson.dumps(block.header.signature)
