"""What a lane keeps on disk: its page, its rows in `node.db`, and the log that both must agree with.

One thread, the supervisor's own, calls all of it, in order.

Source: promises P2, P6, P8 and P12; decisions 0014 and 0024.
"""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from bigchaindb.errors import RESTORE, ConfigurationError, StoreDamaged, StoreError, UnknownPlace
from bigchaindb.eventlog import place
from bigchaindb.eventlog.lane import WAITING, Lane, Progress, State, Trouble, count_deliveries
from bigchaindb.eventlog.numbering import ROWS, Numbering
from bigchaindb.eventlog.orders import POSITION_COUNT_MAX, Discard, Known, Order, Retry, Seek
from bigchaindb.eventlog.subscription import EVENTS, REJECTED
from bigchaindb.ledger.effects import Tip
from bigchaindb.store import LaneRow, NodeDb, Store, TroubleRow
from bigchaindb.streams.cloud_events import rejected_name
from bigchaindb.subscribers.lane_log import LOST, RESTORED, UNKNOWN, LaneLog
from bigchaindb.subscribers.lane_page import LanePage, page_path, pages_of, remove_pages
from bigchaindb.subscribers.saving import Saving
from bigchaindb.subscribers.seek_counts import SeekCounts
from bigchaindb.subscribers.subscription_files import SubscriptionFiles

_FORGET_COUNT: Final = 1_000
"""Rows that one statement's worth of memory holds; a lane may have set any number aside."""
_DAMAGED: Final = "{damage}, or say where it goes on, of which {known}: bigchaindb plugins seek {name} {place}"


