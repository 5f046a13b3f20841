"""`async for event in queue`: a plugin's queue for coroutines, without a thread.

Source: event-plugin-api.md, section 5.
"""

import asyncio
from queue import Empty
from typing import Self

from bigchaindb.errors import Closed, EventError
from bigchaindb.events import Event, EventQueue


class AsyncEvents:
    """An asynchronous iterator; all of a queue share one, as a loop watches a descriptor once."""

    def __init__(self, queue: EventQueue, *, is_shareable: bool) -> None:
        """Wait for `queue`; not `is_shareable` if asking for an event settles the one before."""
        self._queue = queue
        self._is_shareable = is_shareable
        self._holder: asyncio.Task[object] | None = None
        self._ended = False
        self._waiting: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        self._check_holder()
        while not self._ended:
            try:
                return self._queue.get_nowait()
            except Empty:
                await self._readable()
            except Closed:
                self._ended = True  # for every task: the queue says it to each thread once
        raise StopAsyncIteration

    def _check_holder(self) -> None:
        """Refuse what would settle an event that another task works on."""
        if self._is_shareable:
            return
        task, holder = asyncio.current_task(), self._holder
        if holder is not None and holder is not task and not holder.done():
            raise EventError(
                "queue: two tasks take events with `async for`, and each would settle the other's: take them in one "
                'task, or set the plugin\'s property acknowledge to "explicit"'
            )
        self._holder = task

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        waiting = self._waiting.setdefault(loop, [])
        waiting.append(future)
        if len(waiting) == 1:
            loop.add_reader(self._queue.fileno(), self._wake, loop)
        try:
            await future
        finally:
            if future in waiting:  # cancelled
                waiting.remove(future)
                if not waiting and self._waiting.get(loop) is waiting:
                    self._wake(loop)

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.remove_reader(self._queue.fileno())
        waiting = self._waiting.pop(loop, [])
        for future in [*waiting]:
            if not future.done():
                future.set_result(None)
        waiting.clear()
