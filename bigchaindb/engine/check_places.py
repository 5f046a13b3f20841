"""Check processes as a node holds them: given batches, and replaced when they end.

Belongs to the event loop, which nothing here makes wait. What one of them does to its batch is its own affair: here it
answers, or it is lost.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from bigchaindb.children import Ends, PlaceFigures
from bigchaindb.engine import check_frames as frames
from bigchaindb.engine.check_nursery import Nursery
from bigchaindb.errors import CheckFailed, EngineError, Overloaded
from bigchaindb.ledger.validating import ParseResult

READ_BYTES: Final = 256 * 1024
UNBORN_COUNT_MAX: Final = 5
"""Processes in a row that ended before they began, with their parent most likely, after which no more are ordered for
one batch. What only waited for such a process did not end it."""
ANSWER_S_MAX: Final = 60.0
"""Time in which a process answers its oldest batch, six times what it may compute. Without it one that is stopped, or
waits for a disk, would hold its place for ever and look healthy."""

CheckOutcome = ParseResult | CheckFailed
"""What a check process found, or the defect that it met."""

_NO_PROCESS: Final = "no check process can be started; try again later"
_log: Final = logging.getLogger(__name__)


class ProcessLost(Exception):
    """A check process ended while it had the batch at work, so nothing is known about that."""


class Batch:
    """Documents on their way through a process."""

    def __init__(self, bodies: Sequence[bytes]) -> None:
        loop = asyncio.get_running_loop()
        self.frame = frames.bodies_frame(bodies)
        self.count = len(bodies)
        self.answer_bytes_max = frames.verdicts_bytes_max(bodies)
        self.begin_s = loop.time()
        self.answer: asyncio.Future[list[CheckOutcome]] = loop.create_future()


class Process:
    """One check process; it answers its batches in order, or is lost."""

    def __init__(
        self,
        nursery: Nursery,
        niceness: int,
        answered: Callable[[Batch], None],
        lost: Callable[["Process"], None],
    ) -> None:
        """Order it.

        Args:
            nursery: its parent.
            niceness: as of `nice`.
            answered: called after each batch.
            lost: called once, when it has ended or was given up; `in_hand` is what it has not answered.
        """
        self.in_hand: deque[Batch] = deque()
        self._nursery = nursery
        self._answered = answered
        self._lost = lost
        self._unsent = b""
        self._received = bytearray()
        self._watch: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self.number, self._socket = nursery.fork(niceness)
        self._socket.settimeout(0)
        self._loop.add_reader(self._socket, self._read)

    @property
    def was_born(self) -> bool:
        """Whether it was forked: else nothing that it was handed was looked at."""
        return self.number <= self._nursery.last_born

    def give(self, batch: Batch) -> None:
        """Hand a batch over."""
        self.in_hand.append(batch)
        if self._watch is None:
            self._watch = self._loop.call_later(ANSWER_S_MAX, self._end_overdue)
        was_empty = not self._unsent
        self._unsent += batch.frame
        if was_empty:
            self._send()

    def close(self) -> None:
        """Close its socket: it ends by itself, unless a batch keeps it busy."""
        if self._watch is not None:
            self._watch.cancel()
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()

    def _end_overdue(self) -> None:
        """End the process, or its parent if that has not even forked it: one of them does nothing."""
        about = {"number": self.number, "was_born": self.was_born}
        _log.error(f"a check process has not answered for {ANSWER_S_MAX:g} s, and is ended", extra=about)
        self.close()
        if self.was_born:
            self._nursery.kill(self.number)
        else:
            self._nursery.replace()
        self._lost(self)

    def _send(self) -> None:
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:  # its end is about to be read
            self._unsent = b""
        if self._unsent:
            self._loop.add_writer(self._socket, self._send)
        else:
            self._loop.remove_writer(self._socket)

    def _read(self) -> None:
        try:
            piece = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        self._received += piece
        try:
            while piece and self._take_answer():
                pass
        except frames.FrameError as error:
            _log.critical("a check process answered with nonsense, and is ended", extra={"why": str(error)})
            piece = b""
        if not piece:
            self.close()
            self._nursery.kill(self.number)
            self._lost(self)

    def _take_answer(self) -> bool:
        """Take the next answer; return whether there was a whole one."""
        head = frames.HEAD.size
        if len(self._received) < head:
            return False
        [size] = frames.HEAD.unpack_from(self._received)
        if not self.in_hand or size > self.in_hand[0].answer_bytes_max:
            raise frames.FrameError(f"an answer of {size} bytes to {len(self.in_hand)} batches")
        if len(self._received) < head + size:
            return False
        outcomes = frames.outcomes_of(self._received[head : head + size], self.in_hand[0].count)
        del self._received[: head + size]
        batch = self.in_hand.popleft()
        assert self._watch is not None
        self._watch.cancel()
        self._watch = self._loop.call_later(ANSWER_S_MAX, self._end_overdue) if self.in_hand else None
        if not batch.answer.done():
            batch.answer.set_result(outcomes)
        self._answered(batch)
        return True


class Place:
    """So many check processes for documents of one kind, and the batches that wait for one of them."""

    def __init__(self, nursery: Nursery, *, count: int, niceness: int = 0, batch_count: int = 1) -> None:
        """Order no process yet.

        Args:
            nursery: their parent.
            count: of processes.
            niceness: as of `nice`.
            batch_count: batches that are out with one process at a time.
        """
        self.count = count
        self.batch_count = batch_count
        self._nursery = nursery
        self._niceness = niceness
        self._processes: list[Process] = []
        self._waiting: deque[Batch] = deque()
        self._answered_count = 0
        self._wait_s = 0.0
        self._ends = Ends()
        self._unborn_count = 0
        self._closed: EngineError | None = None

    @property
    def figures(self) -> PlaceFigures:
        """What they do."""
        ends = self._ends
        return PlaceFigures(len(self._processes), self._answered_count, self._wait_s, ends.count, ends.is_failing)

    def open(self) -> None:
        """Order the processes before there is work for them."""
        while len(self._processes) < self.count:
            self._order()

    async def check(self, bodies: Sequence[bytes], *, in_front: bool = False) -> list[CheckOutcome]:
        """Return the outcome of each document.

        Args:
            bodies: of the documents.
            in_front: whether they come before all that waits.

        Raises:
            ProcessLost: a process ended over them.
            Overloaded: no process can be started, so nothing looked at them.
            EngineError: the place was closed with that.
        """
        if self._closed is not None:
            raise self._closed
        batch = Batch(bodies)
        if in_front:
            self._waiting.appendleft(batch)
        else:
            self._waiting.append(batch)
        self._hand_over()
        return await batch.answer

    def close(self, error: EngineError) -> None:
        """Close the processes; answer all batches with `error`."""
        self._closed = error
        for process in self._processes:
            process.close()
            self._waiting.extend(process.in_hand)
        self._processes.clear()
        while self._waiting:
            _fail(self._waiting.popleft(), error)

    def _hand_over(self) -> None:
        while self._waiting:
            process = min(self._processes, key=lambda one: len(one.in_hand), default=None)
            if len(self._processes) < self.count and (process is None or process.in_hand):
                try:
                    process = self._order()
                except OSError as error:
                    _log.error("no check process can be started", extra={"error": str(error)})
                    self._ends.refuse()
                    if process is None:
                        _fail(self._waiting.popleft(), Overloaded(_NO_PROCESS))
                        continue
            assert process is not None, "the place is empty"
            if len(process.in_hand) >= self.batch_count:
                return
            process.give(self._waiting.popleft())

    def _order(self) -> Process:
        process = Process(self._nursery, self._niceness, self._note, self._lose)
        self._processes.append(process)
        return process

    def _note(self, batch: Batch) -> None:
        self._ends.answered()
        self._answered_count += 1
        self._wait_s += asyncio.get_running_loop().time() - batch.begin_s
        self._hand_over()

    def _lose(self, process: Process) -> None:
        """Replace a process: the batch at work is lost, those behind it go to another."""
        self._processes.remove(process)
        self._ends.note()
        self._unborn_count = 0 if process.was_born else self._unborn_count + 1
        if process.in_hand and process.was_born:
            _fail(process.in_hand.popleft(), ProcessLost())
        elif process.in_hand and self._unborn_count >= UNBORN_COUNT_MAX:
            _log.error("no check process can be started", extra={"attempts": self._unborn_count})
            self._ends.refuse()
            _fail(process.in_hand.popleft(), Overloaded(_NO_PROCESS))
        self._waiting.extendleft(reversed(process.in_hand))
        self._hand_over()


def _fail(batch: Batch, error: Exception) -> None:
    if not batch.answer.done():
        batch.answer.set_exception(error)
