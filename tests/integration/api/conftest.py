"""Both servers over the real store and engine, on uvloop as in a node."""

from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import uvloop

from tests.support.desks import ListDesk, ListDesks
from tests.support.served import Served, serving

Start = Callable[..., Awaitable[Served]]


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], AbstractEventLoop]]:
    """Run the tests of this folder on the loop that a node runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start a node's inside with settings of the test's own; see `tests.support.served.serving`."""
    async with AsyncExitStack() as nodes:

        async def started(**settings: object) -> Served:
            return await nodes.enter_async_context(serving(tmp_path, **settings))  # type: ignore[arg-type]

        yield started


@pytest.fixture
async def served(start: Start) -> Served:
    """A node's inside with default settings."""
    return await start()


@pytest.fixture
def desk() -> ListDesk:
    return ListDesk()


@pytest.fixture
async def served_desk(start: Start, desk: ListDesk) -> Served:
    """A node's inside whose subscription `a` is that desk."""
    return await start(desks=ListDesks(a=desk, b=ListDesk()))
