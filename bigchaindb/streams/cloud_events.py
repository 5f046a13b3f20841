"""Pieces of the log as CloudEvents: the same bytes for pages and streams, from any place (P5, P15).

A request is data (`Choice`) and so is a place in the log (`Place`); this module applies both to a reader of the log.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from bigchaindb.delivery import Message, block_message, transaction_message, transaction_messages
from bigchaindb.eventlog import token
from bigchaindb.eventlog.selection import Selection
from bigchaindb.events import Event, EventTypes
from bigchaindb.ledger.ports import REJECTED, Part, Record
from bigchaindb.ledger.summaries import summary_of_event, summary_of_transaction
from bigchaindb.streams.shared_log import Place, place_of, token_at

BLOCK_SUMMARY_TYPE: Final = "com.bigchaindb.block.summary.v1"
"""The CloudEvents type of a block in short: the same type with other data would be the same event."""
TRANSACTION_SUMMARY_TYPE: Final = "com.bigchaindb.transaction.summary.v1"
"""The CloudEvents type of a transaction in short."""
REJECTED_TYPE: Final = "com.bigchaindb.transaction.rejected.v1"
"""The CloudEvents type of a transaction that this node accepted and rejected later."""

document_of: Final = msgspec.json.Decoder(float_hook=float).decode  # see `bigchaindb.transaction.reading`


@dataclass(frozen=True, slots=True)
class Choice:
    """The events that a client asked for.

    Attributes:
        selection: must match; None matches everything.
        types: a mask of `EventTypes`.
        each_transaction: whether each matching transaction of a valid block is an event of its own.
        is_summary: whether each event comes in short.
    """

    selection: Selection | None = None
    types: int = EventTypes.ALL
    each_transaction: bool = False
    is_summary: bool = False


class _Asset(msgspec.Struct):
    id: str | None = None


class _Transaction(msgspec.Struct):
    id: str
    operation: str
    asset: _Asset


class _Rejected(msgspec.Struct):
    transaction: _Transaction


_decode_rejected: Final = msgspec.json.Decoder(_Rejected).decode


class Selects(token.Digests, Protocol):
    """What is read of a log here; `LogReader` has it, and so has a decision that was just announced."""

    def selected(
        self,
        after: int,
        through: int,
        selection: Selection | None,
        *,
        types: int = -1,
        count_max: int,
        bytes_max: int,
    ) -> tuple[list[Record], int]:
        """See `LogReader`."""
        ...

    def summaries(
        self, after: int, through: int, *, types: int = -1, count_max: int, bytes_max: int
    ) -> tuple[list[Record], int]:
        """See `LogReader`."""
        ...


class Item(NamedTuple):
    """One CloudEvent.

    Attributes:
        type: its CloudEvents type.
        envelope: JSON.
        place: behind it.
        token: of that place.
    """

    type: str
    envelope: bytes
    place: Place
    token: str


class Piece(NamedTuple):
    """The next CloudEvents, perhaps none.

    Attributes:
        place: behind the last event that was read, which moves on even if nothing matched.
        token: of that place.
    """

    items: tuple[Item, ...]
    place: Place
    token: str


def rejected_name(chain_id: str, node_id: str) -> str:
    """Return the name of a node's log of rejected transactions: what the chain id is to the log of events."""
    return f"{chain_id}:node:{node_id}"


def read_page(
    reader: Selects,
    chain_id: str,
    choice: Choice,
    after: str | None,
    through: int,
    *,
    beginning: int,
    count_max: int,
    bytes_max: int,
) -> Piece:
    """Return the next CloudEvents behind the token `after`; None is the `beginning`. Else as `read_piece`.

    Raises:
        MalformedToken: `after` is no token.
        HistoryLost: the token is of another log.
    """
    place = Place(beginning) if after is None else place_of(reader, after, chain_id, through)
    return read_piece(reader, chain_id, choice, place, through, count_max=count_max, bytes_max=bytes_max)


