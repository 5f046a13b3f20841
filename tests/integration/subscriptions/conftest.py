"""Subscriptions of a node's inside: the real supervisor and store over a generated chain, served over HTTP."""

from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import uvloop

from bigchaindb.config import Limits
from bigchaindb.simulated.chain import Recipe
from tests.support import subscribed
from tests.support.served import Served, serving


class Here(subscribed.Node):
    """A node's inside with its outside."""

    served: Served

    @property
    def url(self) -> str:
        return self.served.url


class Start:
    """Starts one over the files of a test; a second one is its successor."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running = AsyncExitStack()

    async def __call__(self, limits: Limits | None = None, recipe: Recipe = subscribed.RECIPE) -> Here:
        await self.end()
        here = Here(self.folder / "ledger", limits, recipe)
        self._running.callback(here.store.close)
        self._running.push_async_callback(here.desks.stop)
        await here.desks.start()
        here.served = await self._running.enter_async_context(serving(self.folder, desks=here.desks, limits=limits))
        return here

    async def end(self) -> None:
        await self._running.aclose()


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], AbstractEventLoop]]:
    """Run the tests of this folder on the loop that a node runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def begin(tmp_path: Path) -> AsyncIterator[Start]:
    start = Start(tmp_path)
    yield start
    await start.end()


@pytest.fixture
async def here(begin: Start) -> Here:
    """One with default limits."""
    return await begin()
