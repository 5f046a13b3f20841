"""The status of a lane (P14)."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from bigchaindb.eventlog import orders
from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.numbering import ROWS, Numbering

PLUGIN: Final = "plugin"
SUBSCRIPTION: Final = "subscription"
IN_WORDS: Final = {PLUGIN: orders.PLUGIN, SUBSCRIPTION: SUBSCRIPTION}
"""Kinds as errors name them."""


class ConsumerStatus(NamedTuple):
    """Who takes events from a subscription.

    Attributes:
        consumer: its name, such as `c7`.
        label: as it calls itself; "" if it does not.
        in_hand_count: events that are out with it.
    """

    consumer: str
    label: str
    in_hand_count: int


@dataclass(frozen=True, kw_only=True)
class LaneStatus:
    """A lane at one moment.

    Attributes:
        since: when the state began, Unix seconds.
        position: the cursor: up to here every event is settled.
        lag: events of the log beyond it.
        in_hand: numbers of what was given out and is not settled, ascending; a plugin's are positions.
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
        kind: `PLUGIN` or `SUBSCRIPTION`.
        number: the cursor as a number, which may lie within a block; None of a plugin.
        numbering: of `number` and `in_hand`.
        consumers: of a subscription, in the order in which they came.
        waits_for: the key of a subscription's oldest event in hand, whose later ones wait for it; "" if nothing waits.
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
    kind: str = PLUGIN
    number: int | None = None
    numbering: Numbering = ROWS
    consumers: tuple[ConsumerStatus, ...] = ()
    waits_for: str = ""
