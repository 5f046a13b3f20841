"""States of lanes, for tests."""

from bigchaindb.eventlog.lane import State
from bigchaindb.subscribers.lane_status import LaneStatus


def status(error: str, state: State = State.BACKOFF, *, is_error_past: bool = False) -> LaneStatus:
    """Make the state of a lane with an event in hand and one that is parked."""
    return LaneStatus(
        name="audit",
        state=state,
        is_error_past=is_error_past,
        since=0.0,
        epoch=3,
        position=5,
        lag=7,
        in_hand=(6,),
        oldest_s=1.0,
        attempts=2,
        failure_count=2,
        start_count=3,
        parked_count=1,
        error=error,
        warning="keeps events",
        pid=1,
    )
