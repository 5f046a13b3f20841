"""What sinks and the authors of plugins need to pass events on to other systems: one envelope, one routing key.

The envelope is CloudEvents 1.0 in its JSON format. Its `data` is the event's own bytes: they are put in as they are and
never parsed and written again, so that every node, every retry and every way of delivery sends the same bytes (P5).

Source: promises P5 and P15 in docs/reference/promises.md; docs/reference/http-events.md.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from bigchaindb.events import Event, EventTypes

BLOCK_TYPES: Final = {
    EventTypes.BLOCK_VALID: "com.bigchaindb.block.valid.v1",
    EventTypes.BLOCK_INVALID: "com.bigchaindb.block.invalid.v1",
}
"""The CloudEvents type of each type of event."""
TRANSACTION_TYPE: Final = "com.bigchaindb.transaction.valid.v1"
"""The CloudEvents type of one transaction of a valid block."""

_ROUTES: Final = {EventTypes.BLOCK_VALID: "valid", EventTypes.BLOCK_INVALID: "invalid"}


@dataclass(frozen=True, slots=True)
class TransactionPart:
    """One transaction of a valid block's event.

    Attributes:
        index: in the block, from 0.
        operation: `CREATE`, `TRANSFER` or a network's own.
        asset_id: of a CREATE its own id.
        body: its exact bytes.
    """

    index: int
    id: str
    operation: str
    asset_id: str
    body: bytes


class _Identified(msgspec.Struct):
    id: str


class _Transactions(msgspec.Struct):
    transactions: list[msgspec.Raw]


class _Body(msgspec.Struct):
    block: _Transactions


class _Asset(msgspec.Struct):
    id: str | None = None


class _Transaction(msgspec.Struct):
    id: str
    operation: str
    asset: _Asset


_decode_id: Final = msgspec.json.Decoder(_Identified).decode
_decode_body: Final = msgspec.json.Decoder(_Body).decode
_decode_transaction: Final = msgspec.json.Decoder(_Transaction).decode


def transactions_of(event: Event) -> list[TransactionPart]:
    """Give the transactions of an event in block order; none of an invalid block, for they may yet become valid.

    Raises:
        EventError: the event was made by hand, it has no bytes.
    """
    if event.type != EventTypes.BLOCK_VALID:
        return []
    return [_part(index, bytes(raw)) for index, raw in enumerate(_decode_body(event.body).block.transactions)]


def block_envelope(event: Event) -> bytes:
    """Give the CloudEvent of a whole block as JSON; `data` is `event.body`.

    Raises:
        EventError: the event was made by hand, it has no bytes.
    """
    body = event.body
    return _enveloped(
        event,
        body,
        {
            "type": BLOCK_TYPES[event.type],
            "id": event.id,
            "subject": _decode_id(body).id,
            "sequence": f"{event.position:020d}",
        },
    )


def transaction_envelope(event: Event, part: TransactionPart) -> bytes:
    """Give the CloudEvent of one transaction of a valid block as JSON; `data` is the transaction.

    Args:
        event: of the block.
        part: from `transactions_of(event)`.
    """
    return _enveloped(
        event,
        part.body,
        {
            "type": TRANSACTION_TYPE,
            "id": f"{event.id}:{part.index}",
            "subject": part.id,
            "sequence": f"{event.position:020d}:{part.index:010d}",
            "partitionkey": part.asset_id,
        },
    )


def routing_key(event: Event, part: TransactionPart | None = None) -> str:
    """Give the routing key of a block, or of one transaction of it: words joined by dots, for brokers with topics.

    `v1.<chain>.block.<valid|invalid>`, or `v1.<chain>.transaction.valid.<operation>.<asset id>`.
    """
    chain = _chain_of(event)
    if part is None:
        return f"v1.{chain}.block.{_ROUTES[event.type]}"
    return f"v1.{chain}.transaction.valid.{part.operation}.{part.asset_id}"


def _enveloped(event: Event, data: bytes, attributes: dict[str, Any]) -> bytes:
    head = msgspec.json.encode(
        {
            "specversion": "1.0",
            "source": f"urn:bigchaindb:{_chain_of(event)}",
            **attributes,
            "time": datetime.fromtimestamp(event.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "datacontenttype": "application/json",
        }
    )
    return b'%b,"data":%b}' % (head[:-1], data)


def _part(index: int, body: bytes) -> TransactionPart:
    found = _decode_transaction(body)
    return TransactionPart(index, found.id, found.operation, found.asset.id or found.id, body)


def _chain_of(event: Event) -> str:
    return event.id.rpartition(":")[0]
