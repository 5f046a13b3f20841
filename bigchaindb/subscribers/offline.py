"""Reads and changes lanes while no node runs, by the rules of the running one.

An order steps the same state machine; where that wants a process, none is started: the next node does it. Every order
ends with a page of a new epoch, so that the page of an earlier process no longer counts (P12).

Source: promises P12 to P14; decision 0024.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace

from bigchaindb.config import PluginSettings, Settings
from bigchaindb.errors import OrderRefused, StoreDamaged, SubscriptionDiffers
from bigchaindb.eventlog import facts
from bigchaindb.eventlog.lane import WAITING, Progress, State
from bigchaindb.eventlog.numbering import ROWS, Numbering
from bigchaindb.eventlog.orders import Order, Restart, apply, not_enabled, still_enabled
from bigchaindb.eventlog.retrying import Policy
from bigchaindb.eventlog.subscription import REJECTED, Subscription
from bigchaindb.eventlog.transitions import step
from bigchaindb.ledger.effects import Tip
from bigchaindb.store import LaneRow, Log, NodeDb, Store, TroubleRow
from bigchaindb.store.beside import knows
from bigchaindb.store.database import Readers
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.rejected import RejectedLog
from bigchaindb.subscribers.lane_files import LaneFiles, damage_of, require_newest
from bigchaindb.subscribers.lane_log import RESTORED, UNKNOWN, Kept, LaneLog
from bigchaindb.subscribers.lane_page import LanePage, page_path
from bigchaindb.subscribers.lane_status import IN_WORDS, PLUGIN, SUBSCRIPTION, LaneStatus
from bigchaindb.subscribers.subscriptions import read_back, require_room


def kept_lanes(
    directory: DataDirectory, enabled: Mapping[str, PluginSettings], *, is_compared: bool = False
) -> list[LaneStatus]:
    """Return all lanes that are written down, without changing them. A lane that no node runs is STOPPED at most.

    Args:
        directory: with a node.db.
        enabled: the plugins that a node would run; other lanes are DISABLED.
        is_compared: whether to compare lanes with the log, as the next start does, and show as GAPPED what it will
            find so. No node may run: its files change meanwhile.

    Raises:
        StoreError: the files cannot be read.
    """
    with closing(NodeDb(directory.node, read_only=True)) as node, closing(Log(directory.ledger)) as log:
        is_known = not is_compared or knows(directory, node)
        kept = _Kept(node=node, directory=directory, log=log, is_compared=is_compared, is_known=is_known)
        subscribed = {row.name: read_back(row) for row in node.subscriptions()}
        names = [name for name in node.lane_names() if name not in subscribed]
        if not kept.is_known:
            names += sorted(enabled.keys() - {*names, *subscribed})
        plugins = [kept.status(name, is_enabled=name in enabled) for name in names]
        return [*plugins, *(kept.status(name, wanted, kind=SUBSCRIPTION) for name, wanted in subscribed.items())]


class OfflineDesk:
    """Carries out orders on the lanes of a store that no node uses."""

    def __init__(self, store: Store, chain_id: str, settings: Settings) -> None:
        """Take the lanes of the plugins that are enabled, and of all subscriptions.

        Raises:
            ConfigurationError: where one is to start is no place in this log.
        """
        self._store = store
        self._settings = settings
        self._files = LaneFiles(store, chain_id)
        try:
            self._recover()
        except BaseException:
            self._files.close()
            raise

    def _recover(self) -> None:
        store, plugins = self._store, self._settings.events_plugins
        self._lanes = {name: self._files.recover(name, one.start) for name, one in plugins.items()}
        self._subscribed = {row.name: wanted for row in store.node.subscriptions() if (wanted := read_back(row))}
        for name, wanted in self._subscribed.items():
            self._lanes[name] = self._files.recover(name, None, wanted.numbering, wanted.log)
        if not store.knows_node:
            for name in self._lanes:  # GAPPED in the new node.db before the ledger takes it for its own
                self._keep(name)
            store.adopt_node()

    def close(self) -> None:
        """Close the log."""
        self._files.close()

    def status(self, name: str) -> LaneStatus:
        """Return the status of a lane."""
        kept = kept_lanes(self._store.directory, self._settings.events_plugins)
        return next(lane for lane in kept if lane.name == name)

    def order(self, name: str, order: Order) -> None:
        """See `Supervisor.order`; the next node starts what is to run."""
        if isinstance(order, Restart):
            raise OrderRefused(
                "the node is not running; when it starts, it runs each plugin as it is installed then, and gives what "
                "subscriptions have in hand again"
            )
        if (lane := self._lanes.get(name)) is None:
            raise not_enabled(name, self._lanes)
        known = self._files.known(name, order, self._head(self._subscribed.get(name)))
        if (wanted := self._subscribed.get(name)) is not None:
            known = replace(known, kind=IN_WORDS[SUBSCRIPTION], numbering=wanted.numbering)
        effects = apply(name, order, lane, known)
        if effects.returning:
            self._files.let_return(name, [*effects.returning])
        if effects.fact is not None:
            self._take(name, effects.fact)
        elif effects.starts:
            self._take(name, facts.Enabled())
        if effects.forgotten:
            self._store.node.unpark(name, effects.forgotten)

    def create(self, wanted: Subscription, *, is_change: bool) -> bool:
        """See `Supervisor.create`."""
        if (known := self._subscribed.get(wanted.name)) is None:
            require_room(wanted.name, self._lanes, len(self._subscribed), self._settings.limits.subscription_count_max)
            self._files.subscriptions.define(wanted, self._head(wanted))
            return True
        if differences := known.differences(wanted):
            if not is_change:
                raise SubscriptionDiffers(wanted.name, differences)
            self._files.subscriptions.redefine(known.changed(wanted))
        return False

    def delete(self, name: str) -> None:
        """See `Supervisor.delete`."""
        if name not in self._settings.events_plugins:
            self._files.delete(name)

    def forget(self, name: str) -> None:
        """See `Supervisor.forget`."""
        if name in self._settings.events_plugins:
            raise still_enabled(name)
        self._files.forget(name)

    def _take(self, name: str, fact: facts.Fact) -> None:
        lane = self._lanes[name]
        for one in (fact, facts.Stopping()):  # what wants a process waits for the next node
            lane, _ = step(lane, one, Policy(), 0.0, time.time())
        self._lanes[name] = lane
        self._keep(name, is_sought=isinstance(fact, facts.Sought))

    def _keep(self, name: str, *, is_sought: bool = False) -> None:
        """Write a lane down, with a page of its next epoch."""
        lane = self._lanes[name]
        self._lanes[name] = lane = replace(lane, epoch=lane.epoch + 1)
        limits = self._settings.limits
        if (wanted := self._subscribed.get(name)) is not None:
            slot_count = min(wanted.window_count, limits.subscription_window_count_max)
        else:
            slot_count = self._settings.events_plugins[name].window or limits.window_count_max
        self._files.begin_epoch(
            name,
            lane,
            since=time.time(),
            head=self._head(wanted),
            slot_count=slot_count,
            is_sought=is_sought,
            is_packed=wanted is not None,
        ).close()

    def _head(self, wanted: Subscription | None) -> int:
        """Return the last position of the log that a lane follows."""
        if wanted is not None and wanted.log == REJECTED:
            return self._store.rejected_log().head()
        return self._store.writer.tip().position


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """What is written down of lanes.

    Attributes:
        node: holds the rows.
        directory: of the node.
        log: its events.
        is_compared: whether lanes are compared with the log.
        is_known: whether they are of the node that the ledger knows, or are not compared.
    """

    node: NodeDb
    directory: DataDirectory
    log: Log
    is_compared: bool
    is_known: bool

    def status(
        self, name: str, wanted: Subscription | None = None, *, kind: str = PLUGIN, is_enabled: bool = True
    ) -> LaneStatus:
        """Return the status of a lane; of a subscription `wanted`, unless only a later version can read it."""
        troubles, progress, unsettled = list[TroubleRow](), Progress(), tuple[int, ...]()
        numbering = ROWS if wanted is None else wanted.numbering
        row: LaneRow | None = None
        gap = ""
        try:
            row = self.node.lane(name, is_subscribed=kind == SUBSCRIPTION)
            if row is None:  # enabled, and unknown to the data
                gap = UNKNOWN.format(name=name)
            else:
                progress, troubles = Progress(row.acked, row.acked), self.node.troubles(name)
                progress, unsettled = self._progress(row)
                gap = self._gap(row, progress, wanted, numbering) if is_enabled else ""
        except StoreDamaged as error:  # as the next start finds it
            *_, gap = damage_of(name, row, error, self.directory.lanes, numbering, self._head(wanted))
        row = row or LaneRow(name, 0, 0, 0, b"", State.STOPPED, 0.0, None, 0.0)
        if gap:
            row = replace(row, state=State.GAPPED, last_error=gap)
        state = State(row.state) if State(row.state) in WAITING else State.STOPPED
        return LaneStatus(
            name=row.name,
            state=state if is_enabled else State.DISABLED,
            since=row.state_since,
            epoch=row.epoch,
            position=numbering.seen(progress.cursor),
            lag=max(0, self._head(wanted) - numbering.seen(progress.cursor)),
            in_hand=unsettled,
            attempts=max((one.attempts for one in troubles), default=0),
            parked_count=self.node.parked_count(row.name),
            error=row.last_error or "",
            # A lane that waits began to when its error was told; when others failed is not written down.
            error_at=row.state_since if row.last_error and not gap and state in WAITING - {State.PAUSED} else None,
            kind=kind,
            number=progress.cursor if kind == SUBSCRIPTION else None,
            numbering=numbering,
        )

    def _progress(self, row: LaneRow) -> tuple[Progress, tuple[int, ...]]:
        """Return how far a lane is by its row and its page, and what the page has in hand."""
        written = Progress(row.acked, row.acked)
        try:
            page = LanePage(page_path(self.directory.lanes, row.name, row.epoch))
        except FileNotFoundError:
            if self.is_compared:
                require_newest(row, self.directory.lanes)
            return written, ()
        with closing(page):
            page.require_whole()
            progress = page.progress()
        return written if progress.cursor < row.acked else progress, progress.unsettled

    def _gap(self, row: LaneRow, progress: Progress, wanted: Subscription | None, numbering: Numbering) -> str:
        """Return why the next start will take the lane for GAPPED, as `LaneFiles.recover` does; "" if it goes on."""
        if not self.is_compared or row.state == State.GAPPED:
            return ""
        if not self.is_known:
            seen = numbering.seen(progress.cursor)
            return RESTORED.format(name=row.name, cursor=seen, next=seen + 1)
        with self._followed(wanted) as log, suppress(StoreDamaged):  # it goes on, and fails at what it cannot read
            return LaneLog(log, "", Tip).difference(row, progress, numbering)
        return ""

    def _head(self, wanted: Subscription | None) -> int:
        with self._followed(wanted) as log:
            return log.head()

    @contextmanager
    def _followed(self, wanted: Subscription | None) -> Iterator[Kept]:
        """Open the log that a lane follows."""
        if wanted is None or wanted.log != REJECTED:
            yield self.log
            return
        with closing(Readers(self.directory.node)) as readers:
            yield RejectedLog(readers)
