"""The part of a lane that is written down."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bigchaindb.eventlog.lane import Lane
from bigchaindb.store import TroubleRow
from bigchaindb.subscribers.lane_page import LanePage


@dataclass(frozen=True, slots=True)
class Saving:
    """The part of a lane that is written down, and the page whose progress it is.

    Attributes:
        cursor: as of this moment.
        since: when the state began, Unix seconds.
        returned: positions that came back from being parked and are settled.
        is_packed: the page is a desk's.
    """

    name: str
    lane: Lane
    cursor: int
    since: float
    page: LanePage | None
    returned: Collection[int] = ()
    is_packed: bool = False

    @property
    def troubles(self) -> Sequence[TroubleRow]:
        """Rows of the events in hand; one that returns keeps its own, and a desk's page counts deliveries itself."""
        returning = self.lane.progress.returning
        return [
            TroubleRow(self.name, number, one.attempts, one.failures, one.since, one.error)
            for number, one in self.lane.troubles.items()
            if number > self.cursor and number not in returning and (one.failures or one.error or not self.is_packed)
        ]

    @property
    def listed_counts(self) -> Mapping[int, int]:
        """Deliveries of parked events that return, or that returned before a person sought beyond them."""
        returning, troubles = self.lane.progress.returning, self.lane.troubles.items()
        return {number: one.attempts for number, one in troubles if number in returning or number <= self.cursor}
