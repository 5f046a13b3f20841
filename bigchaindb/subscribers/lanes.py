"""All lanes of a node, whatever they run: started, ordered and written down. Belongs to the event loop.

Everything happens on the loop but file and database work, which one thread of the lanes' own does in order. Nothing
here waits for a host but the orders of people, which nothing else waits for (S1).

Source: docs/reference/contract/event-plugin-api.md, sections 3 to 5; decisions 0016 and 0024.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Final, ParamSpec, TypeVar

from bigchaindb.config import Limits
from bigchaindb.errors import BigchainDBError, OrderRefused, StoreError
from bigchaindb.eventlog import facts
from bigchaindb.eventlog.lane import WAITING, State
from bigchaindb.eventlog.orders import Order, apply, not_enabled, refusal
from bigchaindb.eventlog.retrying import Backoff
from bigchaindb.eventlog.subscription import EVENTS, REJECTED
from bigchaindb.store import Store
from bigchaindb.streams.cloud_events import rejected_name
from bigchaindb.streams.hub import Hub
from bigchaindb.streams.shared_log import LogSource
from bigchaindb.subscribers.lane_files import LaneFiles, parked_attempts
from bigchaindb.subscribers.lane_status import IN_WORDS
from bigchaindb.subscribers.lane_work import Shared, Work
from bigchaindb.subscribers.machine import Machine, in_thread
from bigchaindb.subscribers.plugin_lane import PluginLane
from bigchaindb.subscribers.plugin_run import GRACE_S

SYNC_S: Final = 1.0
"""How often progress is made durable: what a power cut may bring again (P6)."""
DEATH_S_MAX: Final = 10.0
"""Time for a killed process to be gone; a disk that does not answer can hold one for ever."""

STOPS: Final = "the node stops; whether this was carried out shows when it runs again"

_log: Final = logging.getLogger(__name__)

T = TypeVar("T")
P = ParamSpec("P")


def rejected_source(store: Store, chain_id: str) -> LogSource:
    """Return the node's log of rejected transactions, with a hub of its own."""
    log = store.rejected_log()
    return LogSource(Hub(log.head()), store.rejected_log, rejected_name(chain_id, store.node.id))


