"""The log as desks read it: numbered events with their keys, rendered, in a thread beside the event loop.

All desks of a node share two threads: those at the head have one, so that reads of history do not delay them. A thread
lets the loop run on after each frame that it has rendered, and a commit as well (P9). A small decision that was just
announced is not read at all.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from itertools import count
from typing import Final, NamedTuple, TypeVar

from bigchaindb.delivery import block_message
from bigchaindb.errors import HistoryLost
from bigchaindb.eventlog import subscription as definitions
from bigchaindb.eventlog import token
from bigchaindb.eventlog.selection import ALL, Selection
from bigchaindb.eventlog.subscription import Subscription
from bigchaindb.ledger.effects import Effects
from bigchaindb.ledger.ports import REJECTED, LogReader, Record
from bigchaindb.streams.announced import Announced
from bigchaindb.streams.cloud_events import Selects, document_of, rejected_message
from bigchaindb.streams.shared_log import LIVE_COUNT, LogSource
from bigchaindb.subscribers.desk_blocks import Blocks, Part
from bigchaindb.subscribers.machine import in_thread

FRAME_BYTES: Final = 64 * 1024
"""Bytes that are rendered in one go, half a millisecond: so long a thread keeps the loop from running."""
READ_COUNT_MAX: Final = 256
"""Events of the log that one read brings."""

SELECTED_COUNT_MAX: Final = 4
"""Ways in which the events of a decision are kept: most desks at the head want the same."""

T = TypeVar("T")


class Item(NamedTuple):
    """One event, as a desk deals it out.

    Attributes:
        number: by the subscription's numbering.
        key: events of one key are given in order.
        envelope: a CloudEvent as JSON.
    """

    number: int
    key: Hashable
    envelope: bytes


class Piece(NamedTuple):
    """The next events that match, perhaps none.

    Attributes:
        reached: up to this number there is no further one.
        token: of that place.
    """

    items: Sequence[Item]
    reached: int
    token: str


class DeskLog:
    """One log of this node. Belongs to the event loop.

    Attributes:
        hub: announces its head.
        name: begins the ids of its events: the chain id, or that of the node's own log.
        reader_count: desks that follow it.
    """

    def __init__(self, source: LogSource, start_thread: Callable[[], Executor]) -> None:
        """Begin without threads; the first reads start them."""
        self.hub = source.hub
        self.name = source.chain_id
        self.reader_count = 0
        self._blocks = Blocks()
        self._announced: OrderedDict[int, _Decision] = OrderedDict()
        self.hub.witness(self._add)
        self._live = _Thread(source.open_reader, start_thread)
        self._late = _Thread(source.open_reader, start_thread)

    async def read(self, wanted: Subscription, after: int, *, count_max: int, bytes_max: int) -> Piece:
        """Return the next events behind a number; there must be some, or rows that do not match.

        Args:
            wanted: what is selected.
            after: a number.
            count_max: the most events.
            bytes_max: the most bytes of envelopes; one event may be larger.

        Raises:
            HistoryLost: the log does not hold what it should (P8).
            StoreError: it cannot be read, or is damaged.
        """
        head, next_ = self.hub.head, wanted.numbering.seen(after) + 1
        if (announced := self._announced.get(next_)) is not None:  # a thread for each commit and desk costs far more
            source = _Source(self._blocks, self.name, wanted)
            return _read(announced, source, after, next_, count_max, bytes_max)
        thread = self._live if head - wanted.numbering.position(after) <= LIVE_COUNT else self._late
        return await thread.run(
            self.name, wanted, lambda log, source: _read(log, source, after, head, count_max, bytes_max)
        )

    async def recall(self, wanted: Subscription, numbers: Sequence[int], *, bytes_max: int) -> list[Item]:
        """Return events that were read before: the first of these, up to a bound of bytes, at least one.

        Args:
            wanted: of whose numbering they are; they match, or did once.
            numbers: ascending.
            bytes_max: of their envelopes.

        Raises:
            HistoryLost: the log does not hold them.
            StoreError: as `read`.
        """
        return await self._live.run(
            self.name, wanted, lambda log, source: _bounded(_known(log, source, numbers), len(numbers), bytes_max)[0]
        )

    async def token(self, wanted: Subscription, number: int) -> str:
        """Return the token of the place behind a number.

        Raises:
            HistoryLost: the log does not hold it.
            StoreError: as `read`.
        """
        return await self._live.run(self.name, wanted, lambda log, source: _token(log, source, number))

    def _add(self, effects: Effects) -> None:
        """Keep a decision for the desks at the head, if there are any and it is small."""
        announced = _Decision(effects) if self.reader_count and effects.logged else None
        if announced is None or announced.bytes_count > FRAME_BYTES:
            return
        self._announced |= dict.fromkeys(announced.positions, announced)
        while len(self._announced) > LIVE_COUNT:
            self._announced.popitem(last=False)

    def close(self) -> None:
        """Wait for the running reads, start no other, and close the files; any thread may call it."""
        self._live.close()
        self._late.close()


class _Decision(Announced):
    """A decision as it was announced, whose events are laid out once for all desks that want the same."""

    def __init__(self, effects: Effects) -> None:
        super().__init__(effects)
        self._selected: dict[Hashable, tuple[list[Record], int]] = {}

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
        """See `Announced`."""
        key = after, selection, types
        if (found := self._selected.get(key)) is None:
            found = super().selected(after, through, selection, types=types, count_max=count_max, bytes_max=bytes_max)
            if len(self._selected) < SELECTED_COUNT_MAX:
                self._selected[key] = found
        return found


class _Thread:
    """A reader and the thread that it belongs to; both begin with the first read."""

    def __init__(self, open_reader: Callable[[], LogReader], start_thread: Callable[[], Executor]) -> None:
        self._open_reader = open_reader
        self._start_thread = start_thread
        self._thread: Executor | None = None
        self._reader: LogReader | None = None
        self._blocks = Blocks()

    async def run(self, name: str, wanted: Subscription, read: "Callable[[LogReader, _Source], T]") -> T:
        if self._thread is None:
            self._thread = self._start_thread()
        return await in_thread(self._thread, lambda: read(self._own_reader(), _Source(self._blocks, name, wanted)))

    def close(self) -> None:
        if self._thread is not None:
            self._thread.submit(self._close_reader)
            self._thread.shutdown()

    def _own_reader(self) -> LogReader:
        if self._reader is None:
            self._reader = self._open_reader()
        return self._reader

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()


class _Source(NamedTuple):
    """What a read needs besides a reader and its place."""

    blocks: Blocks
    name: str
    wanted: Subscription


def _read(reader: Selects, source: _Source, after: int, head: int, count_max: int, bytes_max: int) -> Piece:
    wanted, numbering = source.wanted, source.wanted.numbering
    seen = numbering.seen(after)
    assert seen < head, (after, head)  # P4
    records, reached = reader.selected(
        seen,
        head,
        wanted.selection,
        types=wanted.types,
        count_max=min(count_max, READ_COUNT_MAX),
        bytes_max=bytes_max,
    )
    if reached <= seen:
        raise HistoryLost(seen + 1, head)  # P8: the log ends before its head
    wants_all, matches = wanted.selection == ALL, wanted.selection.matches

    def is_owed(number: int, part: Part) -> bool:
        return number > after and (wants_all or matches(document_of(part.message.data)))

    items, is_cut = _bounded(
        (one for record in records for one in _items(source, record, is_owed)), count_max, bytes_max
    )
    behind = items[-1].number if is_cut else numbering.behind(reached)
    return Piece(items, behind, _token(reader, source, behind))


def _known(reader: LogReader, source: _Source, numbers: Sequence[int]) -> Iterator[Item]:
    """Return the events of exactly these numbers. Raises HistoryLost: a block has no such transaction."""
    items = _recalled(reader, source, numbers)
    for number in numbers:
        item = next(items, None)
        if item is None or item.number != number:  # a page of an earlier version has no checks
            raise HistoryLost(source.wanted.numbering.position(number), reader.head())
        yield item


def _recalled(reader: LogReader, source: _Source, numbers: Sequence[int]) -> Iterator[Item]:
    numbering, owed = source.wanted.numbering, {*numbers}
    positions = list(dict.fromkeys(map(numbering.position, numbers)))
    while positions:
        first = positions[0]
        neighbours = [one for one, expected in zip(positions, count(first), strict=False) if one == expected]
        through = neighbours[-1]
        records = reader.records(first - 1, through, count_max=READ_COUNT_MAX, bytes_max=FRAME_BYTES)
        for expected, record in zip(neighbours, records, strict=False):
            if record.position != expected:
                raise HistoryLost(expected, through)  # P8: a gap is loud
            yield from _items(source, record, lambda number, _: number in owed)
        if not records:
            raise HistoryLost(first, through)
        del positions[: len(records)]


def _bounded(items: Iterable[Item], count_max: int, bytes_max: int) -> tuple[list[Item], bool]:
    """Return the first items, at least one of any, and whether there are more."""
    found: list[Item] = []
    unyielded = 0
    for item in items:
        size = len(item.envelope)
        bytes_max -= size
        if found and (bytes_max < 0 or len(found) == count_max):
            return found, True
        found.append(item)
        unyielded += size
        if unyielded >= FRAME_BYTES:
            unyielded = 0
            time.sleep(0)  # whoever waits for the interpreter goes first
    return found, False


def _items(source: _Source, record: Record, is_owed: Callable[[int, Part], bool]) -> Iterator[Item]:
    """Return what a row holds for the subscription; a block is never cut."""
    blocks, name, wanted = source
    number = wanted.numbering.number(record.position)
    if record.type == REJECTED:
        message = rejected_message(record, name)
        yield Item(number, key_of(wanted, number, message.asset_id), message.envelope)
    elif wanted.granularity == definitions.BLOCK:
        yield Item(number, key_of(wanted, number), block_message(record.event(name)).envelope)
    else:
        for one, part in enumerate(blocks.parts(record, name), number):
            if is_owed(one, part):
                yield Item(one, key_of(wanted, one, part.message.asset_id), part.envelope)


def key_of(wanted: Subscription, number: int, asset_id: str = "") -> Hashable:
    """Return the key of an event; the asset counts only where it is one."""
    match wanted.order:
        case definitions.BY_ASSET:
            return asset_id
        case definitions.BY_LOG:
            return None
        case _:
            return number


def _token(reader: token.Digests, source: _Source, number: int) -> str:
    position, index = source.wanted.numbering.token_place(number)
    digest = token.digest_at(reader, position)
    if digest is None:
        raise HistoryLost(position, position)
    return token.encode(source.name, position, index, digest)
