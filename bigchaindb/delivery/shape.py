"""The shape in which a message is sent: which envelope is around its data, and which of the data it holds.

Sinks ask a `Shape` for a message's bytes, so that an operator's options mean the same at each of them.

Source: CloudEvents 1.0, its JSON format and its protocol bindings; Debezium's documentation of change events.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from bigchaindb.delivery.messages import BLOCK_TYPES, Message
from bigchaindb.events import EventTypes

JSON_TYPE: Final = "application/json"
CLOUDEVENTS_TYPE: Final = "application/cloudevents+json"
_INVALID: Final = BLOCK_TYPES[EventTypes.BLOCK_INVALID]


class Format(StrEnum):
    """What is around the data of a message."""

    CLOUDEVENTS = "cloudevents"
    """A CloudEvent in JSON, the data in it: the structured mode."""
    BINARY = "cloudevents-binary"
    """The data alone; what describes it travels beside it, as headers: the binary mode."""
    PLAIN = "plain"
    """The data alone."""
    DEBEZIUM = "debezium"
    """A change event as Debezium's connectors send for a new row, without schema: the data are `after`."""


class Rendered(NamedTuple):
    """A message as it is sent.

    Attributes:
        content_type: of the body.
        attributes: of the CloudEvent, for headers; empty unless the format is binary.
        body: JSON.
    """

    content_type: str
    attributes: Mapping[str, str]
    body: bytes


class Shape:
    """A format, and which fields of the data are sent.

    Attributes:
        format: what is around the data.
        content_type: of every body.
    """

    def __init__(self, format_: Format = Format.CLOUDEVENTS, fields: Mapping[str, str] | None = None) -> None:
        """Compile the paths of the fields.

        Args:
            format_: what is around the data.
            fields: names with the JSONPath of each; without any the data are sent whole, byte for byte.

        Raises:
            ValueError: a path cannot be used, or the library that reads paths is missing.
        """
        self.format = format_
        self.content_type: Final = CLOUDEVENTS_TYPE if format_ is Format.CLOUDEVENTS else JSON_TYPE
        self._project = None
        if fields:
            try:
                from bigchaindb.delivery.projection import Projection
            except ImportError as error:
                raise ValueError(str(error)) from error
            self._project = Projection(fields)

    def render(self, message: Message) -> Rendered:
        """Return what is sent for a message.

        Raises:
            ValueError: its fields cannot be had at a bounded cost.
        """
        attributes = message.attributes if self.format is Format.BINARY else {}
        return Rendered(self.content_type, attributes, self.body(message))

    def body(self, message: Message) -> bytes:
        """Return the body alone; `render` says what it raises."""
        data = message.data if self._project is None else self._project(message.data)
        match self.format:
            case Format.CLOUDEVENTS:
                return message.enveloped(data)
            case Format.DEBEZIUM:
                return _change(message, data)
            case _:
                return data


def _change(message: Message, data: bytes) -> bytes:
    """Return the change event of a row that is new: a ledger changes and removes none.

    Both times are the block's, so that every node and every retry sends the same (P5).
    """
    kind = "block" if message.index is None else "transaction"
    times = {"ts_ms": message.time * 10**3, "ts_us": message.time * 10**6, "ts_ns": message.time * 10**9}
    source = {
        "version": "1",
        "connector": "bigchaindb",
        "name": message.chain_id,
        **times,
        "snapshot": False,
        "db": message.chain_id,
        "sequence": message.sequence,
        "schema": "invalid" if message.type == _INVALID else "valid",
        "table": f"{kind}s",
        "txId": message.position,
        "id": message.id,
    }
    return change_event(data, source, times)


def change_event(after: bytes, source: Mapping[str, object], times: Mapping[str, int]) -> bytes:
    """Return a change event for a new row, without its schema.

    Args:
        after: the row, as JSON.
        source: where it comes from.
        times: when it was read.
    """
    rest = msgspec.json.encode({"source": source, "op": "c", **times})
    return b'{"before":null,"after":%b,%b' % (after, rest[1:])
