"""Nodes' insides in the test's own process, on asyncio's loop, as applications have it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support.served import Served, serving

Start = Callable[..., Awaitable[Served]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start a node's inside with settings of the test's own; see `tests.support.served.serving`."""
    async with AsyncExitStack() as nodes:

        async def started(folder: str = "node", **settings: object) -> Served:
            return await nodes.enter_async_context(serving(tmp_path / folder, **settings))  # type: ignore[arg-type]

        yield started


@pytest.fixture
async def served(start: Start) -> Served:
    """A node's inside with default settings."""
    return await start()
