"""Runs the store's queries beside the event loop, a few at a time.

A point look-up takes about as long as handing it to a thread; but one that waits for the disk would hold up every
client, so all of them are handed over.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from bigchaindb.api.answers import Answer, Listing, Reply
from bigchaindb.errors import Overloaded

THREAD_COUNT: Final = 2
"""SQLite releases the interpreter lock in its own work only, which is the smaller half of a query."""

T = TypeVar("T")
P = ParamSpec("P")


class Reads:
    """A bounded queue of queries before a few threads. Belongs to the event loop."""

    def __init__(self, waiting_count_max: int) -> None:
        self._executor = ThreadPoolExecutor(THREAD_COUNT, thread_name_prefix="api-read")
        self._waiting_count = 0
        self._waiting_count_max = waiting_count_max

    async def run(self, query: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Give what `query` gives.

        Raises:
            Overloaded: too many queries are waiting.
        """
        if self._waiting_count >= self._waiting_count_max:
            raise Overloaded(f"{self._waiting_count_max} queries are waiting")
        self._waiting_count += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, lambda: query(*args, **kwargs))
        finally:
            self._waiting_count -= 1

    async def listing(
        self, start: Callable[[], Iterator[Sequence[T]]], render: Callable[[Sequence[T]], bytes]
    ) -> Reply:
        """Give a JSON array: whole if two pieces hold it, else one that is read while it is written.

        Args:
            start: begins the query; each piece is one short read.
            render: gives the elements of a piece, which is never empty, joined by commas.
        """
        pieces, head = await self.run(_begin, start, render)
        if len(head) < 2:  # noqa: PLR2004 -- there is no second piece, so this is all
            return Answer(200, b"[" + b"".join(head) + b"]\n")
        return Listing(self._rest(head, pieces))

    async def _rest(self, head: Sequence[bytes], pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
        for piece in head:
            yield piece
        while (more := await self.run(next, pieces, None)) is not None:
            yield more

    def close(self) -> None:
        """Wait for the queries that run; begin no other."""
        self._executor.shutdown(cancel_futures=True)


def _begin(
    start: Callable[[], Iterator[Sequence[T]]], render: Callable[[Sequence[T]], bytes]
) -> tuple[Iterator[bytes], list[bytes]]:
    pieces = (render(piece) for piece in start() if piece)
    return pieces, list(itertools.islice(pieces, 2))
