"""The log as desks read it: numbered events with their keys, rendered, in a thread beside the event loop.

All desks of a node share two threads: those at the head have one, so that reads of history do not delay them. A thread
lets the loop run on after each frame that it has rendered, and a commit as well (P9).
"""

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from itertools import count
from typing import Final, NamedTuple, TypeVar

from bigchaindb.delivery import Message, block_message, transaction_messages
from bigchaindb.errors import HistoryLost
from bigchaindb.eventlog import subscription as definitions
from bigchaindb.eventlog import token
from bigchaindb.eventlog.selection import ALL
from bigchaindb.eventlog.subscription import Subscription
from bigchaindb.ledger.ports import REJECTED, LogReader, Record
from bigchaindb.streams.cloud_events import document_of, rejected_message
from bigchaindb.streams.shared_log import LIVE_COUNT, LogSource
from bigchaindb.subscribers.machine import in_thread

FRAME_BYTES: Final = 64 * 1024
"""Bytes that are rendered in one go, half a millisecond: so long a thread keeps the loop from running."""
READ_COUNT_MAX: Final = 256
"""Events of the log that one read brings."""

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
    """

    def __init__(self, source: LogSource, start_thread: Callable[[], Executor]) -> None:
        """Begin without threads; the first reads start them."""
        self.hub = source.hub
        self.name = source.chain_id
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
        head = self.hub.head
        thread = self._live if head - wanted.numbering.position(after) <= LIVE_COUNT else self._late
        return await thread.run(lambda reader: _read(reader, self.name, wanted, after, head, count_max, bytes_max))

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
            lambda reader: _bounded(_recalled(reader, self.name, wanted, numbers), len(numbers), bytes_max)[0]
        )

    async def token(self, wanted: Subscription, number: int) -> str:
        """Return the token of the place behind a number.

        Raises:
            HistoryLost: the log does not hold it.
            StoreError: as `read`.
        """
        return await self._live.run(lambda reader: _token(reader, self.name, wanted, number))

    def close(self) -> None:
        """Start no other read, and close the files."""
        self._live.close()
        self._late.close()


class _Thread:
    """A reader and the thread that it belongs to; both begin with the first read."""

    def __init__(self, open_reader: Callable[[], LogReader], start_thread: Callable[[], Executor]) -> None:
        self._open_reader = open_reader
        self._start_thread = start_thread
        self._thread: Executor | None = None
        self._reader: LogReader | None = None

    async def run(self, read: Callable[[LogReader], T]) -> T:
        if self._thread is None:
            self._thread = self._start_thread()
        return await in_thread(self._thread, lambda: read(self._own_reader()))

    def close(self) -> None:
        if self._thread is not None:
            self._thread.submit(self._close_reader)
            self._thread.shutdown(wait=False)

    def _own_reader(self) -> LogReader:
        if self._reader is None:
            self._reader = self._open_reader()
        return self._reader

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()


def _read(
    reader: LogReader,
    chain_id: str,
    wanted: Subscription,
    after: int,
    head: int,
    count_max: int,
    bytes_max: int,
) -> Piece:
    numbering = wanted.numbering
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

    def is_owed(number: int, message: Message) -> bool:
        return number > after and _matches(wanted, message)

    every = (item for record in records for item in _items(record, chain_id, wanted, is_owed))
    items, is_cut = _bounded(every, count_max, bytes_max)
    behind = items[-1].number if is_cut else numbering.behind(reached)
    return Piece(items, behind, _token(reader, chain_id, wanted, behind))


def _recalled(reader: LogReader, chain_id: str, wanted: Subscription, numbers: Sequence[int]) -> Iterator[Item]:
    numbering, owed = wanted.numbering, {*numbers}
    positions = list(dict.fromkeys(map(numbering.position, numbers)))
    while positions:
        first = positions[0]
        neighbours = [one for one, expected in zip(positions, count(first), strict=False) if one == expected]
        through = neighbours[-1]
        records = reader.records(first - 1, through, count_max=READ_COUNT_MAX, bytes_max=FRAME_BYTES)
        for expected, record in zip(neighbours, records, strict=False):
            if record.position != expected:
                raise HistoryLost(expected, through)  # P8: a gap is loud
            yield from _items(record, chain_id, wanted, lambda number, _: number in owed)
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


def _items(
    record: Record, chain_id: str, wanted: Subscription, is_owed: Callable[[int, Message], bool]
) -> Iterator[Item]:
    """Return what a row holds for the subscription; a block is never cut."""
    numbering, event = wanted.numbering, record.event(chain_id)
    if record.type == REJECTED:
        number, message = numbering.number(record.position), rejected_message(record, chain_id)
        yield Item(number, key_of(wanted, number, message.asset_id), message.envelope)
        return
    if wanted.granularity == definitions.BLOCK:
        number = numbering.number(record.position)
        yield Item(number, key_of(wanted, number), block_message(event).envelope)
        return
    for index, message in enumerate(transaction_messages(event)):
        number = numbering.number(record.position, index)
        if is_owed(number, message):
            yield Item(number, key_of(wanted, number, message.asset_id), message.envelope)


def _matches(wanted: Subscription, message: Message) -> bool:
    return wanted.selection == ALL or wanted.selection.matches(document_of(message.data))


def key_of(wanted: Subscription, number: int, asset_id: str = "") -> Hashable:
    """Return the key of an event; the asset counts only where it is one."""
    match wanted.order:
        case definitions.BY_ASSET:
            return asset_id
        case definitions.BY_LOG:
            return None
        case _:
            return number


def _token(reader: LogReader, chain_id: str, wanted: Subscription, number: int) -> str:
    position, index = wanted.numbering.token_place(number)
    digest = token.digest_at(reader, position)
    if digest is None:
        raise HistoryLost(position, position)
    return token.encode(chain_id, position, index, digest)
