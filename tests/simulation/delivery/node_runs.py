"""Runs of a node in simulated time: it starts, stops and dies, and what it says is held against what is owed."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, Final, Self

import pytest

from bigchaindb.config import PluginSettings
from bigchaindb.errors import BigchainDBError
from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.retrying import Backoff
from bigchaindb.store import Store
from bigchaindb.streams.hub import Hub
from bigchaindb.subscribers import host_protocol as wire
from bigchaindb.subscribers import lane_notes, supervisor
from bigchaindb.subscribers.lane_files import LaneFiles
from bigchaindb.subscribers.lane_page import LanePage
from bigchaindb.subscribers.lane_status import LaneStatus
from bigchaindb.subscribers.machine import Host, Machine
from bigchaindb.subscribers.supervisor import Supervisor
from tests.simulation.delivery.account import SYNC_S, Account, Broken, keep
from tests.simulation.delivery.disk import Disk, UnreliableNodeDb, put_in_force, read_cursors, read_parked
from tests.simulation.delivery.ledger import commit
from tests.simulation.delivery.process import SimulatedProcess
from tests.simulation.delivery.temper import Temper
from tests.simulation.delivery.virtual_time import Agenda, NodeDies, SimulatedThread, VirtualLoop
from tests.support import lane_pages

START_COUNT_MAX: Final = 20
STOP_S: Final = 200.0
"""A stop waits 11 s for processes, and for one that is about to start."""


@dataclass
class Plugin:
    """An installed plugin, and how it is run.

    Attributes:
        safe_s: what it acknowledged before this moment no power cut makes it see again.
    """

    settings: PluginSettings
    temper: Temper
    account: Account
    is_enabled: bool = True
    safe_s: float = 0.0
    processes: list[SimulatedProcess] = field(default_factory=list)


@dataclass
class Order:
    """What a person has asked for and has no answer to."""

    what: str
    task: asyncio.Task[Any]
    on_done: Callable[[BaseException | None], None]


@dataclass
class Node:
    """One run of the node's process."""

    loop: VirtualLoop
    store: Store
    node_db: UnreliableNodeDb
    hub: Hub
    supervisor: Supervisor
    threads: list[SimulatedThread]
    started_s: float
    orders: dict[str, Order] = field(default_factory=dict)


