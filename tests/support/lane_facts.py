"""Facts that happen to a lane, for tests."""

from bigchaindb.eventlog.facts import Action, Ended, Fact, Raised
from bigchaindb.eventlog.lane import Lane, Progress, State
from bigchaindb.eventlog.retrying import Policy
from bigchaindb.eventlog.transitions import step

POLICY = Policy(attempts=3, duration_s=0)
LIVE = Lane(State.LIVE, epoch=1)


def told(
    lane: Lane, *facts: Fact, policy: Policy = POLICY, draw: float = 0.5, now: float = 1_000.0
) -> tuple[Lane, list[Action]]:
    actions: list[Action] = []
    for fact in facts:
        lane, more = step(lane, fact, policy, draw, now)
        actions += more
    return lane, actions


def in_hand(*positions: int, delivered: set[int] | None = None, reached: int = 0) -> Progress:
    return Progress(
        positions[0] - 1,
        max(reached, *positions),
        positions,
        delivered={*positions} if delivered is None else delivered,
    )


def ended(progress: Progress, *, is_blameless: bool = False) -> Ended:
    return Ended(Raised("x"), progress, is_blameless)


def crashed(*positions: int) -> Ended:
    return ended(in_hand(*positions) if positions else Progress())


def down(*positions: int) -> Ended:
    return Ended(Raised("Unavailable: x", is_unavailable=True), in_hand(*positions))
