"""Rejected transactions on their way into the node's log: in batches, and no commit waits for them (P9, P21)."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, NamedTuple

import msgspec

from bigchaindb.access.lines import Lines
from bigchaindb.errors import Overloaded, StoreFull, ValidationError
from bigchaindb.ledger.ports import RejectedRow
from bigchaindb.transaction.model import Transaction

BATCH_BYTES_MAX: Final = 1024 * 1024
"""Bytes of bodies in one write, unless one alone has more: node.db has one writer, and lanes wait for it some ms."""
BATCH_COUNT_MAX: Final = 1_000
LINES_A_SECOND: Final = 100
"""Of the log: a line takes 0.1 ms, and a stranger may have the whole pool rejected at once."""
FULL_RETRY_S: Final = 1.0
"""Time between two attempts to write on a full disk."""

Write = Callable[[Sequence[RejectedRow]], int]
"""Appends rows to the log, durably, and returns its last position. Raises StoreFull: nothing was written."""

_log: Final = logging.getLogger(__name__)


class Record(NamedTuple):
    """The log as an engine knows it.

    Attributes:
        write: appends rows; belongs to one thread.
        announce: called on the loop with the last position that is durable.
    """

    write: Write
    announce: Callable[[int], None]


def _summarise(counts: Mapping[str, int]) -> None:
    text = "more transactions were rejected after they had been accepted or proposed"
    _log.warning(text, extra={"count": sum(counts.values()), "errors": counts})


class _Asset(msgspec.Struct):
    id: str | None = None


class _Document(msgspec.Struct):
    asset: _Asset


_decode: Final = msgspec.json.Decoder(_Document).decode


class Rejected:
    """Transactions that were accepted and turned out to be invalid, and are not in the log yet (L4).

    Attributes:
        added_count: rejections so far.
        bytes: of the bodies that wait.
        work: set whenever one is added, and at the end.
    """

    def __init__(self, is_ours: Callable[[str], bool] = lambda _: True) -> None:
        """Begin with none.

        Args:
            is_ours: called with each id that breaks a rule; whether this node accepted that transaction: of others
                nothing is recorded.
        """
        self._is_ours = is_ours
        self._lines = Lines(LINES_A_SECOND, _summarise)
        self.added_count = 0
        self.bytes = 0
        self.work = asyncio.Event()
        self._waiting: deque[RejectedRow] = deque()
        self._errors: dict[str, ValidationError] = {}
        self._has_ended = False

    def add(self, transaction: Transaction, error: ValidationError) -> None:
        """Take a transaction of the pool that breaks a rule; its line is in the log, whoever accepted it (L4)."""
        self._write_line(transaction.id, error)
        if self._is_ours(transaction.id):
            self._take(transaction.id, transaction.asset_id, transaction.body, error)

    def record(self, transaction_id: str, body: bytes, error: ValidationError) -> None:
        """Take a transaction that this node accepted, and that is in no pool."""
        self._write_line(transaction_id, error)
        self._take(transaction_id, _decode(body).asset.id or transaction_id, body, error)

    def _write_line(self, transaction_id: str, error: ValidationError) -> None:
        name = type(error).__name__
        if self._lines.has_room(name):
            about = {"transaction": transaction_id, "error": f"{name}: {error}"}
            _log.warning("a transaction was rejected after it had been accepted or proposed", extra=about)

    def _take(self, transaction_id: str, asset_id: str, body: bytes, error: ValidationError) -> None:
        self._waiting.append(RejectedRow(transaction_id, asset_id, type(error).__name__, str(error), body))
        self._errors[transaction_id] = error
        self.added_count += 1
        self.bytes += len(body)
        self.work.set()

    def get(self, transaction_id: str) -> ValidationError | None:
        """Return the error of a transaction that is not in the log yet; None for any other."""
        return self._errors.get(transaction_id)

    def shortage(self, bytes_max: int) -> Overloaded | None:
        """Return why nothing more is accepted while so many bytes wait; None: there is room."""
        if self.bytes < bytes_max:
            return None
        return Overloaded(f"{self.bytes:,} bytes of rejected transactions are not recorded yet; try again later")

    def batch(self) -> list[RejectedRow]:
        """Return the next rows to write, oldest first; they wait until `written`."""
        rows: list[RejectedRow] = []
        room = BATCH_BYTES_MAX
        for row in self._waiting:
            room -= len(row.body)
            if rows and (room < 0 or len(rows) == BATCH_COUNT_MAX):
                break
            rows.append(row)
        return rows

    def written(self, rows: Sequence[RejectedRow]) -> None:
        """Forget the first rows, which are durable now."""
        for row in rows:
            assert self._waiting.popleft() is row
            self.bytes -= len(row.body)
        for id_ in {row.id for row in rows} - {row.id for row in self._waiting}:
            del self._errors[id_]

    def end(self) -> None:
        """Make `run` return once all is written."""
        self._has_ended = True
        self.work.set()

    async def run(self, record: Record) -> None:
        """Write rows until `end`, in a thread of its own, and announce the last position after each write.

        Raises:
            StoreFull: there was no room at the end; what waits is lost as what a crash finds in memory.
        """
        loop, is_told = asyncio.get_running_loop(), False
        with ThreadPoolExecutor(1, thread_name_prefix="rejected") as thread:
            while (rows := self.batch()) or not self._has_ended:
                if not rows:
                    self.work.clear()
                    await self.work.wait()
                    continue
                try:
                    head = await loop.run_in_executor(thread, record.write, rows)
                except StoreFull as error:
                    if self._has_ended:
                        raise
                    if not is_told:
                        _log.error(
                            "the disk is full, rejected transactions are not recorded", extra={"error": str(error)}
                        )
                    is_told = True
                    await self._pause()
                    continue
                is_told = False
                self.written(rows)
                record.announce(head)

    async def _pause(self) -> None:
        """Wait for a while, or for the end."""
        deadline_s = asyncio.get_running_loop().time() + FULL_RETRY_S
        while not self._has_ended:
            self.work.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline_s):
                    await self.work.wait()
                    continue
            return
