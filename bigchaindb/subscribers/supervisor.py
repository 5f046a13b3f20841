"""Runs the node's plugins and serves its subscriptions: a lane each.

A plugin's lane has a process of its own, which is started again when it ends. Nothing here waits for a plugin but
`start`, until each is ready, `stop`, for a second, and the orders of people, which nothing else waits for (S1).

Source: docs/reference/contract/event-plugin-api.md, sections 3 to 5; decisions 0016 and 0024.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from bigchaindb.config import Limits, PluginSettings
from bigchaindb.errors import BigchainDBError, Stopping
from bigchaindb.eventlog import facts
from bigchaindb.eventlog.lane import WAITING, State
from bigchaindb.eventlog.orders import Order, still_enabled
from bigchaindb.eventlog.retrying import Backoff
from bigchaindb.eventlog.subscription import Subscription
from bigchaindb.store import Store, TroubleRow
from bigchaindb.streams.hub import Hub
from bigchaindb.streams.shared_log import LogSource
from bigchaindb.subscribers.consuming import Attendance, Consumer
from bigchaindb.subscribers.lane_notes import log_waiting
from bigchaindb.subscribers.lane_status import LaneStatus
from bigchaindb.subscribers.lane_work import PluginWork
from bigchaindb.subscribers.lanes import STOPS, Lanes
from bigchaindb.subscribers.machine import Machine
from bigchaindb.subscribers.plugin_lane import PluginLane
from bigchaindb.subscribers.plugins import find
from bigchaindb.subscribers.subscriptions import Subscriptions, two_of

STATUS_COUNT: Final = 64
"""Lanes whose status is read in a turn of the loop: half a millisecond."""


class Supervisor:
    """All plugins and subscriptions of a node. Orders return once what they change is durable.

    Implements `bigchaindb.subscribers.consuming.Desks`.

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
        rejected: LogSource | None = None,
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
            rejected: the node's log of rejected transactions; None is the store's, which nobody writes.
        """
        self._plugins = plugins
        self._lanes = Lanes(hub, store, chain_id, limits or Limits(), backoff, machine or Machine(), rejected)
        self._subscriptions: Subscriptions | None = None
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
        if self._subscriptions is not None:
            self._subscriptions.stop()
        await self._lanes.stop()
        if self._subscriptions is not None:
            # Before the store is closed: the last connection tidies the ledger's files up.
            await asyncio.get_running_loop().run_in_executor(None, self._subscriptions.close)

    def status(self) -> list[LaneStatus]:
        """Return the status of each lane: plugins in the order of the configuration, then subscriptions."""
        return [lane.status() for lane in self._lanes.all.values()]

    async def statuses(self) -> list[LaneStatus]:
        """Return what `status` does, some of it in each turn of the loop: there may be a thousand lanes."""
        found: list[LaneStatus] = []
        for number, name in enumerate(self.names()):
            if number % STATUS_COUNT == 0:
                await asyncio.sleep(0)
            if (status := self.status_of(name)) is not None:
                found.append(status)
        return found

    def names(self) -> Sequence[str]:
        """Return the names of all lanes, in the order of `status`."""
        return [*self._lanes.all]

    def status_of(self, name: str) -> LaneStatus | None:
        """Return the status of one lane; None if there is none of that name."""
        return None if (lane := self._lanes.all.get(name)) is None else lane.status()

    # Subscriptions

    @property
    def subscriptions(self) -> Mapping[str, Subscription]:
        """What is subscribed, by name."""
        return {} if self._subscriptions is None else self._subscriptions.definitions

    def attach(self, name: str, consumer: Consumer, *, room_count: int, label: str) -> Attendance:
        """See `Desks`."""
        return self._subscribed.attach(name, consumer, room_count=room_count, label=label)

    async def create(self, wanted: Subscription, *, is_change: bool = False) -> bool:
        """Create a subscription, or change it; see `Subscriptions.create`."""
        return await self._subscribed.create(wanted, is_change=is_change)

    async def delete(self, name: str) -> None:
        """Delete a subscription; see `Subscriptions.delete`."""
        await self._subscribed.delete(name)

    def token(self, name: str) -> str:
        """Return the token of a subscription's cursor; see `Subscriptions.token`."""
        return self._subscribed.token(name)

    async def parked(self, name: str, after: int, count_max: int) -> Sequence[TroubleRow]:
        """Return the first events that a lane has parked beyond a number, ascending."""
        node = self._lanes.store.node
        return await self._lanes.in_thread(node.parked, name, after=after, count_max=count_max)

    @property
    def _subscribed(self) -> Subscriptions:
        if self._subscriptions is None:
            raise Stopping(STOPS)
        return self._subscriptions

    # Orders of people

    async def order(self, name: str, order: Order) -> LaneStatus:
        """Carry out an order to a plugin's lane or a subscription's, between two hosts where that is needed.

        Raises:
            EventError: the place of a seek is in no log, or in another.
            OrderRefused: there is no such lane, its state does not allow it, or an event is not parked.
            StoreError: it could not be written down.
        """
        return (await self._lanes.order(name, order)).status()

    async def forget(self, name: str) -> None:
        """Delete everything that is kept of a plugin that is not enabled: it would begin anew.

        Raises:
            OrderRefused: it is enabled, or a subscription.
            StoreError: as `pause`.
        """
        async with self._lanes.changing:
            if name in self._lanes.all and name not in self.subscriptions:
                raise still_enabled(name)
            await self._lanes.in_thread(self._lanes.files.forget, name)

    async def reload(self, plugins: Mapping[str, PluginSettings]) -> dict[str, str]:
        """Enable new plugins, disable missing ones, restart those whose settings changed (P13).

        Returns:
            Errors that keep plugins from running, by name; such a lane is FAILED, or there is none.
        """
        errors: dict[str, str] = {}
        lanes = self._lanes
        async with lanes.changing:
            for name in [name for name in lanes.all if name not in {*plugins, *self.subscriptions}]:
                async with lanes.ordering(name) as lane:
                    await lane.between_processes()
                    await self._disable(lane)
            for name, settings in plugins.items():
                try:
                    await self._apply(name, settings)
                except (BigchainDBError, OSError) as error:
                    errors[name] = str(error)
            order = dict.fromkeys([*plugins, *self.subscriptions])
            lanes.all = {name: lanes.all[name] for name in order if name in lanes.all}
        return errors

    async def _disable(self, lane: PluginLane) -> None:
        stopped = lane.lane
        lane.tell(facts.Disabled())
        try:
            await self._lanes.sync(must=True)
        except (BigchainDBError, OSError):
            lane.lane = stopped  # it goes on: nothing would start a lane again that is disabled and still here
            raise
        del self._lanes.all[lane.name]

    async def _apply(self, name: str, settings: PluginSettings) -> None:
        find([name])
        lanes = self._lanes
        if name in self.subscriptions:
            raise two_of(name)
        work = PluginWork(name, settings, lanes.shared)
        if name not in lanes.all:
            await lanes.add(name, work, settings.start)
            async with lanes.ordering(name) as lane:
                if not _waits(lane):
                    await lanes.run(lane)
        elif lanes.all[name].work != work:
            async with lanes.ordering(name) as lane:
                await lane.between_processes()
                lane.configure(work)
                if lane.lane.state in {State.STOPPED, State.FAILED}:
                    await lanes.run(lane)

    # Starting

    async def _start(self, *, strict: bool) -> None:
        lanes, store = self._lanes, self._lanes.store
        ran = await lanes.in_thread(lambda: {name for name in self._plugins if store.node.has_run(name)})
        find([name for name in self._plugins if strict or name not in ran])
        await lanes.open()
        for name, settings in self._plugins.items():
            await lanes.add(name, PluginWork(name, settings, lanes.shared), settings.start)
        self._subscriptions = Subscriptions(lanes)
        await self._subscriptions.start()
        if not store.knows_node:
            await lanes.sync(must=True)  # GAPPED in the new node.db before the ledger takes it for its own
            await lanes.in_thread(store.adopt_node)
        await self._start_hosts(strict=strict)
        lanes.begin()

    async def _start_hosts(self, *, strict: bool) -> None:
        plugins = [self._lanes.all[name] for name in self._plugins]
        required = [lane for lane in plugins if strict or not lane.lane.has_run]
        started = [lane for lane in plugins if not _waits(lane)]
        for lane in started:
            lane.tell(facts.Enabled())
        outcomes = await asyncio.gather(*(lane.first.ready() for lane in started), return_exceptions=True)
        for lane, outcome in zip(started, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                if lane in required:
                    raise outcome
                self.left_out[lane.name] = str(outcome)
        for lane in started:
            lane.begin()


def _waits(lane: PluginLane) -> bool:
    """Whether a lane is not started, as it waits for a person; logs that. A FAILED one is tried again."""
    waits = lane.lane.state in WAITING - {State.FAILED}
    if waits:
        log_waiting(lane.name, lane.work, lane.lane)
    return waits
