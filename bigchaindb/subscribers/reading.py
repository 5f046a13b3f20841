"""How a plugin's queue reads the log: ahead, in bounded pieces, and only what the plugin asks for.

Source: promises P3, P8 and P10.
"""

from time import monotonic_ns
from typing import Final

from bigchaindb.errors import HistoryLost
from bigchaindb.eventlog.selection import Selection
from bigchaindb.events import UNPARSED, Event
from bigchaindb.ledger.ports import LogReader, Record
from bigchaindb.subscribers.lane_page import Word

MIB: Final = 1024 * 1024
READ_COUNT_MAX: Final = 256
"""Events that one read of the log brings: beyond it the cost of a statement no longer shows."""
READ_BYTES_MAX: Final = 1 * MIB
"""Bytes that one read of the log brings, but always one event: what the processor's cache holds."""

_HEAD: Final = int(Word.HEAD)
_READ_SINCE: Final = int(Word.READ_SINCE)


class Reading:
    """Events that were read and are not reserved yet. Used under the lock of `Gate`.

    Attributes:
        buffer: events that match; the last one is the next.
        read: the position up to which the log was read.
    """

    __slots__ = ("_chain_id", "_event_types", "_log", "_selection", "_words", "buffer", "read")

    def __init__(
        self,
        words: memoryview,
        log: LogReader,
        *,
        chain_id: str,
        event_types: int,
        selection: Selection | None,
        after: int,
    ) -> None:
        """Begin behind `after`.

        Args:
            words: of the lane page.
            log: used by one thread at a time.
            chain_id: begins the events' ids.
            event_types: a mask; other events are passed over.
            selection: what must match besides; None is everything.
            after: a position.
        """
        self._words = words
        self._log = log
        self._chain_id = chain_id
        self._event_types = event_types
        self._selection = selection
        self.buffer: list[Event] = []
        self.read = after

    @property
    def is_behind(self) -> bool:
        """Whether the log holds more than was read."""
        return self.read < self._words[_HEAD]

    def fill(self) -> None:
        """Read on, once all is reserved. Events that do not match are passed over.

        Raises:
            HistoryLost: the log does not hold what it should.
        """
        after, head = self.read, self._words[_HEAD]
        if self._selection is None:
            records = self._records(after, head)
            reached = records[-1].position
        else:
            records, reached = self._selected(after, head, self._selection)
        types, chain_id = self._event_types, self._chain_id
        events = [
            Event(event_type, UNPARSED, body, chain_id, position, height, time)
            for position, event_type, height, time, _, body in reversed(records)
            if event_type & types
        ]
        # No calls below: a signal handler could run between them (decision 0015).
        self.buffer = events
        self.read = reached

    def one(self, position: int, attempt: int) -> Event:
        """Return the event of this position for a delivery.

        Raises:
            HistoryLost: the log does not hold it.
        """
        event = self._records(position - 1, position)[0].event(self._chain_id)
        event.attempt = attempt
        return event

    def _records(self, after: int, through: int) -> list[Record]:
        self._words[_READ_SINCE] = monotonic_ns()
        try:
            records = self._log.records(after, through, count_max=READ_COUNT_MAX, bytes_max=READ_BYTES_MAX)
        finally:
            self._words[_READ_SINCE] = 0
        expected = after + 1
        for record in records:
            if record.position != expected:
                break
            expected += 1
        else:
            if records:
                return records
        raise HistoryLost(expected, self._words[_HEAD])  # P8: a gap is loud

    def _selected(self, after: int, through: int, selection: Selection) -> tuple[list[Record], int]:
        self._words[_READ_SINCE] = monotonic_ns()
        try:
            records, reached = self._log.selected(
                after,
                through,
                selection,
                types=self._event_types,
                count_max=READ_COUNT_MAX,
                bytes_max=READ_BYTES_MAX,
            )
        finally:
            self._words[_READ_SINCE] = 0
        if reached <= after:
            raise HistoryLost(after + 1, through)  # P8: the log ends before its head
        return records, reached
