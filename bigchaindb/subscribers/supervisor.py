"""Runs the node's plugins: one lane each, with a process of its own that is started again when it ends.

Everything happens on the node's event loop but file and database work, which one thread of the supervisor's own does
in order. Nothing here waits for a plugin but `start`, until each is ready, and `stop`, for a second (S1).

Source: docs/reference/contract/event-plugin-api.md, sections 3 to 5; decision 0016.
"""

import asyncio
import logging
import random
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from bigchaindb.config import Limits, PluginSettings
from bigchaindb.errors import StoreError
from bigchaindb.eventlog import delivery
from bigchaindb.eventlog.delivery import Backoff, State
from bigchaindb.store import Store
from bigchaindb.subscribers.host_process import HostProcess
from bigchaindb.subscribers.hub import Hub
from bigchaindb.subscribers.lane_files import LaneFiles
from bigchaindb.subscribers.plugin_lane import LaneStatus, PluginLane, Shared
from bigchaindb.subscribers.plugins import find

SYNC_S: Final = 1.0
"""How often progress is made durable: what a power cut may bring again (P6)."""
GRACE_S: Final = 1.0
"""Time for plugins to end by themselves when the node stops. Source: event-plugin-api.md, section 5."""
DEATH_S_MAX: Final = 10.0
"""Time for a killed process to be gone; a disk that does not answer can hold one for ever."""

_log: Final = logging.getLogger(__name__)


class Supervisor:
    """All plugins of a node."""

    def __init__(
        self,
        *,
        hub: Hub,
        store: Store,
        chain_id: str,
        plugins: Mapping[str, PluginSettings],
        limits: Limits | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """Do nothing before `start`.

        Args:
            hub: announces the durable head.
            store: open, and after its start barrier.
            chain_id: begins every event's id.
            plugins: what is enabled, by entry point name.
            limits: of the window.
            backoff: how long a plugin that failed waits.
        """
        self._hub = hub
        self._store = store
        self._chain_id = chain_id
        self._plugins = plugins
        self._limits = limits or Limits()
        self._backoff = backoff or Backoff()
        self._lanes: list[PluginLane] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bigchaindb-lanes")
        self._files: LaneFiles | None = None
        self._syncing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start every plugin and return once all are ready. Call it from the main thread, before anything commits.

        Raises:
            ConfigurationError: a plugin is not installed, is no plugin, or refuses its options.
            StartupError: a plugin cannot be imported, or its process ends before it is ready.
        """
        find(list(self._plugins))
        if not self._plugins:
            return
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End every plugin: by the next `get`, after a second by force; then make all progress durable."""
        if self._syncing is not None:
            self._syncing.cancel()
        for lane in self._lanes:
            lane.tell(delivery.Stopping())
        await asyncio.gather(*(lane.settled() for lane in self._lanes))
        await self._end_hosts()
        if self._files is not None:
            await self._sync(self._files)
            self._thread.submit(self._files.close)
            self._files = None
        await asyncio.get_running_loop().run_in_executor(None, self._thread.shutdown)

    def status(self) -> list[LaneStatus]:
        """Say where each lane is, in the order of the configuration."""
        return [lane.status() for lane in self._lanes]

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        self._files = files = await loop.run_in_executor(self._thread, LaneFiles, self._store)
        shared = Shared(
            hub=self._hub,
            files=files,
            thread=self._thread,
            ledger=self._store.directory.ledger,
            chain_id=self._chain_id,
            limits=self._limits,
            backoff=self._backoff,
            draw=random.random,
        )
        for name, settings in self._plugins.items():
            lane = await loop.run_in_executor(self._thread, files.recover, name, settings.start)
            self._lanes.append(PluginLane(name, settings, lane, shared))
        if not self._store.knows_node:
            await self._sync(files)  # the lanes are GAPPED in the new node.db before the ledger takes it for its own
            await loop.run_in_executor(self._thread, self._store.adopt_node)
        await self._start_hosts()
        self._hub.listen(self._announce)
        self._announce(self._hub.head)
        self._syncing = asyncio.create_task(self._sync_forever(files))

    async def _start_hosts(self) -> None:
        started = [lane for lane in self._lanes if not self._is_gapped(lane)]
        for lane in started:
            lane.tell(delivery.Enabled())
        for outcome in await asyncio.gather(*(lane.first for lane in started), return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        for lane in started:
            lane.begin()

    def _is_gapped(self, lane: PluginLane) -> bool:
        if lane.lane.state is not State.GAPPED:
            return False
        _log.error(
            "events plugin is not started, a person must say where it goes on",
            extra={"plugin": lane.name, "state": "GAPPED", "error": lane.lane.error},
        )
        return True

    def _announce(self, head: int) -> None:
        for lane in self._lanes:
            lane.announce(head)

    async def _sync_forever(self, files: LaneFiles) -> None:
        while True:
            await asyncio.sleep(SYNC_S)
            await self._sync(files)

    async def _sync(self, files: LaneFiles) -> None:
        changed = [(lane, saving) for lane in self._lanes if (saving := lane.look()) is not None]
        if not changed:
            return
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, files.save, [saving for _, saving in changed])
        except (OSError, StoreError) as error:
            _log.error("cannot write down where the events plugins are", extra={"error": str(error)})
            for lane, _ in changed:
                lane.save_again()

    async def _end_hosts(self) -> None:
        for limit_s, then in ((GRACE_S, HostProcess.kill), (DEATH_S_MAX, None)):
            hosts = [lane.host for lane in self._lanes if lane.host is not None]
            if not hosts:
                return
            await asyncio.wait([asyncio.create_task(host.ended.wait()) for host in hosts], timeout=limit_s)
            for host in hosts:
                if then is not None:
                    then(host)