class LaneFiles:
    """The lanes' part of the data directory.

    Attributes:
        node: holds the rows.
        subscriptions: their definitions.
    """

    def __init__(self, store: Store, chain_id: str) -> None:
        self._directory = store.directory.lanes
        self._directory.mkdir(mode=0o700, exist_ok=True)
        self.node = store.node
        self._store = store
        self._logs = {
            EVENTS: LaneLog(store.log_reader(), chain_id, store.writer.tip),
            REJECTED: LaneLog(store.rejected_log(), rejected_name(chain_id, store.node.id), Tip),
        }
        self.subscriptions = SubscriptionFiles(store.node, self._logs)
        self._followed: dict[str, LaneLog] = {}
        self._numberings: dict[str, Numbering] = {}
        self._places: dict[str, tuple[int, bytes]] = {}
        self._starts: dict[str, int] = {}
        self._ran: set[str] = set()
        self._seeks = SeekCounts(store.node)
        self._epochs: dict[str, int] = {}  # of the page on disk; writing a later one may have failed

    def recover(self, name: str, start: str | None, numbering: Numbering = ROWS, log: str = EVENTS) -> Lane:
        """Return the lane as the node before left it, or a new one. GAPPED, with the reason, where the log is another.

        Args:
            name: of the plugin or the subscription.
            start: where a plugin that never ran begins, as a place in the log; None of a subscription, whose lane is
                written down with it.
            numbering: of what the lane delivers.
            log: that it follows.

        Raises:
            ConfigurationError: `start` is no place in this log.
        """
        row = None
        self._numberings[name], self._followed[name] = numbering, self._logs[log]
        try:
            row = self.node.lane(name, is_subscribed=start is None)
            known = self.node.troubles(name)
            self._seeks.learn(name)  # damaged, it must not be taken for another by a plugin
            found = None if row is None else self._progress(row, known)
        except StoreDamaged as error:
            return self._damaged(name, row, error)
        self._epochs[name] = 0 if row is None else row.epoch
        if row is None or found is None:
            assert start is not None, name
            return self._new(name, start)
        self._places[name] = row.acked, row.acked_digest
        progress, is_whole = found
        # A returning event's row is that of its park: its deliveries count on, its failures begin anew.
        troubles = {
            one.position: Trouble(one.attempts, one.failures, one.since, one.error)
            if one.returns_in is None
            else Trouble(one.attempts)
            for one in known
        }
        lane = Lane(
            state=State(row.state) if row.state in WAITING else State.STOPPED,
            epoch=row.epoch,
            progress=replace(progress, delivered=frozenset(), counts={}),
            troubles=count_deliveries(troubles, progress),  # its process ended with the node: deliveries, no failures
            error=row.last_error or "",
            has_run=self._has_run(name),
        )
        if lane.state is State.GAPPED:
            return lane
        try:
            gap = self._log(name).difference(row, progress, numbering)
        except StoreDamaged as error:  # it goes on where it was, and fails at what it cannot read
            return replace(lane, error=str(error))
        if not self._store.knows_node:
            seen = numbering.seen(progress.cursor)
            gap = RESTORED.format(name=name, cursor=seen, next=seen + 1)
        if gap:
            return replace(lane, state=State.GAPPED, error=gap)
        return lane if is_whole else self._in_turn(name, lane)

    def known(self, name: str, order: Order, head: int) -> Known:
        """Return what an order depends on.

        Raises:
            EventError: its place is in no log, or in another; or it is a height or a time that has not come: until then
                the plugin would get what lies before it.
        """
        match order:
            case Seek(where):
                return Known(position=self._log(name).resolve(place.parse(where), head, self._numbering(name)))
            case Retry(None):
                rows = self.node.parked(name, count_max=POSITION_COUNT_MAX)
                return Known(parked={row.position: row.attempts for row in rows})
            case Retry(positions) | Discard(positions):
                return Known(parked=parked_attempts(self.node, name, positions or ()))
        return Known()

    def begin_epoch(
        self,
        name: str,
        lane: Lane,
        *,
        since: float,
        head: int,
        slot_count: int,
        is_sought: bool = False,
        is_packed: bool = False,
    ) -> LanePage:
        """Make the page of the lane's epoch; page and row are durable before this returns (P12).

        Args:
            name: of the plugin.
            lane: as it goes on.
            since: when its state began, Unix seconds.
            head: of the log.
            slot_count: the plugin's window.
            is_sought: a person sent it there. All that follows from that is written with the row, or nothing is.
            is_packed: for a desk.
        """
        path = page_path(self._directory, name, lane.epoch)
        counts = {position: trouble.attempts for position, trouble in lane.troubles.items()}
        seeks = self._seeks.at(name, is_sought=is_sought)
        page = LanePage.create(
            path, lane.progress, head=head, slot_count=slot_count, counts=counts, is_packed=is_packed, seek_count=seeks
        )
        cursor = self._starts[name] = lane.progress.cursor
        epoch, self._epochs[name] = self._epochs.get(name, 0), lane.epoch
        try:
            saving = Saving(name, lane, cursor, since, None, is_packed=is_packed)
            self.save([saving], sought={name: seeks} if is_sought else None)
        except BaseException:
            page.close()
            self._epochs[name] = epoch
            raise
        if is_sought:
            self._seeks.note(name, seeks)
        remove_pages(self._directory, name, but=lane.epoch)  # of owners that have no say any more
        return page

    def save(self, savings: Collection[Saving], *, sought: Mapping[str, int] | None = None) -> None:
        """Make rows durable, each with the log's digest at its cursor (P8). For `sought`: `NodeDb`.

        Where they cannot be written, the pages are made durable instead: after a power cut their cursors count (P6).
        """
        try:
            for saving in savings:
                if saving.returned:
                    self.node.unpark(saving.name, saving.returned)
            counts = {saving.name: saving.listed_counts for saving in savings}
            rows = {self._row(saving): saving.troubles for saving in savings}
            self.node.save_lanes(rows, counts=counts, sought=sought)
        except StoreError:
            for saving in savings:
                if saving.page is not None:
                    saving.page.sync()
            raise
        for name in [saving.name for saving in savings if saving.lane.has_run and saving.name not in self._ran]:
            self.node.note_run(name)
            self._ran.add(name)

    def park(self, name: str, troubles: Mapping[int, Trouble]) -> None:
        """Record that events are parked, by position; durable before this returns."""
        now = time.time()
        parked = (
            TroubleRow(name, position, one.attempts, one.failures, one.since, one.error, now)
            for position, one in troubles.items()
        )
        self.node.park(*parked)

    def let_return(self, name: str, positions: Collection[int]) -> None:
        """Note that these parked events return from the next page on; older pages do not show their settlement."""
        self.node.let_return(name, positions, self._epochs[name] + 1)  # the lane's own counts pages that nobody made

    def forget(self, name: str) -> None:
        """Delete everything that is kept of a plugin's lane.

        Raises:
            OrderRefused: it is a subscription's.
        """
        self.subscriptions.require_plugin(name)
        self.node.forget_lane(name)
        self._forgotten(name)

    def delete(self, name: str) -> None:
        """Delete a subscription and everything that is kept of it, if there is one of this name."""
        if self.subscriptions.delete(name):
            self._forgotten(name)

    def _forgotten(self, name: str) -> None:
        self._ran.discard(name)
        self._seeks.forget(name)
        self._places.pop(name, None)
        remove_pages(self._directory, name)

    def place(self, name: str) -> tuple[int, bytes]:
        """Return a cursor of a lane, as it was written down last, and the log's digest there; any thread may ask."""
        return self._places.get(name, (0, b""))

    def close(self) -> None:
        """Close the logs."""
        for log in self._logs.values():
            log.close()

    def _has_run(self, name: str) -> bool:
        if self.node.has_run(name):
            self._ran.add(name)
        return name in self._ran

    def _new(self, name: str, start: str) -> Lane:
        if not self._store.knows_node:  # once it does, what is enabled is known to be new
            reason = LOST if self.node.is_new else UNKNOWN
            return Lane(State.GAPPED, error=reason.format(name=name))
        try:
            number = self._numbering(name).behind(self._log(name).start(place.parse(start)))
        except UnknownPlace as error:
            raise ConfigurationError(f"events_plugins.{name}.start: {error}") from error
        return Lane(progress=Progress(number, number))

    def _damaged(self, name: str, row: LaneRow | None, error: StoreDamaged) -> Lane:
        """Return a lane of which a row or the page is damaged: GAPPED, as a place that is not the last repeats much."""
        head = self._log(name).head()
        epoch, number, text = damage_of(name, row, error, self._directory, self._numbering(name), head)
        self._epochs[name] = epoch
        return Lane(State.GAPPED, epoch, Progress(number, number), error=text, has_run=self._has_run(name))

    def _progress(self, row: LaneRow, known: Collection[TroubleRow]) -> tuple[Progress, bool]:
        """Return the progress by page and rows, and whether they cover the events beyond the cursor."""
        returning = {one.position: one.returns_in or 0 for one in known if one.parked_at is not None}
        path = page_path(self._directory, row.name, row.epoch)
        try:
            page = LanePage(path)
        except FileNotFoundError:
            require_newest(row, self._directory)
            return Progress(row.acked, row.acked, returning=tuple(sorted(returning))), False
        with closing(page):
            page.require_whole()
            progress = page.progress()
            is_whole = page.is_of_this_boot
        # First: the row's cursor has passed what was set aside, and its process may have ended before it settled that.
        # What came back and is listed no more was skipped since the page was left.
        parked = {one for some in _pieces(progress.unsettled) for one in self.node.parked_among(row.name, some)}
        progress = progress.without(parked.union(progress.returning).difference(returning))
        if progress.cursor < row.acked:
            progress = Progress(row.acked, row.acked)
            is_whole = False
        if is_whole:  # what its page does not hold any more is settled
            settled = [p for p, epoch in returning.items() if epoch <= row.epoch and p not in progress.returning]
            self.node.unpark(row.name, settled)
            returning = {position: epoch for position, epoch in returning.items() if position not in settled}
        returning_all = {*progress.returning, *returning} - {*progress.in_hand}
        return replace(progress, returning=tuple(sorted(returning_all))), is_whole

    def _in_turn(self, name: str, lane: Lane) -> Lane:
        """Forget the events parked beyond a cursor that is all that is known: they come in their turn, like the rest.

        Otherwise they would be delivered while they are listed, and a second time when somebody retries them (P3).
        """
        cursor = lane.progress.cursor
        while rows := self.node.parked(name, after=cursor, count_max=_FORGET_COUNT):
            self.node.unpark(name, [row.position for row in rows])
        returning = tuple(position for position in lane.progress.returning if position <= cursor)
        return replace(lane, progress=replace(lane.progress, returning=returning))

    def _row(self, saving: Saving) -> LaneRow:
        lane, cursor = saving.lane, saving.cursor
        digest = self._known_digest(saving.name, cursor)
        self._places[saving.name] = cursor, digest
        return LaneRow(
            name=saving.name,
            epoch=self._epochs[saving.name],
            start_position=self._starts.get(saving.name, cursor),
            acked=cursor,
            acked_digest=digest,
            state=lane.state,
            state_since=saving.since,
            last_error=lane.error or None,
            updated_at=time.time(),
        )

    def _known_digest(self, name: str, cursor: int) -> bytes:
        """Return the log's digest at a cursor; if that row is damaged, the one written down before."""
        try:
            return self._log(name).digest(self._numbering(name).position(cursor))
        except StoreDamaged:
            with suppress(StoreDamaged):
                if (row := self.node.lane(name)) is not None and row.acked == cursor:
                    return row.acked_digest
            return b""

    def _log(self, name: str) -> LaneLog:
        return self._followed.get(name, self._logs[EVENTS])

    def _numbering(self, name: str) -> Numbering:
        return self._numberings.get(name, ROWS)


