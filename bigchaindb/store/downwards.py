"""The log from its end to its beginning: newest events first, by keys that descend, or by a scan that stops in time.

A walk is a generator, and `cut` says where it is: everything above it was looked at. Whoever takes enough, or runs out
of time, goes on there with a walk of its own (S1: nothing is kept open between two requests).
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

from bigchaindb.errors import StoreDamaged
from bigchaindb.events import EventTypes
from bigchaindb.ledger.ports import Record
from bigchaindb.ledger.summaries import summary_of_event
from bigchaindb.store.candidates import CANDIDATE_COUNT_MAX, History, candidates
from bigchaindb.store.checksums import damaged
from bigchaindb.store.event_rows import EventRow, read_record, read_records, read_row, read_rows
from bigchaindb.store.matching import (
    BATCH_BYTES_MAX,
    BATCH_COUNT_FIRST,
    BATCH_COUNT_MAX,
    Looked,
    bodies_between,
    chosen,
    fitting_begin,
    scanned,
    together,
)
from bigchaindb.store.pages import position_of
from bigchaindb.store.selecting import Filter
from bigchaindb.store.summaries import read_summaries

_BODY_SIZES: Final = """
SELECT e.position, e.log_bytes - coalesce((SELECT log_bytes FROM events WHERE position = e.position - 1), 0)
FROM events AS e WHERE e.position BETWEEN ? AND ? ORDER BY e.position DESC
"""
_INVALID: Final = """
SELECT position FROM events WHERE reason IS NOT NULL AND position > ? AND position <= ? ORDER BY position DESC LIMIT ?
"""
_INVALID_COUNT: Final = "SELECT count(*) FROM events WHERE reason IS NOT NULL AND position > ? AND position <= ?"

T = TypeVar("T")


class Cut(NamedTuple):
    """A place in the log, as tokens name it: everything up to it is below.

    Attributes:
        position: of the last event that is below it as a whole.
        skip: transactions of the next event that are below it, too.
    """

    position: int
    skip: int = 0


class Found(NamedTuple):
    """What a walk has found.

    Attributes:
        record: the event; its body is what was asked for: that of the event, its summary or one transaction.
        number: of the transaction in its block, from 0.
    """

    record: Record
    number: int | None = None


class Taken(NamedTuple):
    """A piece of a walk.

    Attributes:
        found: newest first, perhaps none.
        cut: where the walk goes on.
        is_end: whether nothing is left.
    """

    found: list[Found]
    cut: Cut
    is_end: bool


class Wanted(NamedTuple):
    """What a walk is to find.

    Attributes:
        filter: what all have in common.
        each_transaction: whether transactions are wanted instead of events.
        is_summary: whether the body of an event is to be its summary.
        history: of the asset, or else of the owner, that the filter names, if it is known.
    """

    filter: Filter
    each_transaction: bool
    is_summary: bool
    history: History | None = None


def take(walk: "Walk", count_max: int, bytes_max: int) -> Taken:
    """Take the next of a walk: one at least if there is one, then up to both bounds.

    What comes before damage is taken; the next walk, which begins there, raises it.

    Raises:
        StoreDamaged: the first is not what was written.
    """
    found, cut, begin = list[Found](), walk.cut, walk.cut
    try:
        for one in walk.run(count_max):
            bytes_max -= len(one.record.body)
            if found and bytes_max < 0:
                return Taken(found, cut, is_end=False)
            found.append(one)
            cut = walk.cut
            if len(found) == count_max:
                return Taken(found, cut, walk.is_over)
    except StoreDamaged:
        if walk.cut == begin:
            raise
        return Taken(found, walk.cut, is_end=False)
    return Taken(found, walk.cut, walk.is_over)


class Walk:
    """A walk down the log.

    Attributes:
        cut: everything above was looked at.
    """

    def __init__(
        self, connection: sqlite3.Connection, wanted: Wanted, high: Cut, low: Cut, is_late: Callable[[], bool]
    ) -> None:
        """Begin at `high`.

        Args:
            connection: to the ledger.
            wanted: what to find.
            high: a place that the log has; what is above it is passed over.
            low: what is below it is passed over.
            is_late: whether a scan is to stop.
        """
        self._connection = connection
        self._wanted = wanted
        self._is_too_late = is_late
        self._looked_count = 0
        self._last_row: EventRow | None = None
        self._row = lru_cache(maxsize=64)(self._read_row)
        self.cut = self._known(high)
        self._low = self._known(low)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to find."""
        if self._wanted.each_transaction:
            return self._seq(self.cut) <= self._seq(self._low)
        return self.cut <= self._low

    def run(self, count_hint: int) -> Iterator[Found]:
        """Yield what is wanted, newest first, each after `cut` was moved below it; `count_hint` are wanted at most."""
        wanted = self._wanted
        if wanted.each_transaction:
            return self._transactions()
        if wanted.filter.types == EventTypes.BLOCK_INVALID:
            return (self._event(record) for record in self._invalid(self._low.position))
        return self._events(count_hint) if wanted.filter.is_open else self._matching_events()

    def count(self) -> int:
        """Count what is wanted, and move `cut` below it.

        Raises:
            StoreDamaged: a row is not what was written.
        """
        wanted = self._wanted
        if wanted.filter.is_open:
            return self._count_all()
        if wanted.each_transaction:
            return sum(1 for _ in self._matching_bodies())
        if wanted.filter.types == EventTypes.BLOCK_INVALID:
            return sum(1 for _ in self._invalid(self._low.position))
        return sum(1 for _ in self._matching_rows())

    def _count_all(self) -> int:
        high, low, types = self.cut, self._low, self._wanted.filter.types
        if high <= low:
            return 0
        self.cut = low
        if self._wanted.each_transaction:
            return self._seq(high) - self._seq(low)
        bounds = (low.position, high.position)
        [(invalid_count,)] = self._connection.execute(_INVALID_COUNT, bounds).fetchall()
        valid_count = high.position - low.position - invalid_count
        counts = {EventTypes.BLOCK_VALID: valid_count, EventTypes.BLOCK_INVALID: invalid_count}
        return sum(count for type_, count in counts.items() if type_ & types)

    def _is_late(self) -> bool:
        history = self._wanted.history
        count_max = CANDIDATE_COUNT_MAX if history is None else min(history.count_max, CANDIDATE_COUNT_MAX)
        return self._looked_count >= count_max or self._is_too_late()

    def _known(self, cut: Cut) -> Cut:
        """Return a cut with the one name that it has; between events where those are wanted."""
        position, skip = cut
        if not self._wanted.each_transaction or not skip:
            return Cut(position)
        row = self._row(position + 1)
        return Cut(position + 1) if skip >= row.transaction_count else cut

    def _read_row(self, position: int) -> EventRow:
        if (row := read_row(self._connection, position)) is None:
            raise damaged("events", position, "is missing")
        return row

    def _seq(self, cut: Cut) -> int:
        """Return the last transaction below a cut."""
        if cut.skip:
            return self._row(cut.position + 1).first_seq + cut.skip - 1
        if not cut.position:
            return 0
        row = self._row(cut.position)
        return row.first_seq + row.transaction_count - 1

    def _transactions(self) -> Iterator[Found]:
        for seq, body in self._matching_bodies():
            row = self._row_of(seq)
            index = seq - row.first_seq
            self.cut = Cut(row.position - 1, index)
            yield Found(_record(row, body), index)

    def _matching_bodies(self) -> Iterator[tuple[int, bytes]]:
        """Yield seq and body of each transaction that matches, newest first; move `cut` where a piece ends."""
        high, low = self._seq(self.cut), self._seq(self._low)
        found, filter_ = self._candidates(high, low), self._wanted.filter
        looked = scanned(self._connection, filter_, high, low) if found is None else self._chosen(found, low)
        for one in looked:
            if one.body is None:
                row = self._row_of(one.seq)
                self.cut = self._known(Cut(row.position - 1, one.seq - row.first_seq + 1))
                if self._is_late():
                    return
            else:
                yield one.seq, one.body
        self.cut = min(self.cut, self._low)

    def _candidates(self, high: int, low: int) -> Iterator[list[int]] | None:
        return candidates(self._connection, self._wanted.filter.selection, self._wanted.history, high, low)

    def _chosen(self, found: Iterator[list[int]], low: int) -> Iterator[Looked]:
        """Yield the candidates that match; beyond `CANDIDATE_COUNT_MAX` of them it is late."""

        def counted() -> Iterator[list[int]]:
            for seqs in found:
                self._looked_count += len(seqs)
                yield seqs

        return chosen(self._connection, self._wanted.filter, counted(), low)

    def _row_of(self, seq: int) -> EventRow:
        """Return the event of a transaction: mostly the one of the transaction before."""
        row = self._last_row
        if row is None or not row.first_seq <= seq < row.first_seq + row.transaction_count:
            self._last_row = row = self._row(position_of(self._connection, seq))
            if not row.first_seq <= seq < row.first_seq + row.transaction_count:
                raise damaged("transactions", seq, "contradicts its event")
        return row

    def _events(self, count_hint: int) -> Iterator[Found]:
        """Yield all events of the types."""
        count, is_fitting = min(count_hint, BATCH_COUNT_MAX), not self._wanted.is_summary
        while (high := self.cut.position) > self._low.position:
            low = max(self._low.position, high - count)
            begin = fitting_begin(self._connection, _BODY_SIZES, high, low) if is_fitting else low
            records = together(self._records, begin, high)
            is_fitting = is_fitting or len(records) < high - begin  # summaries of an older version need whole bodies
            for record in reversed(records):
                self.cut = Cut(record.position - 1)
                if record.type & self._wanted.filter.types:
                    yield Found(record)
            if self._is_late():
                return

    def _records(self, begin: int, high: int) -> list[Record]:
        if self._wanted.is_summary:
            records, reached = read_summaries(self._connection, begin, high, BATCH_BYTES_MAX)
        else:
            records = read_records(self._connection, begin, high, BATCH_BYTES_MAX)
            reached = records[-1].position if records else begin
        if reached != high:  # the rows of large proposals, or of what is damaged
            raise damaged("events", reached + 1, "is missing")
        return records

    def _invalid(self, low: int) -> Iterator[Record]:
        """Yield the rejected proposals that match, down to a position; move `cut`, to there unless it gets late."""
        while self.cut.position > low:
            bounds = (low, self.cut.position, BATCH_COUNT_FIRST)
            positions = [one for (one,) in self._connection.execute(_INVALID, bounds).fetchall()]
            for position in positions:
                if self._row(position).type != EventTypes.BLOCK_INVALID:
                    raise damaged("invalid_position", position, "leads to a valid block")
                record = read_record(self._connection, position)
                self.cut = Cut(position - 1)
                if self._wanted.filter.passes(record.type, record.body):
                    yield record
                if self._is_late():
                    return
            if len(positions) < BATCH_COUNT_FIRST:
                self.cut = Cut(low)

    def _matching_events(self) -> Iterator[Found]:
        """Yield the events of which a transaction matches."""
        for position, record in self._matching_rows():
            found = self._read_event(position) if record is None else self._event(record)
            self.cut = Cut(position - 1)
            yield found

    def _read_event(self, position: int) -> Found:
        if not self._wanted.is_summary:
            return Found(read_record(self._connection, position))
        [record], _ = read_summaries(self._connection, position - 1, position, BATCH_BYTES_MAX)
        return Found(record)

    def _matching_rows(self) -> Iterator[tuple[int, Record | None]]:
        """Yield the positions of such events, with the record where it was read; move `cut` behind each."""
        low = self._seq(self._low)
        found = self._candidates(self._seq(self.cut), low)
        return self._scanned_rows() if found is None else self._indexed_rows(self._chosen(found, low))

    def _indexed_rows(self, looked: Iterator[Looked]) -> Iterator[tuple[int, Record | None]]:
        """Do as `_matching_rows` where an index knows the valid blocks; rejected proposals lie between them."""
        begin = self.cut
        for seq, body in looked:
            position = self._row_of(seq).position
            if position > self.cut.position:  # of a block that was found already
                if body is None and self._is_late():
                    return
                continue
            yield from self._rejected_above(position)
            if self.cut.position > position:
                return
            if body is not None:
                yield position, None
                self.cut = Cut(position - 1)
            elif self._is_late() and self.cut < begin:  # a piece may end in the block where the walk begins
                return
        yield from self._rejected_above(self._low.position)

    def _rejected_above(self, position: int) -> Iterator[tuple[int, Record | None]]:
        if self._wanted.filter.types & EventTypes.BLOCK_INVALID:
            yield from ((record.position, record) for record in self._invalid(position))
        else:
            self.cut = Cut(position)

    def _scanned_rows(self) -> Iterator[tuple[int, Record | None]]:
        count = BATCH_COUNT_FIRST
        while (high := self.cut.position) > self._low.position:
            begin = fitting_begin(self._connection, _BODY_SIZES, high, max(self._low.position, high - count))
            rows, bodies = together(self._rows, begin, high)
            for row in reversed(rows):
                if self._is_match(row, bodies):
                    yield row.position, None
                self.cut = Cut(row.position - 1)
            count = min(2 * count, BATCH_COUNT_MAX)
            if self._is_late():
                return

    def _rows(self, begin: int, high: int) -> tuple[list[EventRow], dict[int, bytes]]:
        rows = read_rows(self._connection, begin, high)
        last = rows[-1]
        return rows, dict(
            bodies_between(self._connection, rows[0].first_seq - 1, last.first_seq + last.transaction_count - 1)
        )

    def _is_match(self, row: EventRow, bodies: Mapping[int, bytes]) -> bool:
        if not row.type & self._wanted.filter.types:
            return False
        if row.reason is not None:
            return self._wanted.filter.passes(row.type, read_record(self._connection, row.position).body)
        seqs = range(row.first_seq, row.first_seq + row.transaction_count)
        return any(self._wanted.filter.matches(bodies[seq]) for seq in seqs)

    def _event(self, record: Record) -> Found:
        return Found(record._replace(body=summary_of_event(record.body)) if self._wanted.is_summary else record)


def _record(row: EventRow, body: bytes) -> Record:
    return Record(row.position, row.type, row.height, row.timestamp, row.digest, body)
