"""The event log as the API reads it: in threads beside the event loop, never beyond the durable head (P4).

Pages and clients that are behind share one thread, clients at the head another: reads of history cannot delay the
clients at the head. Clients at the head with equal choices get the same bytes, which are read and rendered once.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from bigchaindb.config import Limits
from bigchaindb.errors import Overloaded
from bigchaindb.ledger.ports import LogReader
from bigchaindb.streams.cloud_events import Choice, Piece, Place, place_of, read_piece, token_at
from bigchaindb.streams.log_thread import LogThread

PIECE_BYTES: Final = 64 * 1024
"""Bytes of events in one read for a stream; a single block of 1,000 transactions is larger."""
PIECE_COUNT_MAX: Final = 1_000
"""CloudEvents in one read for a stream."""
LIVE_COUNT: Final = 16
"""A client this many events behind still counts as at the head: commits may pass between its wake-up and its read."""
SHARED_COUNT_MAX: Final = 16
"""Pieces at the head that are kept for further clients, for a few different filters."""
SHARED_BYTES_MAX: Final = 8 * 1024 * 1024
"""Their bytes."""


class Heads(Protocol):
    """The durable head of the log. Belongs to the event loop."""

    @property
    def head(self) -> int:
        """The last durable position."""
        ...

    def listen(self, listener: Callable[[int], None]) -> None:
        """Call `listener` with each new head; it must not block."""
        ...


class LogSource(NamedTuple):
    """The log of this node."""

    heads: Heads
    open_reader: Callable[[], LogReader]
    chain_id: str


class Rendered(NamedTuple):
    """A piece as a stream sends it.

    Attributes:
        frames: empty if nothing matched.
        place: behind it.
        token: of that place.
    """

    frames: bytes
    place: Place
    token: str


class EventLog:
    """Reads the log for pages and streams. Belongs to the event loop."""

    def __init__(self, source: LogSource, limits: Limits, render: Callable[[Piece], bytes]) -> None:
        """Begin without threads; the first reads start them.

        Args:
            source: the log.
            limits: of pages, and of requests that wait for them.
            render: returns the frames of a piece.
        """
        self.heads = source.heads
        self._chain_id = source.chain_id
        self._limits = limits
        self._render = render
        self._behind = LogThread(source.open_reader, "events-behind")
        self._live = LogThread(source.open_reader, "events-live")
        self._paging_count = 0
        self._shared: OrderedDict[tuple[Choice, Place], asyncio.Task[Rendered]] = OrderedDict()

    async def page(self, choice: Choice, after: str | None, count_max: int) -> tuple[Piece, bool]:
        """Return the next CloudEvents after a token, or the first ones, and whether the head was reached.

        Raises:
            MalformedToken: `after` is none.
            HistoryLost: it is of another log.
            Overloaded: too many pages are waiting.
        """
        if self._paging_count >= self._limits.query_waiting_count_max:
            bound = f"limits.query_waiting_count_max = {self._limits.query_waiting_count_max}"
            raise Overloaded(f"{bound} pages of events are waiting; try again later")
        head, chain_id = self.heads.head, self._chain_id

        def read(reader: LogReader) -> Piece:
            place = Place(0) if after is None else place_of(reader, after, chain_id, head)
            bytes_max = self._limits.event_page_bytes_max
            return read_piece(reader, chain_id, choice, place, head, count_max=count_max, bytes_max=bytes_max)

        self._paging_count += 1
        try:
            piece = await self._behind.run(read)
        finally:
            self._paging_count -= 1
        return piece, piece.place.position >= head

    async def place(self, after: str | None) -> tuple[Place, str]:
        """Return the place where a stream begins and its token: after `after`, or at the durable head.

        Raises:
            MalformedToken: `after` is none.
            HistoryLost: it is of another log.
        """
        head, chain_id = self.heads.head, self._chain_id
        if after is None:
            return Place(head), await self._live.run(lambda reader: token_at(reader, chain_id, head))
        return await self._live.run(lambda reader: place_of(reader, after, chain_id, head)), after

    async def rendered(self, choice: Choice, after: Place) -> Rendered:
        """Return the next piece for a stream; there must be events behind `after`."""
        head = self.heads.head
        assert after.position < head, (after, head)
        if head - after.position > LIVE_COUNT:
            return await self._read(self._behind, choice, after, head)
        key = (choice, after)
        if (task := self._shared.get(key)) is None:
            task = asyncio.create_task(self._read(self._live, choice, after, head))
            self._shared[key] = task
            task.add_done_callback(lambda _: self._trim())
            self._trim()
        try:
            return await asyncio.shield(task)  # The read goes on for the others when one client leaves.
        except Exception:
            self._shared.pop(key, None)
            raise

    def close(self) -> None:
        """Wait for the running reads; start no other."""
        self._behind.close()
        self._live.close()

    async def _read(self, thread: LogThread, choice: Choice, after: Place, through: int) -> Rendered:
        def read(reader: LogReader) -> Rendered:
            piece = read_piece(
                reader, self._chain_id, choice, after, through, count_max=PIECE_COUNT_MAX, bytes_max=PIECE_BYTES
            )
            return Rendered(self._render(piece), piece.place, piece.token)

        return await thread.run(read)

    def _trim(self) -> None:
        """Forget the oldest pieces beyond the bounds; their waiting clients keep those that are still being read."""
        while len(self._shared) > SHARED_COUNT_MAX or sum(map(_size, self._shared.values())) > SHARED_BYTES_MAX:
            self._shared.popitem(last=False)


def _size(task: asyncio.Task[Rendered]) -> int:
    done = task.done() and not task.cancelled() and task.exception() is None
    return len(task.result().frames) if done else 0
