"""Turns between checks of heavy documents and blocks, which share the interpreter's lock.

A block is written in hundreds of short steps that release the lock, and each waits for a thread that computes to
release it: a block of 1,800 outputs took 400 ms that way, and 15 ms alone.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

BLOCK_WAIT_S_MAX: Final = 0.05
"""Time that a block waits for a check in hand, enough for the most costly one without its signatures: the lock is free
while those are verified."""
CHECK_WAIT_S_MAX: Final = 0.5
"""Time that a heavy check waits for blocks: a node that writes without a pause checks them all the same."""


class Turns:
    """Whose turn it is. Belongs to the event loop."""

    def __init__(self) -> None:
        self._no_block = asyncio.Event()
        self._no_check = asyncio.Event()
        self._no_block.set()
        self._no_check.set()

    @asynccontextmanager
    async def block(self) -> AsyncIterator[None]:
        """Decide a block in here."""
        async with _after(self._no_check, BLOCK_WAIT_S_MAX, self._no_block):
            yield

    @asynccontextmanager
    async def check(self) -> AsyncIterator[None]:
        """Check a heavy document in here."""
        async with _after(self._no_block, CHECK_WAIT_S_MAX, self._no_check):
            yield


@asynccontextmanager
async def _after(free: asyncio.Event, wait_s_max: float, own: asyncio.Event) -> AsyncIterator[None]:
    if not free.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(free.wait(), wait_s_max)
    own.clear()
    try:
        yield
    finally:
        own.set()
