"""Runs the store's queries beside the event loop, a few at a time.

A point look-up takes about as long as passing it to a thread, but one that waits for the disk would delay every
client, so all look-ups run in threads. A search ranks all matches at once, which can take seconds: searches have a
thread of their own and wait only for each other.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from bigchaindb.api.answers import Answer, Listing, Reply
from bigchaindb.config import Limits
from bigchaindb.errors import Overloaded, Stopping, StoreError

THREAD_COUNT: Final = 2
"""SQLite releases the interpreter lock only in its own work, which is the smaller half of a query."""
SEARCH_THREAD_COUNT: Final = 1
INTERRUPT_COUNT_MAX: Final = 50
"""Interrupts of the running reads at a stop; a read that the disk delays for longer is abandoned."""
INTERRUPT_PAUSE_S: Final = 0.01

T = TypeVar("T")
P = ParamSpec("P")


class _Threads:
    """A bounded queue before a few threads."""

    def __init__(self, name: str, thread_count: int, limit: str, waiting_count_max: int) -> None:
        self._executor = ThreadPoolExecutor(thread_count, thread_name_prefix=name)
        self._limit = f"limits.{limit}"
        self._waiting_count_max = waiting_count_max
        self._waiting_count = 0
        self._closed = False

    async def run(self, query: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        self._check_open()
        if self._waiting_count >= self._waiting_count_max:
            raise Overloaded(f"{self._waiting_count} queries are waiting ({self._limit}); try again later")

        def attempt() -> T:
            self._check_open()  # The node may have begun to stop while this waited.
            return query(*args, **kwargs)

        self._waiting_count += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, attempt)
        except StoreError:
            self._check_open()  # A stop interrupts queries.
            raise
        finally:
            self._waiting_count -= 1

    def close(self) -> None:
        self._closed = True
        self._executor.shutdown(wait=False)

    def _check_open(self) -> None:
        if self._closed:
            raise Stopping("the node is about to stop")


class Reads:
    """All queries of the HTTP API. Belongs to the event loop."""

    def __init__(self, limits: Limits, interrupt: Callable[[], bool]) -> None:
        """Make the threads.

        Args:
            limits: of queries that wait for a thread.
            interrupt: `Queries.interrupt`.
        """
        self._interrupt = interrupt
        self._short = _Threads("api-read", THREAD_COUNT, "query_waiting_count_max", limits.query_waiting_count_max)
        self._searches = _Threads(
            "api-search", SEARCH_THREAD_COUNT, "search_waiting_count_max", limits.search_waiting_count_max
        )

    async def run(self, query: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of `query`, which must be short.

        Raises:
            Overloaded: too many queries are waiting.
            Stopping: the node stops.
        """
        return await self._short.run(query, *args, **kwargs)

    async def listing(
        self, start: Callable[[], Iterator[Sequence[T]]], render: Callable[[Sequence[T]], bytes]
    ) -> Reply:
        """Return a JSON array: complete if one piece holds it, else one that is read while it is written.

        Each piece, an empty one too, waits for a thread anew, so that a query with few matches does not hold one.

        Args:
            start: begins the query; each piece is one short read.
            render: returns the elements of a non-empty piece, joined by commas.

        Raises:
            Overloaded: see `run`.
            Stopping: see `run`.
        """
        return self._array(*await self._short.run(_begin, start, render))

    async def search(self, start: Callable[[], Iterator[Sequence[bytes]]]) -> Reply:
        """Return a JSON array as `listing` does, for a query whose first read may be long.

        Raises:
            Overloaded: too many searches are waiting.
            Stopping: see `run`.
        """
        return self._array(*await self._searches.run(_begin, start, b",".join))

    def _array(self, pieces: Iterator[bytes], head: Sequence[bytes]) -> Reply:
        if len(head) < 2:  # noqa: PLR2004 -- without a second piece this is the whole array
            return Answer(200, b"[" + b"".join(head) + b"]\n")
        return Listing(self._rest(head, pieces))

    async def _rest(self, head: Sequence[bytes], pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
        for piece in head:
            yield piece
        while (more := await self.run(next, pieces, None)) is not None:
            yield more

    async def close(self) -> None:
        """Start no further query, and interrupt those that run."""
        self._short.close()
        self._searches.close()
        for _ in range(INTERRUPT_COUNT_MAX):
            if not self._interrupt():
                break
            await asyncio.sleep(INTERRUPT_PAUSE_S)


def _begin(
    start: Callable[[], Iterator[Sequence[T]]], render: Callable[[Sequence[T]], bytes]
) -> tuple[Iterator[bytes], list[bytes]]:
    pieces = (render(piece) if piece else b"" for piece in start())
    return pieces, list(itertools.islice(pieces, 2))