def left(files: LaneFiles, name: str, page: LanePage, numbering: Numbering) -> tuple[Progress, str]:
    """Return the progress that an ended process left; where its page is damaged, what was written down, and a word."""
    try:
        page.require_whole()
    except StoreDamaged as error:
        cursor, _ = files.place(name)
        known, place = f"position {numbering.text(cursor)} is written down", f"position:{numbering.seen(cursor) + 1}"
        return Progress(cursor, cursor), _DAMAGED.format(damage=error, name=name, known=known, place=place)
    return page.progress(), ""


def parked_attempts(node: NodeDb, name: str, positions: Collection[int]) -> Mapping[int, int]:
    """Return the deliveries so far of those of these events that are parked."""
    found: dict[int, int] = {}
    for position in positions:
        rows = node.parked(name, after=position - 1, count_max=1)
        found |= {row.position: row.attempts for row in rows if row.position == position}
    return found


def damage_of(
    name: str, row: LaneRow | None, error: StoreDamaged, directory: Path, numbering: Numbering, head: int
) -> tuple[int, int, str]:
    """Return epoch and cursor of a lane of which a row or the page is damaged, and the damage with what to do."""
    epoch, number, known = _known_of(name, row, directory, numbering)
    if numbering.position(number) > head:
        number = 0
    place = f"position:{numbering.seen(number) + 1}" if number else "WHERE"
    return epoch, number, _DAMAGED.format(damage=error, name=name, known=known, place=place)


