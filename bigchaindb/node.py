"""The composition root of a node: opens the store, wires the edges to the core, serves until the order to stop.

Order at start: the store and its start barrier, whether the ports are free, the plugins (each ready, or the start
fails), the engine, then the ports. At the stop, accepted transactions are committed first; then all edges end at once,
within a second.
"""

import asyncio
import gc
import logging
import os
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, closing
from typing import Final

import uvloop

from bigchaindb import __version__, replaying
from bigchaindb.access.addresses import Proxies
from bigchaindb.access.book import KeyBook
from bigchaindb.access.exchange import Exchange
from bigchaindb.access.exposure import anonymous
from bigchaindb.access.gate import Gate
from bigchaindb.access.origins import Origins
from bigchaindb.access.rates import Rates
from bigchaindb.access.renewing import Renewing
from bigchaindb.access.writers import watch_writers
from bigchaindb.api.advertised import node_info
from bigchaindb.api.page_files import OWN_FOLDER, Page
from bigchaindb.api.reads import Reads
from bigchaindb.api.server import HttpApi
from bigchaindb.config import Limits, Settings
from bigchaindb.config.checks import split_bind
from bigchaindb.control.access import AccessDesk, Reloader
from bigchaindb.control.server import ControlServer
from bigchaindb.engine.engine import Engine
from bigchaindb.engine.room import usage_of
from bigchaindb.engines import engine_of, state_of
from bigchaindb.errors import (
    CometBftFailed,
    EngineError,
    SignerUnknown,
    StoreDamaged,
)
from bigchaindb.hangups import hangups
from bigchaindb.identity import find_or_make, read_chain_id
from bigchaindb.log import dropped_count
from bigchaindb.metrics.figures import Figures
from bigchaindb.metrics.server import MetricsServer
from bigchaindb.opening import open_store
from bigchaindb.ownership import watch
from bigchaindb.reader.reader import READER, Reader
from bigchaindb.service import ServiceManager, status
from bigchaindb.serving.descriptors import make_room
from bigchaindb.serving.handshakes import Handshakes
from bigchaindb.serving.memory import give_back_large_blocks
from bigchaindb.serving.ports import naming, require_free
from bigchaindb.serving.tls import Tls
from bigchaindb.stop_order import StopOrder
from bigchaindb.store.store import Store
from bigchaindb.streams.cloud_events import rejected_name
from bigchaindb.streams.hub import Hub
from bigchaindb.streams.shared_log import LogSource
from bigchaindb.streams.websocket import StreamServer
from bigchaindb.subscribers.supervisor import Supervisor
from bigchaindb.transaction.keys import KeyPair
from bigchaindb.upkeep import UPGRADE, Beside, keep_reserve, upgrade
from bigchaindb.wired import Hubs, Wired

USES_S: Final = 60.0
"""Time between two writes of the last days of use of access keys: one page of node.db."""
COLLECT_AFTER: Final = (20_000, 20, 100)
"""Thresholds of the garbage collector. There are few cycles here, and with its default, every 700 allocations, it took
5 % of a busy node's CPU time to search the pool."""

Ready = Callable[[Mapping[str, str]], None]
"""Takes the plugins that ran before and do not run now, by name, each with the reason."""

DAMAGES_TOLD_MAX: Final = 100
"""Rows that the log names as damaged in one run of the node; `bigchaindb check` names all."""

_log: Final = logging.getLogger(__name__)


def run(
    settings: Settings,
    stop: StopOrder,
    *,
    ready: Ready | None = None,
    reload: Reloader | None = None,
    strict: bool = False,
) -> None:
    """Run a node until the order to stop. The data directory has been initialized.

    Args:
        settings: all of them.
        stop: made before this module was imported, which takes a while.
        ready: called once the ports are open.
        reload: loads the configuration again, when its list of plugins was changed.
        strict: whether a plugin that ran before and cannot be run now stops the start.

    Raises:
        ConfigurationError: a plugin is not installed, or refuses its options.
        StartupError: the directory is in use, a port is taken, a plugin cannot be imported.
        StoreError: the ledger's files cannot be used.
        EngineError: the engine had to stop; committed blocks are safe.
    """
    give_back_large_blocks()
    try:
        uvloop.run(_serve(settings, stop, ready, reload, strict=strict))
    finally:
        stop.close()


