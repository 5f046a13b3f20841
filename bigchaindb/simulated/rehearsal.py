"""One plugin in its own process, under the real supervisor, over a generated chain: a node without an engine.

A composition root, as `bigchaindb.node` is one.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final

from bigchaindb.config import PluginSettings
from bigchaindb.config.settings import RetrySettings
from bigchaindb.eventlog.lane import WAITING, State
from bigchaindb.eventlog.orders import Retry, Seek
from bigchaindb.eventlog.retrying import Backoff
from bigchaindb.simulated.chain import Chain, Recipe
from bigchaindb.store import Store
from bigchaindb.streams.hub import Hub
from bigchaindb.subscribers import lane_notes
from bigchaindb.subscribers.lane_status import LaneStatus
from bigchaindb.subscribers.supervisor import Supervisor

POLL_S: Final = 0.01
"""Time between two checks of the plugin."""
FAILURES_MAX: Final = 5
"""Ends of the plugin in a row, with nothing settled between them, after which it is given up."""
QUIET_S: Final = 3.0
"""Events in hand for so long without anything happening are what the plugin keeps until its queue ends."""
BACKOFF: Final = Backoff(base_s=0.001, max_s=0.01)
"""Short, since somebody waits for a rehearsal."""


class Errors(logging.Handler):
    """Every error with which the plugin's process ended, in order: a lane shows one until its next process starts."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Note the error of a lane that changed its state."""
        if error := getattr(record, "error", ""):
            self.texts.append(str(error))


class Rehearsal:
    """A plugin that runs over a chain. Belongs to the event loop.

    Attributes:
        errors: with which the plugin's process ended, in order.
    """

    def __init__(self, chain: Chain, hub: Hub, supervisor: Supervisor, errors: list[str]) -> None:
        self.errors = errors
        self._chain = chain
        self._hub = hub
        self._supervisor = supervisor
        self._seen: object = None
        self._quiet_since = 0.0
        self._settled = 0
        self._start_count = 0

    @property
    def head(self) -> int:
        """The number of events by now."""
        return self._hub.head

    @property
    def height(self) -> int:
        """The number of those that are of valid blocks."""
        return self._chain.store.writer.tip().height

    def parked(self, name: str) -> tuple[tuple[int, str], ...]:
        """Return the positions of parked events, each with its error."""
        return tuple((row.position, row.error) for row in self._chain.store.node.parked(name))

    def grow(self, count: int | None = None) -> None:
        """Commit and announce further blocks, all that are still to come if None."""
        self._chain.grow(count)
        self._hub.announce(self._chain.store.writer.tip().position)

    def status(self) -> LaneStatus:
        """Return the state of the plugin's lane."""
        (status,) = self._supervisor.status()
        return status

    async def retry(self, positions: Collection[int]) -> None:
        """Retry parked events, as a person does; waits until all of them are parked.

        Raises:
            OrderRefused: the plugin waits for another word.
        """
        name = self.status().name
        while True:
            rows = self._chain.store.node.parked(name)
            if {*positions} <= {row.position for row in rows}:
                break
            await asyncio.sleep(POLL_S)
        await self._supervisor.order(name, Retry(tuple(sorted({*positions}))))

    async def seek(self, place: str) -> None:
        """Go on at a place, as a person orders it."""
        await self._supervisor.order(self.status().name, Seek(place))

    async def close(self) -> None:
        """End the plugin's queue, wait until its process has ended, and learn what it settled."""
        await self._supervisor.stop()

    def waits_for_a_person(self) -> bool:
        """Whether the plugin will not be started again without a person's order."""
        return self.status().state in WAITING

    def is_over(self) -> bool:
        """Whether nothing more will happen: all is settled or kept in hand, or a person would have to help."""
        status, quiet_s = self.status(), self.quiet_s()
        if self.waits_for_a_person() or (status.lag == 0 and not status.in_hand):
            return True
        of_the_cursor = [position for position in status.in_hand if position > status.position]
        is_taken = status.oldest_s > 0  # what a process that only starts will take is not kept by it
        return status.lag == len(of_the_cursor) and is_taken and quiet_s >= QUIET_S

    def quiet_s(self) -> float:
        """Return the seconds since the last observed change. Call it often."""
        status, now = self.status(), asyncio.get_running_loop().time()
        seen = (status.epoch, status.state is State.STARTING, status.position, status.in_hand, self.head)
        if seen != self._seen:
            self._seen, self._quiet_since = seen, now
        return now - self._quiet_since

    def is_in_vain(self) -> bool:
        """Whether the plugin ends again and again before it settles an event that is there. Call it often."""
        status = self.status()
        if status.lag == 0 or status.position != self._settled:
            self._settled, self._start_count = status.position, status.start_count
        return min(status.failure_count, status.start_count - self._start_count) >= FAILURES_MAX


@asynccontextmanager
async def rehearse(
    folder: Path,
    recipe: Recipe,
    name: str,
    options: Mapping[str, Any],
    *,
    retry: RetrySettings | None = None,
    is_whole: bool = False,
) -> AsyncIterator[Rehearsal]:
    """Start the plugin at the first event of a chain; end it afterwards as a node's stop does.

    Args:
        folder: for the data; must be empty.
        recipe: of the chain.
        name: of the plugin's entry point.
        options: what its `configure` gets.
        retry: when an event that fails again and again is set aside.
        is_whole: whether the chain is complete before the plugin starts, instead of growing by and by.

    Raises:
        ConfigurationError: the plugin is not installed, is no plugin, or refuses its options.
        StartupError: it cannot be imported, or its process ends before it is ready.
    """
    with closing(Store(folder)) as store:
        chain = Chain(store, recipe)
        if is_whole:
            chain.grow()
        hub = Hub(store.writer.tip().position)
        settings = PluginSettings(start="genesis", options=options, retry=retry or RetrySettings())
        supervisor = Supervisor(
            hub=hub, store=store, chain_id=recipe.chain_id, plugins={name: settings}, backoff=BACKOFF
        )
        await supervisor.start()
        errors, log = Errors(), lane_notes.log
        log.addHandler(errors)
        log.setLevel(logging.WARNING)
        try:
            yield Rehearsal(chain, hub, supervisor, errors.texts)
        finally:
            log.removeHandler(errors)
            log.setLevel(logging.NOTSET)
            await supervisor.stop()
