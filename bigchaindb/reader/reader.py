"""The reader process as a node holds it: started when it is first asked, one question at a time, replaced when it ends.

Belongs to the event loop, which nothing here makes wait. Source: decision 0085.
"""

import asyncio
import contextlib
import logging
import socket
import subprocess
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from bigchaindb import children
from bigchaindb.children import Ends, PlaceFigures
from bigchaindb.config import Limits
from bigchaindb.errors import BigchainDBError, Overloaded, ReaderLost, Stopping, StoreDamaged
from bigchaindb.reader import frames
from bigchaindb.reader.frames import Answer, EventPage, Page, Question
from bigchaindb.reader.process import READY
from bigchaindb.store.damages import Damages
from bigchaindb.store.lists import Bounds, Piece, Walk

READER: Final = "reader"
"""The place of the process, beside those of check processes."""
MODULE: Final = "bigchaindb.reader.process"
START_S_MAX: Final = 30.0
"""Time in which a process is ready, a hundred times what it needs: it steps back for all others."""
START_COUNT_MAX: Final = 2
PAUSE_S: Final = 1.0
"""After so many that could not be started the next is not tried for so long: each costs a third of a second."""
KILL_S_MAX: Final = 0.1
"""A killed process is waited for so long; the node goes on in any case."""
_NONE: Final = "the process that answers searches and long lists cannot be started; try again later"
_ending: "Final[list[subprocess.Popen[bytes]]]" = []
"""Killed and not gone yet: each is reaped when the next one is killed."""
_log: Final = logging.getLogger(__name__)


class _Asked(NamedTuple):
    request: Question
    begin_s: float
    answer: "asyncio.Future[Answer]"


