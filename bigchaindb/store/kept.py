"""Rows of node.db about lanes, as values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LaneRow:
    """What is kept of a lane besides its page.

    Attributes:
        epoch: number of its owner; its page is `lanes/NAME.EPOCH`.
        start_position: the position that this epoch began after.
        acked: as of the page's last sync; never above what the page said.
        acked_digest: of the log at `acked`, 32 bytes; must agree with the log at start (P8).
        state: a state of `bigchaindb.eventlog`'s table, by name.
        state_since: Unix seconds.
        updated_at: Unix seconds.
    """

    name: str
    epoch: int
    start_position: int
    acked: int
    acked_digest: bytes
    state: str
    state_since: float
    last_error: str | None
    updated_at: float


@dataclass(frozen=True, slots=True)
class TroubleRow:
    """An event of a lane that failed.

    Attributes:
        attempts: deliveries so far.
        failures: those that were its own fault.
        since: of the first of these, Unix seconds.
        parked_at: when it was set aside, Unix seconds; None: it is in hand.
        returns_in: the first epoch whose page holds it again, at a person's wish; None: it stays parked.
    """

    lane: str
    position: int
    attempts: int
    failures: int
    since: float
    error: str
    parked_at: float | None = None
    returns_in: int | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionRow:
    """A lane that is consumed over the network.

    Attributes:
        definition: JSON, as `bigchaindb.eventlog.subscription` reads it.
        created: Unix seconds.
        start: the number behind which it began.
    """

    name: str
    definition: str
    created: float
    start: int