def _known_of(name: str, row: LaneRow | None, directory: Path, numbering: Numbering) -> tuple[int, int, str]:
    """Return epoch and cursor of a lane of which a row is damaged, as far as they are known, and how."""
    if row is not None:
        return row.epoch, row.acked, f"position {numbering.text(row.acked)} is written down"
    pages = {number: path for path, number in pages_of(directory, name) if path.suffix != ".new"}
    epoch = max(pages, default=0)
    if pages:
        with suppress(StoreDamaged), closing(LanePage(pages[epoch])) as page:
            page.require_whole()
            checksum = "" if page.is_read_checked else ", which has no checksum,"
            return epoch, page.cursor, f"the page{checksum} has position {numbering.text(page.cursor)}"
    return epoch, 0, "nothing is known"


def require_newest(row: LaneRow, directory: Path) -> None:
    """Require that a row without its page is not that of an older run: pages are removed once their row is replaced.

    Raises:
        StoreDamaged: there is a later page, so the row comes from an older copy of the file.
    """
    epoch = max((number for path, number in pages_of(directory, row.name) if path.suffix != ".new"), default=0)
    if 0 < row.epoch < epoch:  # of a lane that has not run there is no page yet
        raise StoreDamaged(
            f"{directory.with_name('node.db')} is older than {page_path(directory, row.name, epoch)}, so what it says "
            f"of the lane is not the last; {RESTORE}"
        )


def _pieces(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    """Return parts of what a window holds, each for one statement."""
    return (numbers[at : at + _FORGET_COUNT] for at in range(0, len(numbers), _FORGET_COUNT))