def read_piece(
    reader: Selects,
    chain_id: str,
    choice: Choice,
    after: Place,
    through: int,
    *,
    count_max: int,
    bytes_max: int,
) -> Piece:
    """Return the next CloudEvents of a bounded piece of the log.

    Args:
        reader: of this node's log.
        chain_id: the network's.
        choice: of the client.
        after: place to continue from.
        through: the last position that may be read: durable.
        count_max: most CloudEvents to return.
        bytes_max: most bytes of events to read, except for a single event that is larger.
    """
    if after.position >= through:
        return Piece((), after, token_at(reader, chain_id, after.position))
    bounds = {"types": choice.types, "count_max": count_max, "bytes_max": bytes_max}
    if choice.is_summary and not choice.each_transaction and choice.selection is None:
        records, reached = reader.summaries(after.position, through, **bounds)
    else:
        records, reached = reader.selected(after.position, through, choice.selection, **bounds)
        if choice.is_summary and not choice.each_transaction:
            records = [one._replace(body=summary_of_event(one.body)) for one in records]
    items: list[Item] = []
    for record in records:
        skip = after.skip if record.position == after.position + 1 else 0
        for item in _items(record, chain_id, choice, skip):
            if len(items) == count_max:  # This block holds more, so the place lies within it.
                return Piece(tuple(items), items[-1].place, items[-1].token)
            items.append(item)
    if items and items[-1].place.position == reached:
        return Piece(tuple(items), items[-1].place, items[-1].token)
    return Piece(tuple(items), Place(reached), token_at(reader, chain_id, reached))


def _items(record: Record, chain_id: str, choice: Choice, skip: int) -> Iterator[Item]:
    event = record.event(chain_id)
    behind = Place(record.position)
    whole = token.encode(chain_id, record.position, token.WHOLE, record.digest)
    if record.type == REJECTED:
        yield Item(REJECTED_TYPE, rejected_message(record, chain_id).envelope, behind, whole)
        return
    if not choice.each_transaction:
        message = block_of(event, choice)
        yield Item(message.type, message.envelope, behind, whole)
        return
    messages = [message for message in transaction_messages(event)[skip:] if _matches(choice, message)]
    for message in messages:
        if message is messages[-1]:
            yield _item(message, choice, behind, whole)
        else:
            index = message.index
            assert index is not None, message
            within = token.encode(chain_id, record.position, index, record.digest)
            yield _item(message, choice, Place(record.position - 1, index + 1), within)


def block_of(event: Event, choice: Choice) -> Message:
    """Return the message of an event, whose body is its summary if the choice wants those."""
    message = block_message(event)
    return msgspec.structs.replace(message, type=BLOCK_SUMMARY_TYPE) if choice.is_summary else message


def transaction_of(message: Message, choice: Choice) -> Message:
    """Return the message of a transaction, in short if the choice wants that."""
    if not choice.is_summary:
        return message
    return msgspec.structs.replace(message, type=TRANSACTION_SUMMARY_TYPE, data=summary_of_transaction(message.data))


def message_of(record: Record, index: int | None, chain_id: str, choice: Choice) -> Message:
    """Return the message of what was read by itself: a transaction with its index, or an event, perhaps in short."""
    event = record.event(chain_id)
    if index is None:
        return block_of(event, choice)
    return transaction_of(transaction_message(event, index, record.body), choice)


def single(part: Part, chain_id: str) -> tuple[bytes, str]:
    """Return the envelope of what was read by itself, and the token behind it: those of pages and streams."""
    record, index, is_last = part
    place = token.WHOLE if index is None or is_last else index
    behind = token.encode(chain_id, record.position, place, record.digest)
    return message_of(record, index, chain_id, Choice()).envelope, behind


def expect_token(text: str) -> None:
    """Raise MalformedToken if a text is no token, of whatever log."""
    token.unpacked(text)


def token_of(reader: token.Digests, chain_id: str, position: int, skip: int) -> str:
    """Return the token of a place that the log has: see `Place`."""
    if not skip:
        return token_at(reader, chain_id, position)
    digest = token.digest_at(reader, position + 1)
    assert digest is not None, position
    return token.encode(chain_id, position + 1, skip - 1, digest)


def _item(message: Message, choice: Choice, place: Place, token: str) -> Item:
    message = transaction_of(message, choice)
    return Item(message.type, message.envelope, place, token)


def rejected_message(record: Record, name: str) -> Message:
    """Return the message of a record of the log of rejected transactions, whose name `rejected_name` returns."""
    found = _decode_rejected(record.body).transaction
    asset_id = found.asset.id or found.id
    return Message(
        id=f"{name}:{record.position:020d}",
        type=REJECTED_TYPE,
        chain_id=name,
        position=record.position,
        subject=found.id,
        operation=found.operation,
        asset_id=asset_id,
        routing_key="",
        time=record.time,
        data=record.body,
    )


def _matches(choice: Choice, message: Message) -> bool:
    if choice.selection is None:
        return True
    transaction: dict[str, Any] = document_of(message.data)
    return choice.selection.matches(transaction)
