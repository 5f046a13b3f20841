"""Turns between checks of heavy documents and blocks, which share the interpreter's lock.

A block is written in hundreds of short steps that give the lock away, and beside a thread that computes each step waits
for it: of a block of 1,800 outputs, 15 ms alone, that made 400 ms.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

BLOCK_WAIT_S_MAX: Final = 0.05
"""Time that a block waits for a check in hand: what the most costly one takes besides its signatures, during which the
lock is free."""
CHECK_WAIT_S_MAX: Final = 0.5
"""Time that a heavy check waits for blocks: a node that always writes one checks them all the same."""


class Turns:
    """Who works now. Belongs to the event loop."""

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
