"""The newest blocks that a thread has read, as messages of their transactions: split and rendered once for all desks.

A window has room for a part of a large block at a time, and several desks at the head want the same blocks.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from bigchaindb.delivery import Message, transaction_messages
from bigchaindb.ledger.ports import Record

BYTES_MAX: Final = 2 * 1024 * 1024
"""Bytes of blocks that are kept, as they are and as they are rendered; always one block."""


class Part:
    """A transaction of a block."""

    __slots__ = ("_envelope", "message")

    def __init__(self, message: Message) -> None:
        self.message = message
        self._envelope: bytes | None = None

    @property
    def envelope(self) -> bytes:
        """The transaction as a CloudEvent in JSON."""
        if self._envelope is None:
            self._envelope = self.message.envelope
        return self._envelope


class Blocks:
    """Belongs to one thread."""

    def __init__(self) -> None:
        self._parts: OrderedDict[int, Sequence[Part]] = OrderedDict()
        self._bytes: dict[int, int] = {}

    def parts(self, record: Record, chain_id: str) -> Sequence[Part]:
        """Return the transactions of a valid block, in order; of an invalid one none."""
        position = record.position
        parts = self._parts.get(position)
        if parts is None:
            parts = self._parts[position] = [Part(one) for one in transaction_messages(record.event(chain_id))]
            self._bytes[position] = 2 * len(record.body)
            while len(self._parts) > 1 and sum(self._bytes.values()) > BYTES_MAX:
                oldest, _ = self._parts.popitem(last=False)
                del self._bytes[oldest]
        return parts
