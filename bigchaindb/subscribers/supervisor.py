"""Runs the node's plugins: one lane each, with a process of its own that is started again when it ends.

Everything happens on the node's event loop but file and database work, which one thread of the supervisor's own does
in order. Nothing here waits for a plugin but `start`, until each is ready, `stop`, for a second, and the orders of
people, which nothing else waits for (S1).

Source: docs/reference/contract/event-plugin-api.md, sections 3 to 5; decisions 0016 and 0024.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, ParamSpec, TypeVar

from bigchaindb.config import Limits, PluginSettings
from bigchaindb.errors import BigchainDBError, OrderRefused, StoreError
from bigchaindb.eventlog import facts
from bigchaindb.eventlog.lane import WAITING, State
from bigchaindb.eventlog.orders import Order, apply, not_enabled, refusal, still_enabled
from bigchaindb.eventlog.retrying import Backoff
from bigchaindb.store import Store
from bigchaindb.streams.hub import Hub
from bigchaindb.subscribers.lane_files import LaneFiles
from bigchaindb.subscribers.lane_status import LaneStatus
from bigchaindb.subscribers.machine import Machine, in_thread
from bigchaindb.subscribers.plugin_lane import GRACE_S, PluginLane, Shared
from bigchaindb.subscribers.plugins import find

SYNC_S: Final = 1.0
"""How often progress is made durable: what a power cut may bring again (P6)."""
DEATH_S_MAX: Final = 10.0
"""Time for a killed process to be gone; a disk that does not answer can hold one for ever."""

_STOPS: Final = "the node stops; whether this was carried out shows when it runs again"

_log: Final = logging.getLogger(__name__)

T = TypeVar("T")
P = ParamSpec("P")


class Supervisor:
    """All plugins of a node. Orders return once what they change is durable.

    Attributes:
        left_out: why a plugin that ran before does not run since the start, by name.
    """

    def __init__(
        self,
        *,
        hub: Hub,
        store: Store,
        chain_id: str,
        plugins: Mapping[str, PluginSettings],
        limits: Limits | None = None,
        backoff: Backoff | None = None,
        machine: Machine | None = None,
    ) -> None:
        """Do nothing before `start`.

        Args:
            hub: announces the durable head.
            store: open, and after its start barrier.
            chain_id: begins every event's id.
            plugins: what is enabled, by entry point name.
            limits: of the window.
            backoff: how long a plugin that failed waits; None leaves it to the plugins' settings.
            machine: None is this one.
        """
        self._hub = hub
        self._store = store
        self._chain_id = chain_id
        self._plugins = plugins
        self._limits = limits or Limits()
        self._backoff = backoff
        self._machine = machine or Machine()
        self._lanes: dict[str, PluginLane] = {}
        self._thread = self._machine.start_thread()
        self._shared: Shared | None = None
        self._syncing: asyncio.Task[None] | None = None
        self._stopping = False
        self._reloading = asyncio.Lock()
        self.left_out: dict[str, str] = {}

    async def start(self, *, strict: bool = False) -> None:
        """Start every plugin and return once each is ready or cannot be. Call it before anything commits.

        Args:
            strict: whether a plugin that ran over this ledger before is required to run now, too. Else its lane is
                FAILED, or its process is started again later.

        Raises:
            ConfigurationError: a plugin is not installed, is no plugin, or refuses its options.
            StartupError: a plugin cannot be imported, or its process ends before it is ready.
        """
        try:
            await self._start(strict=strict)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End every plugin: by the next `get`, after a second by force; then make all progress durable."""
        self._stopping = True
        if self._syncing is not None:
            self._syncing.cancel()
        lanes = list(self._lanes.values())
        for lane in lanes:
            lane.records.abandon()
            lane.tell(facts.Stopping())
        await asyncio.gather(*(lane.settled() for lane in lanes))
        await _end_hosts(lanes)
        if self._shared is not None:
            await self._sync()
            self._thread.submit(self._shared.files.close)
            self._shared = None
        await asyncio.get_running_loop().run_in_executor(None, self._thread.shutdown)

    def status(self) -> list[LaneStatus]:
        """Return the status of each lane, in the order of the configuration."""
        return [lane.status() for lane in self._lanes.values()]

    # Orders of people

    async def order(self, name: str, order: Order) -> LaneStatus:
        """Carry out an order to a plugin's lane, between two processes where that is needed.

        Raises:
            EventError: the place of a seek is in no log, or in another.
            OrderRefused: there is no such lane, its state does not allow it, or an event is not parked.
            StoreError: it could not be written down.
        """
        async with self._ordering(name) as lane:
            known = await self._in_thread(self._files.known, name, order, self._hub.head)
            effects = apply(name, order, lane.lane, known)
            if effects.ends_process:
                await lane.between_processes()
            if effects.returning:
                still = await self._in_thread(self._files.parked_attempts, name, [*effects.returning])
                effects = effects.among(still, lane.lane)
                await self._in_thread(self._files.let_return, name, [*effects.returning])
            match effects.fact:
                case facts.Paused() as fact:
                    lane.tell(fact)
                    await self._sync(must=True)  # the other facts are in their page
                case facts.Sought() | facts.Retried() | facts.Discarded() as fact:
                    await lane.order(fact)
            if effects.forgotten:
                await self._in_thread(self._files.discard, name, effects.forgotten)
            if effects.forgotten or isinstance(effects.fact, facts.Sought):
                await lane.records.recount()
            if effects.starts or lane.lane.state is State.STOPPED:
                await self._run(lane)
        return lane.status()

    async def forget(self, name: str) -> None:
        """Delete everything that is kept of a plugin that is not enabled: it would begin anew.

        Raises:
            OrderRefused: it is enabled.
            StoreError: as `pause`.
        """
        async with self._reloading:
            if name in self._lanes:
                raise still_enabled(name)
            await self._in_thread(self._files.forget, name)

    async def reload(self, plugins: Mapping[str, PluginSettings]) -> dict[str, str]:
        """Enable new plugins, disable missing ones, restart those whose settings changed (P13).

        Returns:
            Errors that keep plugins from running, by name; such a lane is FAILED, or there is none.
        """
        errors: dict[str, str] = {}
        async with self._reloading:
            for name in [name for name in self._lanes if name not in plugins]:
                async with self._ordering(name) as lane:
                    await lane.between_processes()
                    await self._disable(lane)
            for name, settings in plugins.items():
                try:
                    await self._apply(name, settings)
                except (BigchainDBError, OSError) as error:
                    errors[name] = str(error)
            self._lanes = {name: self._lanes[name] for name in plugins if name in self._lanes}
        return errors

    async def _disable(self, lane: PluginLane) -> None:
        stopped = lane.lane
        lane.tell(facts.Disabled())
        try:
            await self._sync(must=True)
        except (BigchainDBError, OSError):
            lane.lane = stopped  # it goes on: nothing would start a lane again that is disabled and still here
            raise
        del self._lanes[lane.name]

    async def _apply(self, name: str, settings: PluginSettings) -> None:
        find([name])
        if name not in self._lanes:
            await self._add(name, settings)
            async with self._ordering(name) as lane:
                if not _waits(lane):
                    await self._run(lane)
        elif self._lanes[name].settings != settings:
            async with self._ordering(name) as lane:
                await lane.between_processes()
                lane.configure(settings)
                if lane.lane.state in {State.STOPPED, State.FAILED}:
                    await self._run(lane)

    async def _run(self, lane: PluginLane) -> None:
        """Start a process and wait until it is ready or has failed; the lane's status shows which.

        Raises:
            OrderRefused: the lane waits for another word since the order began.
            StoreError: the node stops.
        """
        if self._stopping:
            raise StoreError(_STOPS)
        if not lane.takes(facts.Enabled):
            raise refusal(lane.name, lane.lane, "started")
        lane.expect_first()
        lane.begin()
        lane.tell(facts.Enabled())
        await lane.first

    @asynccontextmanager
    async def _ordering(self, name: str) -> AsyncIterator[PluginLane]:
        """Carry out one order at a time on a lane, and leave no lane stopped that an order has failed on."""
        if (lane := self._lanes.get(name)) is None:
            raise not_enabled(name, self._lanes)
        async with lane.ordering:
            if self._stopping or self._lanes.get(name) is not lane:
                raise OrderRefused(f"events plugin {name!r}: the node stops, or the plugin was disabled")
            try:
                yield lane
            except (BigchainDBError, OSError):
                if lane.lane.state is State.STOPPED and not self._stopping:
                    lane.tell(facts.Enabled())
                raise
            # The order is durable. Raising here would tell the caller that it failed.
            await self._sync()

    # Starting and stopping

    async def _start(self, *, strict: bool) -> None:
        ran = await self._in_thread(lambda: {name for name in self._plugins if self._store.node.has_run(name)})
        find([name for name in self._plugins if strict or name not in ran])
        files = await self._in_thread(LaneFiles, self._store, self._chain_id)
        self._shared = Shared(
            hub=self._hub,
            files=files,
            thread=self._thread,
            ledger=self._store.directory.ledger,
            damages=self._store.damages,
            chain_id=self._chain_id,
            limits=self._limits,
            backoff=self._backoff,
            machine=self._machine,
        )
        for name, settings in self._plugins.items():
            await self._add(name, settings)
        if not self._store.knows_node:
            await self._sync(must=True)  # GAPPED in the new node.db before the ledger takes it for its own
            await self._in_thread(self._store.adopt_node)
        await self._start_hosts(strict=strict)
        self._hub.listen(self._announce)
        self._announce(self._hub.head)
        self._syncing = asyncio.create_task(self._sync_forever())

    async def _add(self, name: str, settings: PluginSettings) -> None:
        files, shared = self._files, self._shared
        assert shared is not None
        lane = await self._in_thread(files.recover, name, settings.start)
        parked_count = await self._in_thread(self._files.parked_count, name)
        self._lanes[name] = PluginLane(name, settings, lane, shared, parked_count=parked_count)

    async def _start_hosts(self, *, strict: bool) -> None:
        required = [lane for lane in self._lanes.values() if strict or not lane.lane.has_run]
        started = [lane for lane in self._lanes.values() if not _waits(lane)]
        for lane in started:
            lane.tell(facts.Enabled())
        outcomes = await asyncio.gather(*(lane.first for lane in started), return_exceptions=True)
        for lane, outcome in zip(started, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                if lane in required:
                    raise outcome
                self.left_out[lane.name] = str(outcome)
        for lane in started:
            lane.begin()

    def _announce(self, head: int) -> None:
        for lane in self._lanes.values():
            if lane.run is not None:
                lane.run.announce(head)

    async def _sync_forever(self) -> None:
        while True:
            await asyncio.sleep(SYNC_S)
            await self._sync()

    async def _sync(self, *, must: bool = False) -> None:
        """Save the lanes that changed; one that cannot be written is tried again at the next turn.

        Args:
            must: raise what keeps it from being written.
        """
        changed = [(lane, saving) for lane in self._lanes.values() if (saving := lane.look()) is not None]
        if not changed:
            return
        try:
            await self._in_thread(self._files.save, [saving for _, saving in changed])
            for lane, saving in changed:
                if saving.returned:
                    await lane.records.recount()
                    lane.tell(facts.Unlisted(saving.returned))
        except (OSError, StoreError) as error:
            for lane, _ in changed:
                lane.save_again()
            if must:
                raise
            _log.error("cannot save the progress of the events plugins", extra={"error": str(error)})

    @property
    def _files(self) -> LaneFiles:
        if self._shared is None:
            raise StoreError(_STOPS)
        return self._shared.files

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await in_thread(self._thread, work, *args, **kwargs)


def _waits(lane: PluginLane) -> bool:
    """Whether a lane is not started, as it waits for a person; logs that. A FAILED one is tried again."""
    state = lane.lane.state
    waits = state in WAITING - {State.FAILED}
    if waits:
        _log.log(
            logging.INFO if state is State.PAUSED else logging.ERROR,
            "events plugin is not started, it waits for a person",
            extra={"plugin": lane.name, "state": state.value, "error": lane.lane.error},
        )
    return waits


async def _end_hosts(lanes: Sequence[PluginLane]) -> None:
    for limit_s in (GRACE_S, DEATH_S_MAX):
        hosts = [lane.run.host for lane in lanes if lane.run is not None]
        if not hosts:
            return
        await asyncio.wait([asyncio.create_task(host.ended.wait()) for host in hosts], timeout=limit_s)
        for host in hosts:
            host.kill()
