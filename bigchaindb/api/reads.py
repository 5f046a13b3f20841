"""Runs the store's queries beside the event loop, a few at a time.

A point look-up takes about as long as passing it to a thread, but one that waits for the disk would delay every
client, so look-ups run in threads, as do the first rows of a list. All that follows in it, and searches, are read by
the reader process: whatever they take, they take no interpreter lock from the node.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from bigchaindb.api.answers import Answer, Listing, Reply
from bigchaindb.config import Limits
from bigchaindb.errors import Overloaded, Stopping, StoreError
from bigchaindb.reader.frames import EventPage, Page
from bigchaindb.reader.reader import Reader
from bigchaindb.store import holdings
from bigchaindb.store.finding import Words
from bigchaindb.store.holdings import OutputPage
from bigchaindb.store.lists import Bounds, Walk
from bigchaindb.store.queries import LedgerQueries

THREAD_COUNT: Final = 2
"""SQLite releases the interpreter lock only in its own work, which is the smaller half of a query."""
FIRST_COUNT_MAX: Final = 100
"""Rows of a list that a thread reads: most lists have no more, and a hop to a process costs as much as ten of them."""
INTERRUPT_COUNT_MAX: Final = 50
"""Interrupts of the running reads at a stop; a read that the disk delays for longer is abandoned."""
INTERRUPT_PAUSE_S: Final = 0.01

T = TypeVar("T")
P = ParamSpec("P")


class Reads:
    """All queries of the HTTP API. Belongs to the event loop.

    Attributes:
        queries: of the ledger.
    """

    def __init__(self, limits: Limits, queries: LedgerQueries, reader: Reader) -> None:
        """Make the threads.

        Args:
            limits: of queries that wait for a thread.
            queries: of the ledger.
            reader: is closed with this.
        """
        self._executor = ThreadPoolExecutor(THREAD_COUNT, thread_name_prefix="api-read")
        self._waiting_count_max = limits.query_waiting_count_max
        self._waiting_count = 0
        self._closed = False
        self.queries = queries
        self._reader = reader
        self._first = Bounds(min(FIRST_COUNT_MAX, limits.page_count_max), limits.search_match_count_max)

    async def run(self, query: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of `query`, which must be short.

        Raises:
            Overloaded: too many queries are waiting.
            Stopping: the node stops.
        """
        self._check_open()
        if self._waiting_count >= self._waiting_count_max:
            text = f"{self._waiting_count} queries are waiting (limits.query_waiting_count_max); try again later"
            raise Overloaded(text)

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

    async def listing(self, begin: Callable[[], Walk]) -> Reply:
        """Return a JSON array: complete if its first rows are all, else one that is read while it is written.

        Each further piece, an empty one too, waits for the reader process anew.

        Raises:
            Overloaded: see `run`.
            Stopping: see `run`.
        """

        def first() -> tuple[Walk, bytes]:
            walk = begin()
            return walk, self.queries.step(walk, self._first)

        return self._array(*await self.run(first))

    async def search(self, walk: Walk) -> Reply:
        """Return a JSON array as `listing` does, whose first read may be long; raises as `Reader.search` does."""
        return self._array(walk, await self._reader.search(walk))

    async def page(self, asked: EventPage) -> Page:
        """Return a page of events; raises as `Reader.page` does."""
        return await self._reader.page(asked)

    async def output_page(self, asked: holdings.Outputs) -> OutputPage:
        """Return a page of outputs; raises as `Reader.search` does."""
        page = await self._reader.answer(asked, is_long=False)
        assert isinstance(page, OutputPage), page
        return page

    async def document(self, asked: holdings.Sums | Words) -> bytes:
        """Return an answer as JSON that may take as long as a search; raises as `Reader.search` does."""
        page = await self._reader.answer(asked, is_long=True)
        assert isinstance(page, Page), page
        return page.body

    def _array(self, walk: Walk, elements: bytes) -> Reply:
        if walk.is_over:
            return Answer(200, b"[" + elements + b"]\n")
        return Listing(self._rest(walk, elements))

    async def _rest(self, walk: Walk, elements: bytes) -> AsyncIterator[bytes]:
        yield elements
        while not walk.is_over:
            yield await self._reader.step(walk)

    async def close(self) -> None:
        """Start no further query, and interrupt those that run."""
        self._closed = True
        self._executor.shutdown(wait=False)
        await self._reader.close()
        for _ in range(INTERRUPT_COUNT_MAX):
            if not self.queries.interrupt():
                break
            await asyncio.sleep(INTERRUPT_PAUSE_S)

    def _check_open(self) -> None:
        if self._closed:
            raise Stopping("the node is about to stop")
