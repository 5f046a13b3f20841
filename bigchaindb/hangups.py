"""SIGHUP: the node reads its settings of access and their files again.

On a terminal it means the end of that, and ends the node as ever.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from bigchaindb.errors import BigchainDBError

_log: Final = logging.getLogger(__name__)


@contextmanager
def hangups(read_again: Callable[[], Awaitable[object]]) -> Iterator[None]:
    """Call `read_again` at each SIGHUP; on a terminal change nothing."""
    if _has_terminal():
        yield
        return
    loop, running = asyncio.get_running_loop(), set[asyncio.Task[None]]()

    def begin() -> None:
        running.add(task := loop.create_task(_read(read_again)))
        task.add_done_callback(running.discard)

    loop.add_signal_handler(signal.SIGHUP, begin)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # an order to reload must not end a node that stops


async def _read(read_again: Callable[[], Awaitable[object]]) -> None:
    try:
        await read_again()
    except (BigchainDBError, OSError) as error:
        why = "; ".join((str(error), *getattr(error, "__notes__", ())))
        _log.error("SIGHUP: the settings of access are not all read again", extra={"why": why})
    else:
        _log.info("SIGHUP: the settings of access are read again")


def _has_terminal() -> bool:
    """Whether this process would get a SIGHUP when its terminal is closed."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