async def _serve(
    settings: Settings, stop: StopOrder, ready: Ready | None, reload: Reloader | None, *, strict: bool
) -> None:
    manager = ServiceManager.of(os.environ)
    limits = make_room(settings.limits)
    ordered = asyncio.create_task(stop.wait())
    async with AsyncExitStack() as running:
        store = await open_store(settings, limits, ordered, manager)
        if store is None:
            return
        running.enter_context(closing(store))
        watch(store.lock)
        tls = Tls.of(settings)
        require_free(_addresses(settings))
        key = find_or_make(settings)
        chain_id = read_chain_id(settings.database.path)
        store.adopt_chain(chain_id)
        if replaying.is_due(store.directory):
            replayed = engine_of(settings, store, key, _hubs(store), chain_id)
            manager.starts("a lost ledger is rebuilt from CometBFT's blocks")
            if not await _unless(ordered, replaying.replay(store, replayed)):
                return
        hubs = _hubs(store)
        hub, wired = hubs.events, engine_of(settings, store, key, hubs, chain_id)
        _tell_damage(store, wired)
        await asyncio.to_thread(store.check_recent)
        edges = _Edges(settings, limits, store, wired, hubs, key=key, chain_id=chain_id, reload=reload, tls=tls)
        supervisor, api, stream = edges.supervisor, edges.api, edges.stream
        running.push_async_callback(edges.stop)
        running.enter_context(hangups(edges.desk.read_again))
        manager.starts("its plugins")
        if not await _unless(ordered, supervisor.start(strict=strict)):
            return
        await edges.control.listen()
        at = _addresses(settings)
        with naming("wsserver.port", *at["wsserver.port"]):
            await stream.start(*at["wsserver.port"], edges.handshakes)
        deciding = asyncio.create_task(wired.engine.run())
        running.push_async_callback(_drain, wired.engine, deciding)
        with naming("server.bind", *at["server.bind"]):
            await api.start(*at["server.bind"], edges.handshakes)
        if "metrics.bind" in at:
            with naming("metrics.bind", *at["metrics.bind"]):
                await edges.metrics.start(*at["metrics.bind"], edges.handshakes)
        _collect_rarely()
        running.callback(edges.beside.stop)
        edges.beside.start(edges.works(manager))
        _log.info("ready", extra={"chain": chain_id, "head": hub.head, "http": api.port, "websocket": stream.port})
        if ready is not None:
            ready(supervisor.left_out)
        await asyncio.wait({ordered, deciding}, return_when=asyncio.FIRST_COMPLETED)
        manager.stops()
        _log.info("stopping", extra={"head": hub.head})
        api.close()
    _log.info("stopped", extra={"head": hub.head})


def _collect_rarely() -> None:
    gc.freeze()  # all that exists by now stays: later collections need not search it
    gc.set_threshold(*COLLECT_AFTER)


