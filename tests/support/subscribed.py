"""The part of a node that serves subscriptions, over a chain that grows when a test wants it to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.config import Limits
from bigchaindb.eventlog.retrying import Backoff
from bigchaindb.eventlog.subscription import Subscription
from bigchaindb.ledger.effects import Effects
from bigchaindb.ledger.ports import RejectedRow
from bigchaindb.simulated.chain import Chain, Recipe
from bigchaindb.store import Store
from bigchaindb.streams.hub import Hub
from bigchaindb.subscribers.lane_status import LaneStatus
from bigchaindb.subscribers.lanes import rejected_source
from bigchaindb.subscribers.machine import Machine
from bigchaindb.subscribers.supervisor import Supervisor
from bigchaindb.transaction import Transaction

RECIPE: Final = Recipe(blocks=12, transactions=5)


class Node:
    """A node without its outside."""

    def __init__(
        self,
        folder: Path,
        limits: Limits | None = None,
        recipe: Recipe = RECIPE,
        machine: Machine | None = None,
    ) -> None:
        self.store = Store(folder)
        self.chain = Chain(self.store, recipe)
        self.hub = Hub(self.store.writer.tip().position)
        self.limits = limits or Limits()
        self.rejected = rejected_source(self.store, recipe.chain_id)
        self.desks = Supervisor(
            hub=self.hub,
            store=self.store,
            chain_id=recipe.chain_id,
            plugins={},
            limits=limits,
            backoff=Backoff(base_s=0.0, max_s=0.0),
            rejected=self.rejected,
            machine=machine,
        )

    def grow(self, count: int = 1) -> None:
        """Decide so many blocks, each announced as an engine does it."""
        commit, decided = self.store.writer.commit, list[Effects]()

        def committed(effects: Effects) -> None:
            commit(effects)
            decided.append(effects)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.store.writer, "commit", committed)
            self.chain.grow(count)
        for effects in decided:
            self.hub.committed(effects)

    def reject(self, *transactions: Transaction) -> None:
        """Reject transactions, as an engine does."""
        rows = [RejectedRow(one.id, one.asset_id, "DoubleSpend", "taken", one.body) for one in transactions]
        self.rejected.hub.announce(self.store.rejected_writer(self.limits).add(rows))

    async def subscribe(self, name: str = "one", *, is_change: bool = False, **members: object) -> bool:
        """Create a subscription that begins with the log."""
        wanted = Subscription.read(name, {"start": "genesis", **members})
        return await self.desks.create(wanted, is_change=is_change)

    @property
    def status(self) -> LaneStatus:
        (found,) = self.desks.status()
        return found

    async def until(self, is_so: Callable[[LaneStatus], bool]) -> None:
        async with asyncio.timeout(60):
            while not is_so(self.status):  # noqa: ASYNC110 - nobody is told of it
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running(folder: Path, limits: Limits | None = None, *, machine: Machine | None = None) -> AsyncIterator[Node]:
    """Run one over the files of a folder."""
    node = Node(folder, limits, machine=machine)
    try:
        await node.desks.start()
        yield node
    finally:
        await node.desks.stop()
        node.store.close()