class NodeRuns:
    """The world that a seed makes: a disk, plugins, a log, and a node if one runs."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.draw = Random(seed)
        self.agenda = Agenda()
        self.disk = Disk(self.agenda, self.draw)
        self.folder = folder
        self.transcript: list[str] = []
        self.counts: Counter[str] = Counter()
        self.hole = 0
        self.survivors = 30
        """Of a hundred processes, those that the kernel does not end with their node."""
        self.events: list[str] = []
        self.branch = 0
        self.backup: tuple[Path, int] | None = None
        self.plugins: dict[str, Plugin] = {}
        self.node: Node | None = None
        self.process_count = 0
        self.broken: Broken | None = None

    # What is told

    @property
    def head(self) -> int:
        return len(self.events)

    @property
    def digest(self) -> str:
        return sha256("\n".join(self.transcript).encode()).hexdigest()

    def write(self, line: str) -> None:
        self.transcript.append(f"{self.agenda.elapsed_s:10.3f}  {line}")

    def note(self, kind: str, line: str = "") -> None:
        self.counts[kind] += 1
        self.write(f"{kind} {line}".rstrip())

    @property
    def enabled(self) -> dict[str, PluginSettings]:
        return {name: one.settings for name, one in self.plugins.items() if one.is_enabled}

    @contextmanager
    def in_force(self) -> Iterator[Self]:
        """Put the clocks and the disk of this history under the code under test."""
        handler = _Listener(self)
        logger = lane_notes.log
        with pytest.MonkeyPatch.context() as patch:
            put_in_force(patch, self.agenda, self.disk)
            patch.setattr(supervisor, "find", dict.fromkeys)
            logger.addHandler(handler)
            try:
                yield self
            finally:
                logger.removeHandler(handler)
                self._clear_away()

    # The node

    def start(self) -> Node:
        """Return the node, started; a person tries again if a plugin keeps it from starting."""
        for _ in range(START_COUNT_MAX):
            if self.node is not None:
                return self.node
            self._start()
        raise Broken("P13: the node does not start")

    def _start(self) -> None:
        loop = VirtualLoop(self.agenda)
        store = self.open_store()
        store.node.close()
        store.node = UnreliableNodeDb(store.directory.node, self.disk, self._committed)
        threads: list[SimulatedThread] = []

        def start_thread() -> SimulatedThread:
            threads.append(SimulatedThread(loop, self.draw))
            return threads[-1]

        hub = Hub(store.writer.tip().position)
        node = self.node = Node(
            loop,
            store,
            store.node,
            hub,
            Supervisor(
                hub=hub,
                store=store,
                chain_id="solo-1",
                plugins=self.enabled,
                backoff=Backoff(base_s=0.2, max_s=5.0),
                machine=Machine(
                    start_host=self.start_process,
                    start_thread=start_thread,
                    now=self.agenda.now,
                    monotonic_ns=self.agenda.monotonic_ns,
                    draw=self.draw.random,
                ),
            ),
            threads,
            self.agenda.elapsed_s,
        )
        self.note("node starts")
        try:
            loop.run_until_complete(node.supervisor.start())
        except NodeDies:
            self.die()
        except (BigchainDBError, OSError) as error:
            self.note("node does not start", str(error))
            self._leave()
            for plugin in self.plugins.values():
                plugin.temper.refuses = plugin.temper.dies_early = 0
            self.disk.fail(is_full=False, fails_to_sync=False)
        else:
            self.check()

    def open_store(self) -> Store:
        return Store(self.folder / "data")

    def cursor_of(self, status: LaneStatus) -> int:
        return status.position

    def number_behind(self, position: int) -> int:
        """Return what the account calls a place."""
        return position

    def number_of(self, place: str) -> int:
        """Return the number that a line of the log names."""
        return int(place)

    def position_before(self, number: int) -> int:
        return number - 1

    def commit_block(self, node: Node, kind: str) -> int:
        position = commit(node.store.writer, kind, self.branch)
        node.hub.announce(position)
        return position

    def die(self, *, of_power_cut: bool = False) -> None:
        """The node is killed, or the whole machine loses its power."""
        self.note("power is cut" if of_power_cut else "node is killed")
        self._leave(of_power_cut=of_power_cut)
        if of_power_cut:
            self.disk.cut_power(self.folder / "data" / "lanes")

    def stop(self) -> None:
        """Stop the node as its users do."""
        assert self.node is not None
        self.note("node stops")
        node = self.node
        try:
            node.loop.run_until_complete(asyncio.wait_for(node.supervisor.stop(), STOP_S))
        except NodeDies:
            self.die()
            return
        self.check()
        self._leave()

    def _leave(self, *, of_power_cut: bool = False) -> None:
        """Take the node away as it is; nothing that it has left undone happens any more."""
        assert self.node is not None
        node, self.node = self.node, None
        self.disk.dies_in = None
        for plugin in self.plugins.values():
            self._orphan(plugin, of_power_cut=of_power_cut)
        for thread in node.threads:
            thread.die()
        for lane in node.supervisor._lanes.all.values():
            if lane.run is not None:
                lane_pages.close(lane.run.page)
                lane.run = None
        errors = list(node.loop.errors)
        node.loop.bury()
        for result in [result for thread in node.threads for result in thread.results]:
            if isinstance(result, LanePage):
                lane_pages.close(result)
            elif isinstance(result, LaneFiles):
                result.close()
        node.node_db.close()
        node.store.close()
        assert not errors, errors
        self._was_lost(node, of_power_cut=of_power_cut)

    def _orphan(self, plugin: Plugin, *, of_power_cut: bool) -> None:
        for process in plugin.processes:
            if not process.is_gone and not process.is_orphan:
                process.lose_node(at_once=of_power_cut or self.draw.randrange(100) >= self.survivors)
            elif of_power_cut:
                process.release()
            process.is_orphan = True
        plugin.processes = [one for one in plugin.processes if not one.is_gone]

    def _was_lost(self, node: Node, *, of_power_cut: bool) -> None:
        is_short = self.agenda.elapsed_s - node.started_s < 2 * SYNC_S  # it may not have written down what it found
        for name, plugin in self.plugins.items():
            safe_s = self.disk.worked_s - SYNC_S
            if is_short or name not in node.supervisor._lanes.all:
                safe_s = min(safe_s, plugin.safe_s)
            plugin.safe_s = safe_s
            plugin.account.is_seeking = False
            plugin.account.node_died(safe_s=safe_s if of_power_cut else None)

    def start_process(
        self, orders: wire.Launch, on_report: Callable[[wire.Report], None], on_exit: Callable[[str], None]
    ) -> Host:
        """Start a plugin's process, if the machine has room for it."""
        if self.node is None:
            raise OSError("the node is dead")
        plugin = self.plugins[orders.name]
        running = [one for one in plugin.processes if not one.is_gone and not one.is_orphan]
        keep("P11", not running, f"{orders.name} has a process and gets another")
        if plugin.temper.raises and self.draw.randrange(100) < 2:
            self.note("no room for a process", orders.name)
            raise OSError("no room for another process")
        self.process_count += 1
        try:
            process = SimulatedProcess(
                self, plugin.account, plugin.temper, orders, on_report, on_exit, self.process_count
            )
        except Broken as error:  # the node's task would keep it to itself
            self.broken = error
            raise
        process.dies_slowly = bool(plugin.temper.hangs) and self.draw.randrange(100) < 10
        for other in plugin.processes:
            if other.is_frozen and other.is_orphan:
                self.counts["process is replaced"] += 1
                self.agenda.after(self.draw.choice((0.0, 0.5)), other.go_on_stale)
        plugin.processes.append(process)
        self.counts["process starts"] += 1
        return process

    def run(self, duration_s: float) -> None:
        """Pass time."""
        if self.node is None:
            return
        try:
            self.node.loop.run_for(duration_s)
        except NodeDies:
            self.die()
        else:
            self.check()

    def _committed(self, connection: Any) -> None:
        """Check the rows of node.db after a commit."""
        rows = read_parked(connection)
        for name, plugin in self.plugins.items():
            plugin.account.list({position: epoch for lane, position, epoch in rows if lane == name})
        for name, cursor in read_cursors(connection):
            self.plugins[name].account.check_cursor(cursor, self.head, "node.db")

    def check(self) -> None:
        """Compare what the node says with what is owed."""
        assert self.node is not None
        if self.broken is not None:
            raise self.broken
        assert not self.node.loop.errors, self.node.loop.errors
        for status in self.node.supervisor.status():
            account = self.plugins[status.name].account
            account.check_cursor(self.cursor_of(status), self.head, "status")
            if status.state is State.GAPPED and not account.is_gapped and not account.sought:
                self.note("lane is gapped", status.name)
                account.is_gapped = True
            if status.state is State.BLOCKED:
                self.counts["lane is blocked"] += 1
        for name, order in list(self.node.orders.items()):
            if order.task.done():
                del self.node.orders[name]
                self._answer(order)

    def _answer(self, order: Order) -> None:
        error = order.task.exception()
        if error is not None and not isinstance(error, (BigchainDBError, OSError)):
            raise error
        answer = error or (order.task.result() if isinstance(order.task.result(), dict) else "")
        self.note(f"order {'refused' if error else 'done'}", f"{order.what} {answer}")
        order.on_done(error)

    def _clear_away(self) -> None:
        with suppress(AssertionError):
            if self.node is not None:
                self._leave()
        for plugin in self.plugins.values():
            for process in plugin.processes:
                process.release()


class _Listener(logging.Handler):
    """Hears that an event is passed over: nothing else tells it."""

    def __init__(self, history: NodeRuns) -> None:
        super().__init__(logging.ERROR)
        self._history = history

    def emit(self, record: logging.LogRecord) -> None:
        fields = record.__dict__
        if record.getMessage() == "event is skipped":
            name, number = self._about(fields)
            self._history.note("event is skipped", f"{name} {number}")
            self._history.plugins[name].account.skip(number)
        elif record.getMessage() == "event is parked, see `bigchaindb plugins parked`":
            self._history.note("event is set aside", "{} {}".format(*self._about(fields)))

    def _about(self, fields: dict[str, Any]) -> tuple[str, int]:
        if "plugin" in fields:
            return fields["plugin"], fields["position"]
        return fields["subscription"], self._history.number_of(fields["place"])