class Lanes:
    """The lanes by name, and what they have in common.

    Attributes:
        all: in the order in which they are listed.
        hub: announces the durable head.
        logs: what lanes follow, by `EVENTS` and `REJECTED`.
        store: of the node.
        changing: held while lanes are added or removed.
        is_stopping: the node stops.
    """

    def __init__(
        self,
        hub: Hub,
        store: Store,
        chain_id: str,
        limits: Limits,
        backoff: Backoff | None,
        machine: Machine,
        rejected: LogSource | None,
    ) -> None:
        """Do nothing before `open`; see `Supervisor` for the arguments."""
        self.all: dict[str, PluginLane] = {}
        self.hub = hub
        self.logs = {
            EVENTS: LogSource(hub, store.log_reader, chain_id),
            REJECTED: rejected or rejected_source(store, chain_id),
        }
        self.store = store
        self.changing = asyncio.Lock()
        self.is_stopping = False
        self._chain_id = chain_id
        self._limits = limits
        self._backoff = backoff
        self._machine = machine
        self._thread = machine.start_thread()
        self._shared: Shared | None = None
        self._syncing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the lanes' files."""
        files = await self.in_thread(LaneFiles, self.store, self._chain_id)
        self._shared = Shared(
            hub=self.hub,
            files=files,
            thread=self._thread,
            ledger=self.store.directory.ledger,
            damages=self.store.damages,
            chain_id=self._chain_id,
            limits=self._limits,
            backoff=self._backoff,
            machine=self._machine,
        )

    def begin(self) -> None:
        """Announce the head to whatever runs, and write progress down, from now on."""
        for log in self.logs.values():
            log.hub.listen(partial(self._announce, log.hub))
            self._announce(log.hub, log.hub.head)
        self._syncing = asyncio.create_task(self._sync_forever())

    async def stop(self) -> None:
        """End every host: by itself, after a second by force; then make all progress durable."""
        self.is_stopping = True
        if self._syncing is not None:
            self._syncing.cancel()
        lanes = list(self.all.values())
        for lane in lanes:
            lane.records.abandon()
            lane.tell(facts.Stopping())
        await asyncio.gather(*(lane.settled() for lane in lanes))
        await _end_hosts(lanes)
        if self._shared is not None:
            await self.sync()
            self._thread.submit(self._shared.files.close)
            self._shared = None
        await asyncio.get_running_loop().run_in_executor(None, self._thread.shutdown)

    @property
    def shared(self) -> Shared:
        """What they have in common.

        Raises:
            StoreError: the node stops.
        """
        if self._shared is None:
            raise StoreError(STOPS)
        return self._shared

    @property
    def files(self) -> LaneFiles:
        """Their files; for `in_thread`. Raises: as `shared`."""
        return self.shared.files

    async def add(self, name: str, work: Work, start: str | None = None) -> PluginLane:
        """Add a lane as the node before left it, or a new one that begins at `start`; see `LaneFiles.recover`."""
        lane = await self.in_thread(self.files.recover, name, start, work.numbering, work.log)
        parked_count = await self.in_thread(self.store.node.parked_count, name)
        added = self.all[name] = PluginLane(name, work, lane, self.shared, parked_count=parked_count)
        return added

    async def order(self, name: str, order: Order) -> PluginLane:
        """Carry out an order to a lane, between two hosts where that is needed. See `Supervisor.order`."""
        async with self.ordering(name) as lane:
            known = await self.in_thread(self.files.known, name, order, lane.work.hub.head)
            known = replace(known, kind=IN_WORDS[lane.work.kind], numbering=lane.work.numbering)
            effects = apply(name, order, lane.lane, known)
            if effects.ends_process:
                await lane.between_processes()
            if effects.returning:
                still = await self.in_thread(parked_attempts, self.store.node, name, [*effects.returning])
                effects = effects.among(still, lane.lane)
                await self.in_thread(self.files.let_return, name, [*effects.returning])
            match effects.fact:
                case facts.Paused() as fact:  # the other facts are in their page
                    self._require(lane, facts.Paused, "paused")
                    await lane.write_down(fact)
                    self._require(lane, facts.Paused, "paused")
                    lane.tell(fact)
                case facts.Sought() | facts.Retried() | facts.Discarded() as fact:
                    await lane.order(fact)
            if effects.forgotten:
                await self.in_thread(self.store.node.unpark, name, effects.forgotten)
            if effects.forgotten or isinstance(effects.fact, facts.Sought):
                await lane.records.recount()
            if effects.starts or lane.lane.state is State.STOPPED:
                await self.run(lane)
        return lane

    async def run(self, lane: PluginLane) -> None:
        """Start a host and wait until it is ready or has failed; the lane's status shows which.

        One that nobody wants starts later: the lane is STOPPED.

        Raises:
            OrderRefused: the lane waits for another word since the order began.
            StartupError: it did not start; it is tried again after a while.
            StoreError: the node stops, or the disk is full.
        """
        self._require(lane, facts.Enabled, "started")
        if lane.work.is_wanted:
            lane.start()
            await lane.first.ready()
        elif lane.lane.state is not State.STOPPED:
            if lane.lane.state in WAITING:
                await lane.write_down(facts.Enabled(), facts.Stopping())
                self._require(lane, facts.Enabled, "started")
            lane.tell(facts.Enabled())
            lane.tell(facts.Stopping())

    def _require(self, lane: PluginLane, fact: type[facts.Fact], what: str) -> None:
        """Require that a lane can still be told a fact. Raises: as `run`."""
        if self.is_stopping:
            raise StoreError(STOPS)
        if not lane.takes(fact):
            raise refusal(lane.name, lane.lane, what, kind=IN_WORDS[lane.work.kind])

    @asynccontextmanager
    async def ordering(self, name: str) -> AsyncIterator[PluginLane]:
        """Carry out one order at a time on a lane, and leave no lane stopped that an order has failed on."""
        if (lane := self.all.get(name)) is None:
            raise not_enabled(name, self.all)
        async with lane.ordering:
            if self.is_stopping or self.all.get(name) is not lane:
                raise OrderRefused(f"{IN_WORDS[lane.work.kind]} {name!r}: the node stops, or it was taken away")
            try:
                yield lane
            except (BigchainDBError, OSError):
                if lane.lane.state is State.STOPPED and not self.is_stopping and lane.work.is_wanted:
                    lane.tell(facts.Enabled())
                raise
            # The order is durable. Raising here would tell the caller that it failed.
            await self.sync()
        lane.work.ordered()

    async def sync(self, *, must: bool = False) -> None:
        """Save the lanes that changed; one that cannot be written is tried again at the next turn.

        Args:
            must: raise what keeps it from being written.
        """
        changed = [(lane, saving) for lane in self.all.values() if (saving := lane.read_lane_page()) is not None]
        if not changed:
            return
        try:
            await self.in_thread(self.files.save, [saving for _, saving in changed])
            for lane, saving in changed:
                if saving.returned:
                    await lane.records.recount()
                    lane.tell(facts.Unlisted(saving.returned))
        except (OSError, StoreError) as error:
            for lane, _ in changed:
                lane.save_again()
            if must:
                raise
            _log.error("cannot save the progress of events plugins and subscriptions", extra={"error": str(error)})

    async def in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of `work`, done by the lanes' thread in its turn."""
        return await in_thread(self._thread, work, *args, **kwargs)

    def _announce(self, hub: Hub, head: int) -> None:
        for run, followed in self._shared.running.items() if self._shared is not None else ():
            if followed is hub:
                run.announce(head)

    async def _sync_forever(self) -> None:
        while True:
            await asyncio.sleep(SYNC_S)
            await self.sync()


async def _end_hosts(lanes: Sequence[PluginLane]) -> None:
    for limit_s in (GRACE_S, DEATH_S_MAX):
        hosts = [lane.run.host for lane in lanes if lane.run is not None]
        if not hosts:
            return
        await asyncio.wait([asyncio.create_task(host.ended.wait()) for host in hosts], timeout=limit_s)
        for host in hosts:
            host.kill()
