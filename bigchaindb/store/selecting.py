"""Whether an event matches a selection: a scan of bodies, since the newest index rows are in the node's memory alone.

A needle is found in the body of a valid block's event at 0.1 µs a transaction; only where all needles occur its
transactions are looked at, and decoded where all occur in one. Pure.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from bigchaindb.errors import RESTORE, StoreDamaged
from bigchaindb.eventlog.selection import ALL, Selection
from bigchaindb.events import EventTypes


class _Block(msgspec.Struct, gc=False):
    transactions: list[msgspec.Raw]


class _Body(msgspec.Struct, gc=False):
    block: _Block


_decode: Final = msgspec.json.Decoder(float_hook=float).decode  # see `bigchaindb.transaction.reading`
_split: Final = msgspec.json.Decoder(_Body).decode


class Filter:
    """What the events that are wanted have in common.

    Attributes:
        selection: what a transaction has to be; None is every event.
        types: a mask of `bigchaindb.events.EventTypes`.
    """

    def __init__(self, selection: Selection | None, types: int) -> None:
        """Prepare for many events.

        Args:
            selection: what a transaction has to be; None and `ALL` are every event.
            types: a mask of `bigchaindb.events.EventTypes`.
        """
        self.selection = None if selection == ALL else selection
        self.types = types
        self._needles = () if selection is None else selection.needles

    @property
    def is_sparse(self) -> bool:
        """Whether valid blocks are wanted, and few of them, perhaps: `may_match` tells which."""
        return bool(self._needles) and bool(self.types & EventTypes.BLOCK_VALID)

    @property
    def is_open(self) -> bool:
        """Whether every transaction matches."""
        return self.selection is None

    def may_match(self, transaction: bytes) -> bool:
        """Whether all needles occur in a transaction of a valid block; where they do not it does not match."""
        return _occur(self._needles, transaction)

    def passes(self, type_: int, body: bytes) -> bool:
        """Whether an event is wanted.

        Raises:
            StoreDamaged: its body is no event's.
        """
        if not type_ & self.types:
            return False
        if self.selection is None:
            return True
        # A rejected proposal's transactions stand there as they were received, so needles prove nothing about them.
        needles = self._needles if type_ & EventTypes.BLOCK_VALID else ()
        if not _occur(needles, body):
            return False
        try:
            return any(self._matches(bytes(one), needles) for one in _split(body).block.transactions)
        except msgspec.MsgspecError as error:
            raise StoreDamaged(f"events: no JSON document: {error}; {RESTORE}", table="events") from error

    def matches(self, transaction: bytes) -> bool:
        """Whether one transaction in canonical form is wanted."""
        return self.selection is None or self._matches(transaction, self._needles)

    def _matches(self, text: bytes, needles: Sequence[Sequence[bytes]]) -> bool:
        if not _occur(needles, text):
            return False
        document: Any = _decode(text)
        return self.selection is not None and isinstance(document, dict) and self.selection.matches(document)


def _occur(needles: Sequence[Sequence[bytes]], text: bytes) -> bool:
    # Loops: `all` and `any` over generators take more than the search itself.
    for group in needles:
        for needle in group:
            if needle in text:
                break
        else:
            return False
    return True
