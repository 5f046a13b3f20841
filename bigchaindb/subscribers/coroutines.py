"""Runs a plugin whose `run` is a coroutine function, on an event loop of its own.

Source: event-plugin-api.md, section 1; decision 0047.
"""

from collections.abc import Callable, Coroutine
from threading import Thread, current_thread
from typing import Any

from bigchaindb.errors import Closed
from bigchaindb.subscribers.gate import ENDED
from bigchaindb.subscribers.queue import LogQueue


def run_coroutine(coroutine: Coroutine[Any, Any, object], queue: LogQueue, *, on_failure: Callable[[], None]) -> None:
    """Run `coroutine` to its end on a new loop, then settle what it was given, as after the return of an ordinary run.

    Args:
        coroutine: what the plugin's `run` returned.
        queue: refuses to block the loop meanwhile.
        on_failure: called as soon as it failed: the loop's end waits for its threads, which may work on.

    Raises:
        BaseException: what it raised.
    """
    import asyncio  # a fifth of a process's start, if it is not used
    from concurrent.futures import ThreadPoolExecutor

    threads: set[Thread] = set()

    async def main() -> None:
        queue.belong_to_loop()
        executor = ThreadPoolExecutor(initializer=lambda: threads.add(current_thread()))
        asyncio.get_running_loop().set_default_executor(executor)
        try:
            await coroutine
        except BaseException as error:
            queue.close()  # the loop's end waits for its threads, which may wait for an event
            if not _ends_well(error):
                on_failure()
            raise
        # Before the loop ends its threads: a thread that ends with an event in hand is a failure.
        queue.settle(threads)

    asyncio.run(main())


def _ends_well(error: BaseException) -> bool:
    return isinstance(error, Closed) or (isinstance(error, SystemExit) and error.code in {None, 0, ENDED})
