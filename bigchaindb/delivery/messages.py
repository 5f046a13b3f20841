"""What other systems get of an event: a message for the whole block, or one for each of its transactions.

Its envelope is CloudEvents 1.0 in the JSON format. The `data` in it are the event's own bytes: they are put in as they
are and never parsed and written again, so that every node, every retry and every way of delivery sends the same (P5).

Source: promises P5 and P15 in docs/reference/promises.md; docs/reference/http-events.md.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final

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


class Per(StrEnum):
    """What one message stands for."""

    BLOCK = "block"
    """An event: a whole block, valid or invalid."""
    TRANSACTION = "transaction"
    """One transaction of a valid block; an invalid block stays whole, for its transactions may yet become valid."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One block or one transaction, as other systems get it.

    Attributes:
        id: the same for every delivery, on every node: what to recognize a repeat by.
        type: the CloudEvents type.
        chain_id: of the ledger.
        position: of the event in the log, from 1.
        index: of the transaction in its block, from 0; None for a whole block.
        subject: the id of the block or of the transaction.
        operation: `CREATE`, `TRANSFER` or a network's own; "" for a whole block.
        asset_id: what keeps messages in order that belong together, of a CREATE its own id; "" for a whole block.
        routing_key: words joined by dots, for brokers with topics: `v1.<chain>.block.<valid|invalid>`, or
            `v1.<chain>.transaction.valid.<operation>.<asset id>`.
        time: the block's timestamp, Unix seconds.
        data: the exact JSON of the event or the transaction.
    """

    id: str
    type: str
    chain_id: str
    position: int
    index: int | None = None
    subject: str
    operation: str = ""
    asset_id: str = ""
    routing_key: str
    time: int
    data: bytes

    @property
    def sequence(self) -> str:
        """Sorts, as text, as the log does: 20 digits of position; for a transaction a colon and 10 of its index."""
        position = f"{self.position:020d}"
        return position if self.index is None else f"{position}:{self.index:010d}"

    @property
    def source(self) -> str:
        """The ledger as a URN."""
        return f"urn:bigchaindb:{self.chain_id}"

    @property
    def attributes(self) -> dict[str, str]:
        """The attributes of the CloudEvent; its `datacontenttype` is not among them."""
        found = {
            "specversion": "1.0",
            "source": self.source,
            "type": self.type,
            "id": self.id,
            "subject": self.subject,
            "sequence": self.sequence,
        }
        if self.asset_id:
            found["partitionkey"] = self.asset_id
        found["time"] = _timestamp(self.time)
        return found

    @property
    def envelope(self) -> bytes:
        """The message as a CloudEvent in JSON."""
        return self.enveloped(self.data)

    def enveloped(self, data: bytes) -> bytes:
        """Return the message as a CloudEvent in JSON with other data, which are JSON as well."""
        head = self.attributes
        head["datacontenttype"] = "application/json"
        return b'%b,"data":%b}' % (msgspec.json.encode(head)[:-1], data)


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


def messages_of(event: Event, per: Per) -> Sequence[Message]:
    """Return the messages of an event, in order.

    Raises:
        EventError: the event was made by hand and has no bytes.
    """
    if per is Per.TRANSACTION and event.type == EventTypes.BLOCK_VALID:
        return transaction_messages(event)
    return [block_message(event)]


def block_message(event: Event) -> Message:
    """Return the message of a whole block; its `data` is `event.body`.

    Raises:
        EventError: the event was made by hand and has no bytes.
    """
    body = event.body
    chain_id = _chain_of(event)
    return Message(
        id=event.id,
        type=BLOCK_TYPES[event.type],
        chain_id=chain_id,
        position=event.position,
        subject=_decode_id(body).id,
        routing_key=f"v1.{chain_id}.block.{_ROUTES[event.type]}",
        time=event.time,
        data=body,
    )


def transaction_messages(event: Event) -> list[Message]:
    """Return a message for each transaction of a valid block, in order; none for an invalid one.

    Raises:
        EventError: the event was made by hand and has no bytes.
    """
    if event.type != EventTypes.BLOCK_VALID:
        return []
    raws = _decode_body(event.body).block.transactions
    return [transaction_message(event, index, bytes(raw)) for index, raw in enumerate(raws)]


def transaction_message(event: Event, index: int, data: bytes) -> Message:
    """Return the message of one transaction of a valid block.

    Args:
        event: of the block; its body is not looked at.
        index: of the transaction in its block.
        data: its bytes.
    """
    chain_id, found = _chain_of(event), _decode_transaction(data)
    asset_id = found.asset.id or found.id
    return Message(
        id=f"{event.id}:{index}",
        type=TRANSACTION_TYPE,
        chain_id=chain_id,
        position=event.position,
        index=index,
        subject=found.id,
        operation=found.operation,
        asset_id=asset_id,
        routing_key=f"v1.{chain_id}.transaction.valid.{found.operation}.{asset_id}",
        time=event.time,
        data=data,
    )


@lru_cache(maxsize=16)  # neighbours share it, and writing it takes a third of an envelope's time
def _timestamp(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _chain_of(event: Event) -> str:
    return event.id.rpartition(":")[0]
