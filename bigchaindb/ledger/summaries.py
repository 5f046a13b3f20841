"""Blocks and transactions in short: what a list or a dashboard shows of each, at the size of a few lines. Pure.

Source: docs/reference/http-events.md, "Summaries".
"""

from typing import Final

import msgspec

from bigchaindb.ledger.block import Block, event_body
from bigchaindb.ledger.effects import Logged

LISTED_COUNT_MAX: Final = 10
"""Outputs of a transaction, and keys of an output, that a summary lists; how many there are it says as well."""

# Members stand in the order of canonical JSON, so that a summary is the same bytes on every node (P5).


class BlockSummary(msgspec.Struct, frozen=True, gc=False):
    """An event of the log in short.

    Attributes:
        bytes: of the event's body.
        reason: of an invalid block, `<Class> at transactions[<i>]`.
        timestamp: Unix seconds.
    """

    bytes: int
    height: int
    id: str
    node_pubkey: str
    reason: str | None
    timestamp: int
    transaction_count: int


class _OutputSummary(msgspec.Struct, gc=False):
    amount: str
    public_key_count: int
    public_keys: list[str]


class _TransactionSummary(msgspec.Struct, gc=False):
    asset_id: str
    bytes: int
    id: str
    operation: str
    output_count: int
    outputs: list[_OutputSummary]


class _Asset(msgspec.Struct, gc=False):
    id: str | None = None


class _Output(msgspec.Struct, gc=False):
    amount: str
    public_keys: list[str] | None

    @property
    def keys(self) -> list[str]:
        """The public keys; an output may name none by null."""
        return self.public_keys or []


class _Transaction(msgspec.Struct, gc=False):
    id: str
    operation: str
    asset: _Asset
    outputs: list[_Output]


class _Proposed(msgspec.Struct, gc=False):
    node_pubkey: str
    timestamp: str
    transactions: list[msgspec.Raw]


class _Body(msgspec.Struct, gc=False):
    block: _Proposed
    height: int
    id: str
    reason: str | None = None


encode: Final = msgspec.json.Encoder().encode
_decode_body: Final = msgspec.json.Decoder(_Body).decode
_decode_transaction: Final = msgspec.json.Decoder(_Transaction).decode


def summary_of_event(body: bytes) -> bytes:
    """Return the summary of the event that has this body, as JSON."""
    return summary_of_envelope(body, None, len(body))


def summary_of_envelope(body: bytes, transaction_count: int | None, bytes_count: int) -> bytes:
    """Return the summary of an event of whose body the transactions may be left out, as JSON.

    Args:
        body: of the event.
        transaction_count: how many were left out; None: none.
        bytes_count: of the whole body.
    """
    found = _decode_body(body)
    return encode(
        BlockSummary(
            bytes=bytes_count,
            height=found.height,
            id=found.id,
            node_pubkey=found.block.node_pubkey,
            reason=found.reason,
            timestamp=int(found.block.timestamp),
            transaction_count=len(found.block.transactions) if transaction_count is None else transaction_count,
        )
    )


def summary_of_logged(logged: Logged) -> bytes:
    """Return the summary of an event that was just decided, as JSON; its body is not joined."""
    header, transactions, reason = logged.block.header, logged.block.transactions, logged.event.reason
    empty = event_body(Block(header, ()), reason, body_omitted=logged.body_omitted)
    commas = max(len(transactions) - 1, 0)
    return encode(
        BlockSummary(
            bytes=len(empty) + commas + sum(map(len, transactions)),
            height=header.height,
            id=header.id,
            node_pubkey=header.node_pubkey,
            reason=reason,
            timestamp=header.timestamp,
            transaction_count=len(transactions),
        )
    )


def summary_of_transaction(body: bytes) -> bytes:
    """Return the summary of a committed transaction, as JSON."""
    found = _decode_transaction(body)
    outputs = [
        _OutputSummary(one.amount, len(one.keys), one.keys[:LISTED_COUNT_MAX])
        for one in found.outputs[:LISTED_COUNT_MAX]
    ]
    return encode(
        _TransactionSummary(
            asset_id=found.asset.id or found.id,
            bytes=len(body),
            id=found.id,
            operation=found.operation,
            output_count=len(found.outputs),
            outputs=outputs,
        )
    )
