"""What people see of a lane beside its state: since when, with which error, and lines of the log."""

import logging
from typing import Final

from bigchaindb.eventlog import facts
from bigchaindb.eventlog.lane import RUNNING, WAITING, Lane, State
from bigchaindb.subscribers.lane_status import IN_WORDS, PLUGIN, SUBSCRIPTION, LaneStatus
from bigchaindb.subscribers.lane_work import Work, noted
from bigchaindb.subscribers.machine import Machine
from bigchaindb.subscribers.plugin_run import PluginRun

SHORT_RUN_COUNT: Final = 3
"""A plugin that works in pieces may return early once or twice; more is a missing loop."""

_STUCK: Final = {
    PLUGIN: "events plugin has not asked for another event",
    SUBSCRIPTION: "a consumer of the subscription has not answered for an event",
}
"""Of an event that is in hand for long, by kind."""

log: Final = logging.getLogger(__name__)
"""Of everything that happens to lanes."""


class LaneNotes:
    """The record of one lane since the node started.

    Attributes:
        work: what the lane runs.
        since: when the state began, Unix seconds.
        warning: of the plugin's author's; "" if there is none.
    """

    def __init__(self, name: str, work: Work, machine: Machine, cursor: int) -> None:
        """Begin with a lane that was recovered at `cursor`."""
        self.work = work
        self.since = machine.now()
        self.warning = ""
        self._name = name
        self._machine = machine
        self._error_at: float | None = None
        self._error_cursor = cursor
        self._next_attempt_at = 0.0
        self._start_count = 0
        self._short_runs = 0

    def started(self) -> None:
        """Note the start of a process."""
        self._start_count += 1
        self.warning = ""

    def stuck(self, number: int, age_s: float) -> None:
        """Log that an event is in hand for long."""
        log.warning(_STUCK[self.work.kind], extra=noted(self.work, self._name, number) | {"age_s": round(age_s)})

    def wakes_in(self, delay_s: float) -> None:
        """Note when the next process starts."""
        self._next_attempt_at = self._machine.now() + delay_s

    def stepped(self, before: Lane, lane: Lane, fact: facts.Fact, cursor: int, *, is_starting: bool) -> None:
        """Note a step of the lane, and log a change of its state.

        Args:
            before: what the lane was.
            lane: what it is.
            fact: why.
            cursor: of the lane.
            is_starting: somebody waits for the first process, and is told its error.
        """
        if lane.state is not before.state:
            self.since = self._machine.now()
            self._log_change(before, lane, cursor, is_starting=is_starting)
        if _brings_error(before, lane, fact):
            self._error_at, self._error_cursor = self._machine.now(), cursor
        if isinstance(fact, facts.Ended):
            is_short = lane.progress.reached - before.progress.reached <= 1 and before.state in RUNNING
            self._short_runs = self._short_runs + 1 if isinstance(fact.last, facts.Returned) and is_short else 0

    def is_error_past(self, lane: Lane, cursor: int) -> bool:
        """Whether an event was settled since the error, and the lane does not wait because of it."""
        is_why = lane.state in {State.BLOCKED, State.GAPPED, State.FAILED}
        return lane.error != "" and not is_why and cursor > self._error_cursor

    def status(self, lane: Lane, run: PluginRun | None, *, cursor: int, head: int, parked_count: int) -> LaneStatus:
        """Return the lane as people see it."""
        work, seen = self.work, self.work.numbering.seen(cursor)
        return LaneStatus(
            name=self._name,
            state=lane.state,
            since=self.since,
            epoch=lane.epoch,
            position=seen,
            lag=head - seen,
            in_hand=lane.progress.unsettled if run is None else run.page.in_hand(),
            oldest_s=0.0 if run is None else run.oldest_s(),
            attempts=max((trouble.attempts for trouble in lane.troubles.values()), default=0),
            failure_count=lane.failure_count,
            start_count=self._start_count,
            parked_count=parked_count,
            error=lane.error,
            warning=self.warning or self._complaint_about_returns(),
            pid=None if run is None else run.host.pid,
            error_at=self._error_at if lane.error else None,
            is_error_past=self.is_error_past(lane, cursor),
            next_attempt_at=self._next_attempt_at if lane.state is State.BACKOFF else None,
            kind=work.kind,
            number=cursor if work.kind == SUBSCRIPTION else None,
            numbering=work.numbering,
            consumers=work.statuses(),
            waits_for=work.waits_for,
        )

    def _complaint_about_returns(self) -> str:
        if self._short_runs < SHORT_RUN_COUNT:
            return ""
        return (
            f"run returned {self._short_runs} times in a row after one event or none; each return ends its process: "
            "loop over the queue within run, until that raises Closed"
        )

    def _log_change(self, before: Lane, lane: Lane, cursor: int, *, is_starting: bool) -> None:
        level = logging.INFO
        seen = self.work.numbering.seen(cursor)
        fields = {**noted(self.work, self._name), "before": before.state.value, "position": seen}
        if lane.state in {State.BACKOFF, State.BLOCKED, State.GAPPED, State.FAILED}:
            level = logging.WARNING if lane.state is State.BACKOFF else logging.ERROR
            fields |= {"failures": lane.failure_count, "error": lane.error}
            if is_starting and self.work.kind == PLUGIN and not lane.has_run and lane.state is not State.GAPPED:
                level = logging.DEBUG  # the start of the node ends with this error, and names it
        log.log(level, "%s is %s", IN_WORDS[self.work.kind], lane.state.value, extra=fields)


def log_waiting(name: str, work: Work, lane: Lane) -> None:
    """Log that a lane waits for a person since an earlier run of the node, if it does."""
    if lane.state in WAITING:
        level = logging.INFO if lane.state is State.PAUSED else logging.ERROR
        fields = {**noted(work, name), "state": lane.state.value, "error": lane.error}
        log.log(level, "%s is not started, it waits for a person", IN_WORDS[work.kind], extra=fields)


def _brings_error(before: Lane, lane: Lane, fact: facts.Fact) -> bool:
    """Whether the lane's error is of this fact, and not left from an earlier one."""
    match fact:
        case facts.Ended(facts.Raised()):
            return lane.state in {State.BACKOFF, State.BLOCKED}
        case facts.Ended():
            return lane.failure_count > before.failure_count
        case facts.Refused() | facts.Lost() | facts.Gone() | facts.Damaged():
            return True
    return lane.error != before.error
