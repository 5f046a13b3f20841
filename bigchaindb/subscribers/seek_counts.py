"""How often each lane was sent to another place, as its plugin is told."""

import time
from typing import Final

from bigchaindb.errors import StoreDamaged
from bigchaindb.eventlog.lane import State
from bigchaindb.store import NodeDb


class SeekCounts:
    """The numbers of all lanes, each read once: its row may be damaged while the node runs.

    Each process of a plugin would get another number else, and what comes again after a crash would look wanted.
    """

    def __init__(self, node: NodeDb) -> None:
        self._node: Final = node
        self._counts: dict[str, int] = {}

    def learn(self, name: str) -> int:
        """Return the number of a lane, by its row if that was not read yet.

        Raises:
            StoreDamaged: the row is not what was written, or one of no other lane.
        """
        if name not in self._counts:
            self._counts[name] = self._node.seek_count(name)
        return self._counts[name]

    def at(self, name: str, *, is_sought: bool) -> int:
        """Return the number of a lane, with the seek that is under way.

        Out of a gap it is one that no seek ever had: others, which a restore has undone, may stand in the target.
        """
        try:
            count = self.learn(name)
            row = self._node.lane(name) if is_sought else None
        except StoreDamaged:  # the lane is GAPPED until it is sought, or has a number and a damaged row
            count = max(self._counts.get(name, 0) + is_sought, int(time.time()))
            if not is_sought:  # the row may have been damaged before it was ever read: all that follow get this one
                self._counts[name] = count
            return count
        is_gapped = row is not None and row.state == State.GAPPED
        return max(count + 1, int(time.time())) if is_gapped else count + is_sought

    def note(self, name: str, count: int) -> None:
        """Take the number of a seek that is written down."""
        self._counts[name] = count

    def forget(self, name: str) -> None:
        """Forget a lane that was forgotten."""
        self._counts.pop(name, None)
