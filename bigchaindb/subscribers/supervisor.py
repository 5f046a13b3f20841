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
from bigchaindb.errors import BigchainDBError, ConfigurationError, OrderRefused, StoreError, UnknownPlace
from bigchaindb.eventlog import facts
from bigchaindb.eventlog.lane import WAITING, State
from bigchaindb.eventlog.place import Place
from bigchaindb.eventlog.retrying import Backoff, OnFailure, Policy
from bigchaindb.store import Store
from bigchaindb.streams.hub import Hub
from bigchaindb.subscribers.lane_files import LaneFiles
from bigchaindb.subscribers.lane_status import LaneStatus, way_on
from bigchaindb.subscribers.machine import Machine
from bigchaindb.subscribers.plugin_lane import GRACE_S, PluginLane, Shared
from bigchaindb.subscribers.plugins import find

SYNC_S: Final = 1.0
"""How often progress is made durable: what a power cut may bring again (P6)."""
DEATH_S_MAX: Final = 10.0
"""Time for a killed process to be gone; a disk that does not answer can hold one for ever."""
RETURN_COUNT_MAX: Final = 1_000
"""Parked events that come again at one order: each takes a slot of the lane's page."""

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
            lane.abandon()
            lane.tell(facts.Stopping())
        await asyncio.gather(*(lane.settled() for lane in lanes))
        await self._end_hosts(lanes)
        if self._shared is not None:
            await self._sync()
            self._thread.submit(self._shared.files.close)
            self._shared = None
        await asyncio.get_running_loop().run_in_executor(None, self._thread.shutdown)

    def status(self) -> list[LaneStatus]:
        """Return the status of each lane, in the order of the configuration."""
        return [lane.status() for lane in self._lanes.values()]

    # Orders of people

    async def pause(self, name: str) -> LaneStatus:
        """Deliver nothing further, until `resume`; what the plugin has in hand it may finish.

        Raises:
            OrderRefused: there is no such lane, or its state does not allow it.
            StoreError: it could not be written down.
        """
        async with self._order(name) as lane:
            if not lane.takes(facts.Paused):
                raise lane.refuse("paused", "it delivers nothing already")
            lane.tell(facts.Paused())
            await self._sync(must=True)  # the other orders are in their page, or their process's
        return lane.status()

    async def resume(self, name: str) -> LaneStatus:
        """Go on now: after a pause, or without waiting for the next attempt. Raises: as `pause`."""
        async with self._order(name) as lane:
            if lane.lane.state not in {State.PAUSED, State.BACKOFF}:
                instead = way_on(name, lane.lane.state, lane.lane.error) or "it runs, or is about to"
                raise lane.refuse("resumed", instead)
            await lane.between_processes()  # what it has in hand it may be finishing still
            await self._run(lane)
        return lane.status()

    async def restart(self, name: str) -> LaneStatus:
        """Run the plugin in a fresh process, with the package as it is installed now. Raises: as `pause`."""
        async with self._order(name) as lane:
            self._refuse_if(lane, State.GAPPED, "restarted")
            await lane.between_processes()
            await self._run(lane)
        return lane.status()

    async def seek(self, name: str, place: Place) -> LaneStatus:
        """Go on at a place of the log; what is in hand is forgotten, and what was parked beyond it comes in its turn.

        Raises:
            EventError: the place is in no log, or in another.
            OrderRefused: as `pause`.
            StoreError: as `pause`.
        """
        async with self._order(name) as lane:
            position = await self._in_thread(self._files.resolve, place, self._hub.head)
            await lane.between_processes()
            was_failed = lane.lane.state is State.FAILED
            await lane.order(facts.Sought(position))
            lane.parked_count = await self._in_thread(self._files.parked_count, name)
            if lane.lane.state is State.STOPPED or was_failed:
                await self._run(lane)
        return lane.status()

    async def retry(self, name: str, positions: Sequence[int] | None = None) -> LaneStatus:
        """Deliver parked events again, before all that follows.

        Args:
            name: of the plugin.
            positions: None is what blocks the lane, else the first 1,000 that are parked.

        Raises:
            OrderRefused: nothing is parked there, or as `pause`.
            StoreError: as `pause`.
        """
        async with self._order(name) as lane:
            is_blocked = lane.lane.state is State.BLOCKED
            attempts: Mapping[int, int] = {}
            if positions is not None:
                attempts = await self._parked_attempts(lane, positions)
            elif not is_blocked:
                rows = await self._in_thread(self._files.parked, name, count_max=RETURN_COUNT_MAX)
                attempts = {row.position: row.attempts for row in rows}
            if not attempts and not is_blocked:
                raise OrderRefused(f"events plugin {name!r}: no event is parked")
            await lane.between_processes()
            # What came back before, and was settled while the process ended, does not come again.
            attempts = lane.unsettled(await self._in_thread(self._files.parked_attempts, name, list(attempts)))
            await self._in_thread(self._files.let_return, name, list(attempts))
            await lane.order(facts.Retried(attempts))
            if lane.lane.state is State.STOPPED:
                await self._run(lane)
        return lane.status()

    async def discard(self, name: str, positions: Sequence[int]) -> LaneStatus:
        """Never deliver these events again: parked ones, or the one that blocks the lane. Raises: as `retry`."""
        async with self._order(name) as lane:
            is_why = lane.lane.state is State.BLOCKED and set(positions) <= set(lane.lane.progress.undone)
            if not is_why:
                await self._parked_attempts(lane, positions)
            if is_why or set(positions) & set(lane.lane.progress.returning):
                await lane.between_processes()
                await lane.order(facts.Discarded(tuple(positions)))
            # What blocks the lane may have been parked before, and be listed still.
            await self._in_thread(self._files.discard, name, positions)
            lane.parked_count = await self._in_thread(self._files.parked_count, name)
            if lane.lane.state is State.STOPPED:
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
                raise OrderRefused(f"events plugin {name!r} is enabled; disable it first")
            await self._in_thread(self._files.forget, name)

    async def reload(self, plugins: Mapping[str, PluginSettings]) -> dict[str, str]:
        """Enable new plugins, disable missing ones, restart those whose settings changed (P13).

        Returns:
            Errors that keep plugins from running, by name; such a lane is FAILED, or there is none.
        """
        errors: dict[str, str] = {}
        async with self._reloading:
            for name in [name for name in self._lanes if name not in plugins]:
                async with self._order(name) as lane:
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
            async with self._order(name) as lane:
                if not self._waits(lane) or lane.lane.state is State.FAILED:
                    await self._run(lane)
        elif self._lanes[name].settings != settings:
            async with self._order(name) as lane:
                await lane.between_processes()
                lane.configure(settings, self._policy(settings))
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
            raise lane.refuse("started", lane.lane.error)
        lane.expect_first()
        lane.begin()
        lane.tell(facts.Enabled())
        await lane.first

    @asynccontextmanager
    async def _order(self, name: str) -> AsyncIterator[PluginLane]:
        """Carry out one order at a time on a lane, and leave no lane stopped that an order has failed on."""
        lane = self._lane(name)
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

    def _lane(self, name: str) -> PluginLane:
        if (lane := self._lanes.get(name)) is None:
            enabled = ", ".join(self._lanes) or "none"
            raise OrderRefused(f"no events plugin {name!r} is enabled; enabled are: {enabled}")
        return lane

    def _refuse_if(self, lane: PluginLane, state: State, what: str) -> None:
        if lane.lane.state is state:
            raise lane.refuse(what, lane.lane.error)

    async def _parked_attempts(self, lane: PluginLane, positions: Sequence[int]) -> Mapping[int, int]:
        if len(positions) > RETURN_COUNT_MAX:
            raise OrderRefused(f"{len(positions)} positions at once, the most is {RETURN_COUNT_MAX}")
        attempts = await self._in_thread(self._files.parked_attempts, lane.name, positions)
        if missing := [position for position in positions if position not in attempts]:
            raise OrderRefused(f"events plugin {lane.name!r}: position {missing[0]} is not parked")
        return attempts

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
            machine=self._machine,
        )
        for name, settings in self._plugins.items():
            await self._add(name, settings)
        if not self._store.knows_node:
            await self._sync(
                must=True
            )  # the lanes are GAPPED in the new node.db before the ledger takes it for its own
            await self._in_thread(self._store.adopt_node)
        await self._start_hosts(strict=strict)
        self._hub.listen(self._announce)
        self._announce(self._hub.head)
        self._syncing = asyncio.create_task(self._sync_forever())

    async def _add(self, name: str, settings: PluginSettings) -> PluginLane:
        files, shared = self._files, self._shared
        assert shared is not None
        try:
            lane = await self._in_thread(files.recover, name, settings.start)
        except UnknownPlace as error:
            raise ConfigurationError(f"events_plugins.{name}.start: {error}") from error
        parked_count = await self._in_thread(self._files.parked_count, name)
        added = PluginLane(name, settings, self._policy(settings), lane, shared, parked_count=parked_count)
        self._lanes[name] = added
        return added

    async def _start_hosts(self, *, strict: bool) -> None:
        required = [lane for lane in self._lanes.values() if strict or not lane.lane.has_run]
        started = [lane for lane in self._lanes.values() if not self._waits(lane) or lane.lane.state is State.FAILED]
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

    def _waits(self, lane: PluginLane) -> bool:
        state = lane.lane.state
        if state in WAITING and state is not State.FAILED:
            _log.log(
                logging.INFO if state is State.PAUSED else logging.ERROR,
                "events plugin is not started, it waits for a person",
                extra={"plugin": lane.name, "state": state.value, "error": lane.lane.error},
            )
        return state in WAITING

    def _policy(self, settings: PluginSettings) -> Policy:
        retry = settings.retry
        return Policy(
            backoff=self._backoff or Backoff(max_s=retry.delay_s_max),
            patience=self._backoff or Policy().patience,
            attempts=retry.attempts,
            duration_s=retry.duration_s,
            on_failure=OnFailure(settings.on_failure),
        )

    def _announce(self, head: int) -> None:
        for lane in self._lanes.values():
            lane.announce(head)

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
                    lane.parked_count = await self._in_thread(self._files.parked_count, lane.name)
        except (OSError, StoreError) as error:
            for lane, saving in changed:
                lane.save_again(saving)
            if must:
                raise
            _log.error("cannot save the progress of the events plugins", extra={"error": str(error)})

    async def _end_hosts(self, lanes: Sequence[PluginLane]) -> None:
        for limit_s in (GRACE_S, DEATH_S_MAX):
            hosts = [lane.host for lane in lanes if lane.host is not None]
            if not hosts:
                return
            await asyncio.wait([asyncio.create_task(host.ended.wait()) for host in hosts], timeout=limit_s)
            for host in hosts:
                host.kill()

    @property
    def _files(self) -> LaneFiles:
        if self._shared is None:
            raise StoreError(_STOPS)
        return self._shared.files

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(*args, **kwargs))
