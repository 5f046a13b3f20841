"""The status of a lane (P14)."""

from dataclasses import dataclass

from bigchaindb.eventlog.lane import State


@dataclass(frozen=True, kw_only=True)
class LaneStatus:
    """A lane at one moment.

    Attributes:
        since: when the state began, Unix seconds.
        position: the cursor: up to here every event is settled.
        lag: events of the log beyond it.
        in_hand: positions given out and not settled, ascending.
        oldest_s: age of the one in hand for longest.
        attempts: deliveries so far of the event that has failed most often among those in hand; 0 if none has.
        failure_count: ends in a row without an event settled between them.
        start_count: processes since the node started.
        parked_count: events set aside for a person.
        error: why it is in the state, or the last failure; "" if there is none.
        error_at: when it happened, Unix seconds; None if that is not known.
        is_error_past: whether an event was settled since.
        next_attempt_at: when the plugin is started again, Unix seconds; None if no start is due.
        warning: for the plugin's author; "" if there is none.
        pid: of the plugin's process, if there is one.
    """

    name: str
    state: State
    since: float
    epoch: int
    position: int
    lag: int
    in_hand: tuple[int, ...]
    attempts: int
    parked_count: int
    error: str
    oldest_s: float = 0.0
    failure_count: int = 0
    start_count: int = 0
    warning: str = ""
    pid: int | None = None
    error_at: float | None = None
    is_error_past: bool = False
    next_attempt_at: float | None = None
