"""The log as lanes are compared with it: what a place in it is, and whether it is the log that a lane knew (P8).

One thread, the lanes' own, calls all of it, in order.
"""

import time
from collections.abc import Callable
from typing import Final, Protocol

from bigchaindb.errors import HistoryLost, UnknownPlace
from bigchaindb.eventlog import place, token
from bigchaindb.eventlog.lane import Progress
from bigchaindb.eventlog.numbering import Numbering
from bigchaindb.eventlog.place import AtHeight, AtTime, AtToken, Place
from bigchaindb.eventlog.token import digest_at
from bigchaindb.ledger.effects import Tip
from bigchaindb.ledger.ports import LogReader
from bigchaindb.store import LaneRow

LOST: Final = (
    "node.db was lost, and with it where this plugin was; `now` would skip all that is in the log. "
    "Say where it goes on, with everything again: bigchaindb plugins seek {name} genesis"
)
UNKNOWN: Final = (
    "these data were restored from a backup or put together from two, and do not know this plugin: it never ran, or "
    "only over what came later and is gone; `now` would skip all that is in the log. "
    "Say where it goes on, with everything again: bigchaindb plugins seek {name} genesis"
)
RESTORED: Final = (
    "these data were restored from a backup or put together from two: all was settled up to position {cursor} of the "
    "log that they are from; say where it goes on: bigchaindb plugins seek {name} position:{next}"
)
_SHORTER: Final = (
    "it had position {reached}, and the log ends at {head}; say where it goes on, with what comes next: "
    "bigchaindb plugins seek {name} position:{next}"
)
_OTHER: Final = (
    "position {cursor} of the log is another event than the one that was acknowledged; "
    "`now` would skip all that is in the log. "
    "Say where it goes on, with everything again: bigchaindb plugins seek {name} genesis"
)


_GONE: Final = (
    "it had position {cursor}, and the log begins at {first}: the rows between went for newer ones "
    "(limits.rejected_log_count_max, limits.rejected_log_bytes_max); say where it goes on, with what is left: "
    "bigchaindb plugins seek {name} genesis"
)


class Kept(LogReader, Protocol):
    """A log, whose oldest rows may go."""

    def first(self) -> int:
        """Return the first position that it holds."""
        ...


class LaneLog:
    """One log of a node."""

    def __init__(self, log: Kept, name: str, tip: Callable[[], Tip]) -> None:
        """Compare with `log`.

        Args:
            log: the log.
            name: begins the ids of its events.
            tip: returns where the chain stands.
        """
        self._tip = tip
        self._chain_id = name
        self._log = log

    def close(self) -> None:
        """Close the file."""
        self._log.close()

    def head(self) -> int:
        """Return the last position."""
        return self._log.head()

    def start(self, where: Place) -> int:
        """Return the position behind which a new plugin begins; what has not come yet is `now`.

        Raises:
            EventError: as `place.resolve`.
        """
        return place.resolve(where, self._log, self._chain_id, self._log.head())

    @property
    def _before(self) -> int:
        """The position before the first row that the log holds."""
        return self._log.first() - 1

    def resolve(self, where: Place, head: int, numbering: Numbering) -> int:
        """Return the number behind which a place is.

        Raises:
            EventError: it is in no log, or in another; or it is a height or a time that has not come.
        """
        if isinstance(where, AtToken):
            return numbering.of_token(token.known(where.text, self._log, self._chain_id, head))
        position = place.resolve(where, self._log, self._chain_id, head)
        if position < (before := self._before):
            if position:
                raise HistoryLost(position, head)
            position = before  # the beginning is what is left
        if position < head:
            return numbering.behind(position)
        match where:
            case AtHeight(height) if height > (last := self._height(head)) + 1:
                raise UnknownPlace(f"height:{height} is beyond the end: the last is {last}; `now` is what comes next")
            case AtTime(seconds) if seconds > time.time():
                raise UnknownPlace(f"time:{seconds}, Unix seconds, has not come yet; `now` is what comes next")
        return numbering.behind(position)

    def difference(self, row: LaneRow, progress: Progress, numbering: Numbering) -> str:
        """Return why the log is not the one that the lane knew; "" if it is (P8)."""
        head = self._log.head()
        if numbering.position(progress.reached) > head:
            reached, next_ = numbering.text(progress.reached), min(numbering.seen(progress.cursor), head) + 1
            return _SHORTER.format(name=row.name, reached=reached, head=head, next=next_)
        if (cursor := numbering.position(row.acked)) < (before := self._before):
            return _GONE.format(name=row.name, cursor=cursor, first=before + 1)
        if self.digest(cursor) != row.acked_digest:
            return _OTHER.format(name=row.name, cursor=numbering.text(row.acked))
        return ""

    def digest(self, position: int) -> bytes:
        """Return the digest up to a position; empty if the log has no such position."""
        return digest_at(self._log, position) or b""

    def _height(self, position: int) -> int:
        """Return the chain's height at an event; blocks behind the last event may log nothing."""
        tip = self._tip()
        if tip.position == position:
            return tip.height
        entry = self._log.entry(position)
        return 0 if entry is None else entry.height
