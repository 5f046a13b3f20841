"""Plugins for benchmarks: installed packages, run by the node's own supervisor in the process that asks for it."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from bench.ledgers import Growing, Spent, Transactions
from bigchaindb.config import PluginSettings
from bigchaindb.store import Store
from bigchaindb.streams.hub import Hub
from bigchaindb.subscribers.supervisor import Supervisor
from tests.support.packages import advertise

CHAIN_ID: Final = "solo-bench"


def install(site: Path, targets: Mapping[str, str]) -> None:
    """Install plugins, names and what they lead to, for this process and the hosts that it starts."""
    advertise(site, site.name, targets)
    sys.path.append(str(site))


class Running(NamedTuple):
    """The parts of a node besides its engine and its ports."""

    hub: Hub
    supervisor: Supervisor


@asynccontextmanager
async def running(store: Store, plugins: Mapping[str, PluginSettings]) -> AsyncIterator[Running]:
    """Run plugins until the block ends."""
    hub = Hub(store.writer.tip().position)
    supervisor = Supervisor(hub=hub, store=store, chain_id=CHAIN_ID, plugins=plugins)
    await supervisor.start()
    try:
        yield Running(hub, supervisor)
    finally:
        await supervisor.stop()


async def until(condition: Callable[[], bool], *, within_s: float) -> None:
    """Wait for what other processes do."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - another process makes it true
            await asyncio.sleep(0.01)


class Committed(NamedTuple):
    """A block that is durable.

    Attributes:
        at_s: when it became durable, on the monotonic clock of all processes.
    """

    position: int
    at_s: float
    spent: Spent


async def commit_all(
    ledger: Growing, hub: Hub, blocks: Sequence[Transactions], *, every_s: float = 0.0
) -> list[Committed]:
    """Commit blocks in a thread and announce each from the loop, as the node does, at a pace or one after the other."""
    loop = asyncio.get_running_loop()
    durable: list[tuple[int, float]] = []

    def on_durable(position: int) -> None:
        durable.append((position, time.monotonic()))
        loop.call_soon_threadsafe(hub.announce, position)

    begin = loop.time()
    with ThreadPoolExecutor(1) as writer:
        spent = []
        for index, block in enumerate(blocks):
            await asyncio.sleep(begin + index * every_s - loop.time())
            spent.append(await loop.run_in_executor(writer, ledger.add, block, on_durable))
    return [Committed(*moment, one) for moment, one in zip(durable, spent, strict=True)]
