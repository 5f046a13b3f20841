"""What a lane keeps on disk: its page, its row in `node.db`, and the log that both must agree with.

One thread, the supervisor's own, calls all of it, in order.

Source: promises P2, P6, P8 and P12; decision 0014.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from bigchaindb.eventlog.delivery import FIRST_ATTEMPT, Lane, Progress, State
from bigchaindb.ledger.effects import NO_DIGEST
from bigchaindb.store import LaneRow, Store
from bigchaindb.subscribers.lane_page import LanePage, page_path

_WAITS_FOR_A_PERSON: Final = {State.GAPPED, State.FAILED}


@dataclass(frozen=True, slots=True)
class Saving:
    """What is to be written down of a lane, and the page whose progress it is.

    Attributes:
        acked: read from the page before this is saved, so that the page on the disk is never behind the row.
        attempts: deliveries so far of the event after it.
        since: when the state began, Unix seconds.
    """

    name: str
    lane: Lane
    acked: int
    attempts: int
    since: float
    page: LanePage | None


class LaneFiles:
    """The lanes' part of the data directory."""

    def __init__(self, store: Store) -> None:
        self._directory = store.directory.lanes
        self._directory.mkdir(mode=0o700, exist_ok=True)
        self._node = store.node
        self._knows_node = store.knows_node
        self._log = store.log_reader()
        self._starts: dict[str, int] = {}

    def recover(self, name: str, start: str) -> Lane:
        """Give the lane as the process before left it, or a new one. GAPPED, with the reason, where the log is another.

        Args:
            name: of the plugin.
            start: where a plugin that never ran begins: `now`, after the head, or `genesis`, before the first event.
        """
        row = self._node.lane(name)
        if row is None and not self._knows_node:
            return Lane(State.GAPPED, error="node.db was lost or replaced, and with it where this plugin was")
        if row is None:
            position = self._log.head() if start == "now" else 0
            return Lane(progress=Progress(position, position))
        progress = self._progress(row)
        attempts = dict.fromkeys(progress.in_hand, FIRST_ATTEMPT + 1)
        if progress.in_hand and progress.in_hand[0] == row.acked + 1:
            attempts[progress.in_hand[0]] = row.attempts + 1
        state = State(row.state) if row.state in _WAITS_FOR_A_PERSON else State.STOPPED
        lane = Lane(state, row.epoch, progress, attempts, error=row.last_error or "")
        difference = "" if state is State.GAPPED else self._difference(row, progress)
        return replace(lane, state=State.GAPPED, error=difference) if difference else lane

    def begin_epoch(self, name: str, lane: Lane, *, since: float, head: int, slot_count: int) -> LanePage:
        """Make the page of the lane's epoch; page and row are durable before this returns (P12)."""
        path = page_path(self._directory, name, lane.epoch)
        page = LanePage.create(path, lane.progress, head=head, slot_count=slot_count)
        acked = self._starts[name] = lane.progress.acked
        attempts = lane.attempts.get(acked + 1, FIRST_ATTEMPT)  # the one to come: its process may be killed any moment
        self.save([Saving(name, lane, acked, attempts, since, None)])
        for other in self._directory.glob(f"{path.stem}.*"):  # pages of owners that have no say any more
            if other.stem == path.stem and other.suffix[1:].isdecimal() and other != path:
                other.unlink()
        return page

    def save(self, savings: Iterable[Saving]) -> None:
        """Make pages durable, then rows: each with the log's digest at its cursor (P8)."""
        rows = []
        for saving in savings:
            if saving.page is not None:
                saving.page.sync()
            rows.append(self._row(saving))
        self._node.save_lanes(rows)

    def close(self) -> None:
        """Let go of the log."""
        self._log.close()

    def _progress(self, row: LaneRow) -> Progress:
        try:
            page = LanePage(page_path(self._directory, row.name, row.epoch))
        except FileNotFoundError:
            return Progress(row.acked, row.acked)
        progress = page.progress()
        page.close()
        return progress if progress.acked >= row.acked else Progress(row.acked, row.acked)

    def _difference(self, row: LaneRow, progress: Progress) -> str:
        """Say why the log is not the one that the lane knew; "" if it is (P8)."""
        if progress.handed > (head := self._log.head()):
            return f"the plugin had position {progress.handed}, and the log ends at {head}"
        if self._digest(row.acked) != row.acked_digest:
            return f"position {row.acked} of the log is another event than the one that the plugin acknowledged"
        return ""

    def _row(self, saving: Saving) -> LaneRow:
        lane, acked = saving.lane, saving.acked
        return LaneRow(
            name=saving.name,
            epoch=lane.epoch,
            start_position=self._starts.get(saving.name, acked),
            acked=acked,
            acked_digest=self._digest(acked),
            state=lane.state,
            state_since=saving.since,
            attempts=saving.attempts,
            last_error=lane.error or None,
            updated_at=time.time(),
        )

    def _digest(self, position: int) -> bytes:
        if position == 0:
            return NO_DIGEST
        entry = self._log.entry(position)
        return b"" if entry is None else entry.digest