class _Edges:
    """All that the world outside reaches of a node: its servers and its plugins, wired to store and engine."""

    def __init__(
        self,
        settings: Settings,
        limits: Limits,
        store: Store,
        wired: Wired,
        hubs: Hubs,
        *,
        key: KeyPair,
        chain_id: str,
        reload: Reloader | None,
        tls: Tls | None,
    ) -> None:
        """Start nothing; `limits` are those of the settings, less what the machine does not allow."""
        self._limits, self._store, self._wired, self.beside = limits, store, wired, Beside()
        hub, self._chain_id, self._tls = hubs.events, chain_id, tls
        self._hub, self._state = hub, state_of(store, wired, limits, chain_id, self.beside.failed)
        rejected = LogSource(hubs.rejected, store.rejected_log, rejected_name(chain_id, store.node.id))
        self.supervisor = Supervisor(
            hub=hub, store=store, chain_id=chain_id, plugins=settings.events_plugins, limits=limits, rejected=rejected
        )
        log, self.book = LogSource(hub, store.log_reader, chain_id), KeyBook(store.node, limits.access_key_count_max)
        self.reader = Reader(store.directory.ledger, store.damages, limits, chain_id)
        origins, proxies = Origins.of(settings), Proxies(settings.access.proxies)
        self.gate = gate = _gate(settings, limits, self.book, origins)
        self.stream = StreamServer(log, limits, settings.wsserver, gate, origins=origins, proxies=proxies)
        exchange = Exchange(self.book, gate) if settings.page.enabled else None
        self.api = HttpApi(
            wired.engine,
            Reads(limits, store.queries(), self.reader),
            node_info(settings, key.public_key, lambda: self.stream.port, lambda: self.api.port),
            self._state,
            limits,
            gate,
            log=log,
            lanes=self.supervisor,
            desks=self.supervisor,
            rejected=rejected,
            rejected_log=store.rejected_log(),
            elections=wired.elections,
            proofs=wired.proofs,
            origins=origins,
            proxies=proxies,
            page=Page.read(settings.page.folder or OWN_FOLDER) if settings.page.enabled else None,
            exchange=exchange,
        )
        renewals = (Renewing(settings, gate, wired.writers), *(() if tls is None else (tls.renew,)))
        self.desk = AccessDesk(self.book, gate, settings, reload, renewals, exchange, lambda: self.api.port)
        self.metrics = MetricsServer(self._figures, limits, gate, needs_key=settings.metrics.access)
        self.control = ControlServer(
            store.directory.control,
            supervisor=self.supervisor,
            hub=hub,
            settings=settings,
            reload=reload,
            access=self.desk,
            network=wired.network,
            processes=lambda: {**wired.engine.figures.checks, READER: self.reader.figures},
            health=self.api.health,
        )

    @property
    def handshakes(self) -> Handshakes | None:
        """Where connections of TLS begin; None without it."""
        return None if self._tls is None else self._tls.handshakes

    async def stop(self) -> None:
        """Stop the edges side by side: each takes a second at most, and so do all of them."""
        stops = (self.metrics.stop, self.api.stop, self.stream.stop, self.control.stop, self.supervisor.stop)
        for outcome in await asyncio.gather(*(stop() for stop in stops), return_exceptions=True):
            if outcome is not None:
                raise outcome
        await asyncio.to_thread(self.book.write_uses)
        if self._tls is not None:
            self._tls.close()

    def works(self, manager: ServiceManager) -> Mapping[str, Coroutine[None, None, None]]:
        """Return what the node does beside serving, by the names that people read."""
        works = {
            UPGRADE: upgrade(self._store, self.beside.failed.append),
            "reserve of disk": keep_reserve(self._store.directory),
            "list of writers": watch_writers(self._wired.writers),
            "last use of access keys": self.write_uses(),
            "service manager": manager.watch(self.status),
        }
        return works if self._tls is None else {**works, "certificate": self._tls.watch()}

    async def write_uses(self) -> None:
        """Write on which day each access key was used last, until cancelled."""
        while True:
            await asyncio.sleep(USES_S)
            await asyncio.to_thread(self.book.write_uses)

    async def status(self) -> str:
        """Return how the node is, on one line for its service manager."""
        complaint = await asyncio.to_thread(self._state.complaint)
        follower_count = self.stream.connection_count + self.api.stream_count
        lanes = await self.supervisor.statuses()
        return status(complaint, self._store.writer.tip().height, lanes, follower_count, self.beside.failed)

    async def _figures(self) -> Figures:
        store, api, stream = self._store, self.api, self.stream
        return Figures(
            version=__version__,
            chain_id=self._chain_id,
            head=self._hub.head,
            store=await asyncio.to_thread(store.queries().statistics),
            rejected_size=await asyncio.to_thread(store.rejected_log().size),
            engine=self._wired.engine.figures,
            reader=self.reader.figures,
            network=self._wired.network(),
            damage_count=store.damages.count,
            is_damaged=store.damages.first is not None,
            disk_free_bytes=(await asyncio.to_thread(usage_of, store.directory.ledger)).free_bytes,
            http_connection_count=api.connection_count,
            sse_count=api.stream_count,
            stream_connection_count=stream.connection_count,
            stream_late_count=stream.late_count,
            stream_flood_count=stream.flood_count,
            refused_counts={
                "http": api.refused_counts,
                "stream": stream.refused_counts,
                "metrics": self.metrics.refused_counts,
            },
            log_dropped_count=dropped_count(),
            failed=self.beside.failed,
            access_key_count=self.book.good_count(time.time()),
            access_refused_counts=self.gate.refused,
            tls_expiry_s=None if self._tls is None else self._tls.ends_s - time.time(),
            lanes=await self.supervisor.statuses(),
            limits=self._limits,
        )