class _Queue:
    """Questions that wait, and how many may: those of clients that have left wait for their turn too."""

    def __init__(self, what: str, limit: str, count_max: int) -> None:
        self.asked: deque[_Asked] = deque()
        self._count = 0
        self._count_max = count_max
        self._text = f"{what} are waiting (limits.{limit}); try again later"

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Count a question; raises Overloaded: there are too many."""
        if self._count >= self._count_max:
            raise Overloaded(f"{self._count} {self._text}")
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1


class Reader:
    """The reader process, and the questions that wait for it."""

    def __init__(self, ledger: Path, damages: Damages, limits: Limits, chain_id: str) -> None:
        """Start nothing yet.

        Args:
            ledger: the file; a node must own it.
            damages: takes note of what is found damaged.
            limits: of the node.
            chain_id: of the ledger.
        """
        self._bounds = Bounds(limits.page_count_max, limits.search_match_count_max)
        scan_s_max = limits.scan_ms_max / 1_000
        self._start = frames.Start(str(ledger), chain_id, self._bounds, limits.search_s_max, scan_s_max)
        self._answer_bytes_max = frames.answer_bytes_max(self._bounds, limits)
        self._damages = damages
        self._process: _Process | None = None
        self._searches = _Queue("searches", "search_waiting_count_max", limits.search_waiting_count_max)
        self._others = _Queue("pages of lists or events", "query_waiting_count_max", limits.query_waiting_count_max)
        self._turn = (self._searches, self._others)
        self._serving: asyncio.Task[None] | None = None
        self._ends = Ends()
        self._retry_s = 0.0
        self._answered_count = 0
        self._wait_s = 0.0
        self._is_closed = False

    async def search(self, walk: Walk) -> bytes:
        """Return the first elements of a list whose first piece may take long.

        Raises:
            Overloaded: too many searches are waiting, or no process can be started.
            Stopping: the node stops.
            StoreError: what the process met, or its end.
        """
        return await self._step(walk, self._searches)

    async def step(self, walk: Walk) -> bytes:
        """Return the next elements of a list; raises as `search` does."""
        return await self._step(walk, self._others)

    async def page(self, asked: EventPage) -> Page:
        """Return a page of events; a scan for newest ones waits among searches, so that short pages pass it.

        Raises:
            MalformedToken: `after` is no token.
            HistoryLost: the token is of another log.
            Overloaded, Stopping, StoreError: as for `search`.
        """
        page = await self._ask(asked, self._searches if asked.is_scan else self._others)
        assert isinstance(page, Page), page
        return page

    async def answer(self, asked: Question, *, is_long: bool) -> Answer:
        """Return the answer to a question, which waits among searches if it `is_long`; raises as `search` does."""
        return await self._ask(asked, self._searches if is_long else self._others)

    async def _step(self, walk: Walk, queue: "_Queue") -> bytes:
        piece = await self._ask(walk.ask(self._bounds.row_count_max), queue)
        assert isinstance(piece, Piece), piece
        return walk.take(piece)

    async def _ask(self, request: Question, queue: "_Queue") -> Answer:
        if self._is_closed:
            raise _stopping()
        loop = asyncio.get_running_loop()
        with queue.waiting():
            asked = _Asked(request, loop.time(), loop.create_future())
            queue.asked.append(asked)
            if self._serving is None:
                self._serving = loop.create_task(self._serve())
            return await asked.answer

    @property
    def figures(self) -> PlaceFigures:
        """What the process does."""
        process_count, ends = len(self.pids), self._ends
        return PlaceFigures(process_count, self._answered_count, self._wait_s, ends.count, ends.is_failing)

    @property
    def pids(self) -> Sequence[int]:
        """The id of the process, if it runs."""
        if self._serving is None:
            self._look()
        return [] if self._process is None else [self._process.pid]

    async def close(self) -> None:
        """End the process; answer what waits with `Stopping`."""
        self._is_closed = True
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.wait({self._serving})
        while (asked := self._take()) is not None:
            _fail(asked, _stopping())
        if self._process is not None:
            self._process.kill()
            self._process = None

    async def _serve(self) -> None:
        try:
            while (asked := self._take()) is not None:
                if not asked.answer.done():  # else its client is gone
                    await self._answer(asked)
        finally:
            self._serving = None

    def _take(self) -> _Asked | None:
        """Take the next question, from both queues in turn: what was begun does not wait for all that begins."""
        self._turn = self._turn[::-1]
        return next((queue.asked.popleft() for queue in self._turn if queue.asked), None)

    async def _answer(self, question: _Asked) -> None:
        try:
            answer = await self._exchange(question.request)
        except StoreDamaged as error:
            self._damages.note(error)
            _fail(question, error)
        except BigchainDBError as error:
            _fail(question, error)
        except asyncio.CancelledError:
            _fail(question, _stopping())
            raise
        except Exception as error:  # noqa: BLE001 - a defect must not leave the client waiting, nor those behind it
            _log.exception("a question for the reader process failed")
            _fail(question, error)
        else:
            if not question.answer.done():
                question.answer.set_result(answer)
        self._answered_count += 1
        self._wait_s += asyncio.get_running_loop().time() - question.begin_s

    async def _exchange(self, request: Question) -> Answer:
        self._look()
        process = self._process or await self._begin()
        time_s_max = 2 * self._start.time_s_max
        try:
            async with asyncio.timeout(time_s_max):
                payload = await process.ask(frames.frame(request), self._answer_bytes_max)
            self._ends.answered()
            return frames.answer_of(payload)
        except TimeoutError:
            why = f"it took more than {time_s_max:g} s, twice limits.search_s_max"
        except (OSError, EOFError) as error:
            why = process.ended(KILL_S_MAX) or repr(error)
        except frames.FrameError as error:
            why = f"it answered with nonsense: {error}"
        self._lose(why)
        raise ReaderLost(f"the process that reads for this query ended: {why}; try again, or ask for less")

    async def _begin(self) -> "_Process":
        """Start a process, a second one if the first ends at once: it may have been killed."""
        if time.monotonic() < self._retry_s:
            raise Overloaded(_NONE)
        for _ in range(START_COUNT_MAX):
            if (process := await self._started()) is not None:
                self._process = process
                return process
        self._ends.refuse()
        self._retry_s = time.monotonic() + PAUSE_S
        raise Overloaded(_NONE)

    async def _started(self) -> "_Process | None":
        process = None
        try:
            async with asyncio.timeout(START_S_MAX):
                process = _Process.start(self._start)
                await process.ready()
        except (OSError, EOFError, TimeoutError) as error:
            why = (process and process.ended(KILL_S_MAX)) or repr(error)
            _log.error("the reader process cannot be started", extra={"why": why})
        except asyncio.CancelledError:
            if process is not None:
                process.kill()
            raise
        else:
            return process
        if process is not None:
            process.kill()
        return None

    def _look(self) -> None:
        """Note the end of a process that nobody was asking."""
        if self._process is not None and (why := self._process.ended()) is not None:
            self._lose(why)

    def _lose(self, why: str) -> None:
        assert self._process is not None
        _log.error("the reader process ended, and is replaced", extra={"pid": self._process.pid, "why": why})
        self._process.kill()
        self._process = None
        self._ends.note()


class _Process:
    """One reader process and the socket that leads to it."""

    def __init__(self, process: "subprocess.Popen[bytes]", ours: socket.socket) -> None:
        self.pid = process.pid
        self._process = process
        self._socket = ours

    @classmethod
    def start(cls, start: frames.Start) -> "_Process":
        """Start a process; raises OSError: it cannot be."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = children.start_module(MODULE, theirs, msgspec.json.encode(start).decode())
            except OSError:
                ours.close()
                raise
        ours.settimeout(0)
        return cls(process, ours)

    async def ready(self) -> None:
        """Wait until it has opened the ledger; raises EOFError: it ended."""
        await self._read(len(READY))

    async def ask(self, question: bytes, answer_bytes_max: int) -> bytearray:
        """Return the answer to a question.

        Raises:
            OSError, EOFError: the process ended.
            FrameError: its answer is too long.
        """
        await asyncio.get_running_loop().sock_sendall(self._socket, question)
        [size] = frames.HEAD.unpack(await self._read(frames.HEAD.size))
        if size > answer_bytes_max:
            raise frames.FrameError(f"{size} bytes, of at most {answer_bytes_max}")
        return await self._read(size)

    async def _read(self, size: int) -> bytearray:
        """Read into the place where it stays: a page of a megabyte was copied three times, and the loop stood still."""
        found = bytearray(size)
        with memoryview(found) as view:
            while size:
                count = await asyncio.get_running_loop().sock_recv_into(self._socket, view[-size:])
                if not count:
                    raise EOFError("its socket is closed")
                size -= count
        return found

    def ended(self, wait_s: float = 0) -> str | None:
        """Return how the process ended; None: it runs, also after `wait_s`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return children.words_for(self._process.wait(wait_s))
        return None

    def kill(self) -> None:
        """End the process; one that waits for a broken disk, or for its turn on a busy machine, may end later."""
        self._process.kill()
        self._socket.close()
        _ending[:] = [one for one in _ending if one.poll() is None]
        if self.ended(KILL_S_MAX) is None:
            _ending.append(self._process)


def _fail(question: _Asked, error: Exception) -> None:
    if not question.answer.done():
        question.answer.set_exception(error)


def _stopping() -> Stopping:
    return Stopping("the node is about to stop")
