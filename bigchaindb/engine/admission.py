"""The queue before the checks: bodies that arrived and are not checked yet. Belongs to the event loop."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bigchaindb.engine.engine import Mode
from bigchaindb.errors import EngineError, Overloaded, forget_frames
from bigchaindb.ledger.weight import is_heavy
from bigchaindb.transaction.model import Transaction

BATCH_COUNT_MAX: Final = 64
"""Documents of a frame to a check process: 5 ms of work."""
BATCH_BYTES_MAX: Final = 64 * 1024
"""Bytes of those, but of one at least: 80 usual ones."""
BATCH_COUNT_MIN: Final = 32
"""Entries that make a batch worth a frame of its own while one is at work. Without it half of all batches were of three
or fewer, and hops and the loading of state cost 13 % of a node's CPU time (measured with threads, 64 clients)."""
HEAVY_SHARE: Final = 4
"""One part in so many of the bytes that may wait is for heavy documents: all others have room meanwhile."""
GATHER_S_MAX: Final = 0.002
"""Time that entries gather at most: what 32 of them take to come at 16,000 a second. With 50 ms a stream message came
23 to 34 ms after its POST at 2,500 a second, with 2 ms 16 ms; the CPU time of each stayed within the noise. A hostile
document of thousands of signatures, which takes long, holds nobody up while processes are idle."""
SLICE_COUNT_MAX: Final = 100
"""Answers given in one turn of the loop: 1,000 at once stall it for 34 ms, slices of 100 for 6 ms (measured)."""


@dataclass(slots=True, eq=False)
class Entry:
    """A body, and the future of its submitter: the transaction, or why not.

    Attributes:
        mode: when a client wants to be answered; None: it came from another node.
    """

    body: bytes
    mode: Mode | None
    answer: asyncio.Future[Transaction]

    def resolve(self, outcome: Transaction | Exception) -> None:
        """Answer, unless the asker has gone or was answered."""
        if self.answer.done():
            return
        if isinstance(outcome, Exception):
            forget_frames(outcome)
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


Answer = tuple[Entry, Transaction | Exception]
"""An entry and the outcome that its submitter gets."""


@dataclass(slots=True, eq=False)
class AdmissionQueue:
    """Entries in the order of their arrival, bounded by their bytes, taken in batches; heavy ones apart, one by one.

    What comes while nothing is in hand is taken at once. While a batch is in hand the next is taken only once it is
    worth a frame of its own, or has waited for `GATHER_S_MAX`: entries gather, as transactions do while a block is
    written.
    """

    bytes_max: int
    _entries: deque[Entry] = field(default_factory=deque)
    _heavy: deque[Entry] = field(default_factory=deque)
    _bytes: int = 0
    _heavy_bytes: int = 0
    _in_hand: int = 0
    _has_waited: bool = False
    _closed: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _heavy_changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def bytes(self) -> int:
        """The size of all bodies that wait."""
        return self._bytes

    def put(self, entry: Entry) -> None:
        """Append an entry.

        Raises:
            Overloaded: `bytes_max` leaves no room for it.
        """
        if self._bytes + len(entry.body) > self.bytes_max:
            raise Overloaded(
                f"{self._bytes:,} of {self.bytes_max:,} bytes wait to be checked (limits.admission_bytes_max); "
                "try again later"
            )
        if is_heavy(entry.body):
            self._put_heavy(entry)
            return
        self._entries.append(entry)
        self._bytes += len(entry.body)
        if self._is_due():
            self._changed.set()
        elif len(self._entries) == 1:
            self._let_wait()

    def _put_heavy(self, entry: Entry) -> None:
        size = self._heavy_bytes + len(entry.body)
        if self._heavy and size * HEAVY_SHARE > self.bytes_max:
            raise Overloaded(
                f"large transactions of 1/{HEAVY_SHARE} of {self.bytes_max:,} bytes (limits.admission_bytes_max) wait "
                "to be checked; try again later"
            )
        self._heavy.append(entry)
        self._heavy_bytes = size
        self._bytes += len(entry.body)
        self._heavy_changed.set()

    async def take_heavy(self) -> Entry | None:
        """Wait for a heavy entry and take it; None means that the queue was closed."""
        while not self._heavy and not self._closed:
            self._heavy_changed.clear()
            await self._heavy_changed.wait()
        if not self._heavy:
            return None
        entry = self._heavy.popleft()
        self._heavy_bytes -= len(entry.body)
        self._bytes -= len(entry.body)
        return entry

    async def take(self, count_max: int = BATCH_COUNT_MAX) -> list[Entry]:
        """Wait for entries and take the first of them; an empty list means that the queue was closed.

        The caller must call `finish` once they are checked.
        """
        while not self._is_due() and not self._closed:
            self._changed.clear()
            await self._changed.wait()
        taken: list[Entry] = []
        size = 0
        while self._entries and len(taken) < count_max:
            if taken and size + len(self._entries[0].body) > BATCH_BYTES_MAX:
                break
            taken.append(self._entries.popleft())
            size += len(taken[-1].body)
        self._bytes -= size
        self._in_hand += 1
        self._has_waited = False
        if self._entries:
            self._let_wait()
        return taken

    def finish(self) -> None:
        """Note that a batch is out of hand."""
        self._in_hand -= 1
        if self._is_due():
            self._changed.set()

    def _is_due(self) -> bool:
        return len(self._entries) >= (BATCH_COUNT_MIN if self._in_hand and not self._has_waited else 1)

    def _let_wait(self) -> None:
        asyncio.get_running_loop().call_later(GATHER_S_MAX, self._end_wait)

    def _end_wait(self) -> None:
        """Make waiting entries due; those that came meanwhile are due a little early."""
        if self._entries:
            self._has_waited = True
            self._changed.set()

    def close(self, error: EngineError) -> None:
        """Answer all that waits with `error`, and wake the takers for the last time."""
        self._closed = True
        self._changed.set()
        self._heavy_changed.set()
        waiting = [*self._entries, *self._heavy]
        self._entries.clear()
        self._heavy.clear()
        self._bytes = self._heavy_bytes = 0
        answer_all(waiting, error)


def answer_all(entries: Iterable[Entry], error: EngineError) -> None:
    """Answer every entry with `error`."""
    for entry in entries:
        entry.resolve(error)


def answer_in_slices(answers: Sequence[Answer]) -> None:
    """Resolve answers, at most `SLICE_COUNT_MAX` in one turn of the running loop."""
    for entry, outcome in answers[:SLICE_COUNT_MAX]:
        entry.resolve(outcome)
    if rest := answers[SLICE_COUNT_MAX:]:
        asyncio.get_running_loop().call_soon(answer_in_slices, rest)