def _hubs(store: Store) -> Hubs:
    return Hubs(Hub(store.writer.tip().position), Hub(store.rejected_log().head()))


def _tell_damage(store: Store, wired: Wired) -> None:
    """Log each damage that is found, and inform the engine: it may not vote on data that it cannot read."""
    loop = asyncio.get_running_loop()
    told: set[tuple[str, str]] = set()

    def tell(error: StoreDamaged) -> None:
        if (error.table, error.row) not in told and len(told) < DAMAGES_TOLD_MAX:
            told.add((error.table, error.row))
            _log.critical(
                "what is stored is damaged; run `bigchaindb check`, and restore a backup",
                extra={"table": error.table, "row": error.row, "why": str(error)},
            )
        wired.damaged(error)

    def pass_on(error: StoreDamaged) -> None:
        loop.call_soon_threadsafe(tell, error)

    store.damages.listen(pass_on)


def _addresses(settings: Settings) -> dict[str, tuple[str, int]]:
    """Return the addresses of the node by setting, without that of CometBFT."""
    addresses = {
        "server.bind": (settings.server.host, settings.server.port),
        "wsserver.port": (settings.wsserver.host, settings.wsserver.port),
    }
    if settings.metrics.bind is not None:
        addresses["metrics.bind"] = split_bind(settings.metrics.bind, "metrics.bind")
    return addresses


def _gate(settings: Settings, limits: Limits, book: KeyBook, origins: Origins) -> Gate:
    rates = Rates(settings.access, limits.bucket_count_max)
    by_proxy = settings.tls.ended_by_proxy
    return Gate(anonymous(settings), book, ended_by_proxy=by_proxy, origins=origins, rates=rates)


async def _unless(ordered: asyncio.Task[None], work: Coroutine[None, None, None]) -> bool:
    """Do `work` unless the order to stop comes first; return whether it was done."""
    doing = asyncio.create_task(work)
    await asyncio.wait({ordered, doing}, return_when=asyncio.FIRST_COMPLETED)
    if not doing.done():
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)
        return False
    await doing
    return True


async def _drain(engine: Engine, deciding: asyncio.Task[None]) -> None:
    """Wait until the engine has committed what it accepted."""
    engine.stop()
    try:
        await deciding
    except EngineError as error:
        # A traceback helps with defects of this software alone; CometBFT gives its own reason.
        is_defect = not isinstance(error.__cause__, CometBftFailed | SignerUnknown)
        _log.critical("the engine failed; committed blocks are safe", extra={"why": str(error)}, exc_info=is_defect)
        raise
