"""One lane at the edge: reports to the state machine what happened, and carries out its actions."""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final, assert_never

from bigchaindb.errors import BigchainDBError, ConfigurationError, StartupError, StoreDamaged, StoreFull
from bigchaindb.eventlog import facts
from bigchaindb.eventlog.lane import RUNNING, Lane, Stage, State
from bigchaindb.eventlog.transitions import TRANSITIONS, step
from bigchaindb.subscribers import host_protocol as wire
from bigchaindb.subscribers.lane_files import left
from bigchaindb.subscribers.lane_notes import LaneNotes, log
from bigchaindb.subscribers.lane_page import LanePage, Word
from bigchaindb.subscribers.lane_status import IN_WORDS, PLUGIN, SUBSCRIPTION, LaneStatus
from bigchaindb.subscribers.lane_work import Shared, Told, Work, noted
from bigchaindb.subscribers.machine import in_thread
from bigchaindb.subscribers.park_records import ParkRecords
from bigchaindb.subscribers.plugin_run import FirstStart, PluginRun
from bigchaindb.subscribers.plugins import IF_SLOW
from bigchaindb.subscribers.saving import Saving

_HOST: Final = {PLUGIN: "process", SUBSCRIPTION: "desk"}
"""What runs for a lane, by kind, as errors name it."""

_log_1x: Final = logging.getLogger("bigchaindb.processes")


class PluginLane:
    """Runs one plugin, or serves one subscription. Belongs to the event loop.

    Attributes:
        work: what it runs.
        lane: what the state machine knows.
        first: the first start after `tell(Enabled())`, or after `start`.
        run: the plugin's process or the subscription's desk, if there is one.
        records: of its parked events.
        ordering: held while an order of a person is carried out.
    """

    def __init__(self, name: str, work: Work, lane: Lane, shared: Shared, *, parked_count: int) -> None:
        """Go on with a recovered lane, once told `Enabled`."""
        self.name = name
        self.work = work
        self.lane = lane
        self.run: PluginRun | None = None
        self.records = ParkRecords(
            name,
            work,
            shared.files,
            shared.thread,
            lambda some: self.tell(facts.ParkRecorded(some)),
            count=parked_count,
        )
        self.ordering = asyncio.Lock()
        self.first = FirstStart()
        self._policy = work.policy
        self._shared = shared
        self._notes = LaneNotes(name, work, shared.machine, lane.progress.cursor)
        self._beginning: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._may_run, self._head_before = False, 0
        self._saved: tuple[Lane, int] | None = None

    # For the supervisor

    def tell(self, fact: facts.Fact) -> None:
        """Step the state machine, and carry out its actions."""
        before, machine = self.lane, self._shared.machine
        self.lane, actions = step(before, fact, self._policy, machine.draw(), machine.now())
        self._notes.stepped(before, self.lane, fact, self.cursor, is_starting=self.first.is_awaited)
        for action in actions:
            self._do(action)
        if (self.lane.state, self.lane.error) != (before.state, before.error):
            self.work.changed()

    @property
    def _title(self) -> str:
        return f"{IN_WORDS[self.work.kind]} {self.name!r}"

    @property
    def is_idle(self) -> bool:
        """Whether there is neither a host, nor one about to start."""
        return self.run is None and (self._beginning is None or self._beginning.done())

    @property
    def cursor(self) -> int:
        """The number up to which everything is settled."""
        return self.lane.progress.cursor if self.run is None else self.run.page.cursor

    def takes(self, fact: type[facts.Fact]) -> bool:
        """Whether the lane's state has a row for a fact."""
        return (self.lane.state, fact) in TRANSITIONS

    def start(self) -> None:
        """Start a host; `first` stands for it."""
        self.first.begin()
        self.begin()
        self.tell(facts.Enabled())

    def begin(self) -> None:
        """Run the plugin, now and whenever it starts again: all plugins of the node are ready."""
        self._may_run = True
        if self.run is not None and self.lane.state is State.CATCHING_UP:
            self.run.begin()

    def configure(self, work: Work) -> None:
        """Take other work, between two processes."""
        self.work, self._policy = work, work.policy
        self._notes.work = self.records.work = work

    def read_lane_page(self) -> Saving | None:
        """Read the page, once a second; return what is to be saved, if anything changed."""
        if self.run is not None:
            if self.run.has_begun:
                self._look_at(self.run)
            if self.lane.troubles or self.lane.stages:
                self.lane = self.lane.forget_settled(self.run.page.in_hand())
        elif self._saved is not None and self._saved[0] is self.lane:  # a thousand may have no consumer
            return None
        self._head_before = self.work.hub.head
        if self.lane.at(Stage.PARKING):  # it must stay in hand on the disk, and its record must not be overwritten
            return None
        cursor, returned = self.cursor, self.lane.at(Stage.RETURNED)
        lane = replace(self.lane, error="") if self._notes.is_error_past(self.lane, cursor) else self.lane
        if (lane, cursor) == self._saved and not returned:
            return None
        self._saved = lane, cursor
        return self._saving(lane, cursor, self._notes.since, returned)

    def _saving(self, lane: Lane, cursor: int, since: float, returned: Collection[int] = ()) -> Saving:
        page = None if self.run is None else self.run.page
        return Saving(self.name, lane, cursor, since, page, returned, self.work.kind == SUBSCRIPTION)

    async def write_down(self, *told: facts.Fact) -> None:
        """Make durable what facts will make of the lane, before it is told: a full disk changes nothing."""
        if self.lane.at(Stage.PARKING):  # as `look` has it
            return
        lane, now = self.lane, self._shared.machine.now()
        for fact in told:
            lane, _ = step(lane, fact, self._policy, 0.0, now)
        self.save_again()  # a lane that is not told after all, since the node stops, must not keep this row
        await in_thread(self._shared.thread, self._shared.files.save, [self._saving(lane, self.cursor, now)])

    def save_again(self) -> None:
        """Forget that it was saved: it could not be written."""
        self._saved = None

    async def settled(self) -> None:
        """Wait until no start is under way."""
        if self._beginning is not None:
            await asyncio.wait([self._beginning])  # to await the task itself would cancel it with whoever waits

    async def between_processes(self) -> None:
        """End the process, by force after a while, and start none: for an order that needs that.

        Raises:
            OrderRefused: the disk is full.
        """
        await self.records.require_recorded()
        self.tell(facts.Stopping())
        await self.settled()
        if self.run is not None:
            await self.run.end()

    async def order(self, fact: facts.Sought | facts.Retried | facts.Discarded) -> None:
        """Carry out an order between two processes; durable before this returns."""
        before, is_sought = self.lane, isinstance(fact, facts.Sought)
        self.tell(fact)
        try:
            page = await in_thread(self._shared.thread, self._make_page, self.lane, is_sought=is_sought)
        except (OSError, BigchainDBError):
            # What the order refuses must not happen later. What is to return must: that stands in node.db already.
            if not isinstance(fact, facts.Retried):
                self.lane = replace(before, epoch=self.lane.epoch)
            raise
        self.lane = self.lane.forget_settled(page.in_hand())
        self._shared.thread.submit(page.close)

    def status(self) -> LaneStatus:
        """Return the lane as people see it."""
        count = self.records.count
        return self._notes.status(self.lane, self.run, cursor=self.cursor, head=self.work.hub.head, parked_count=count)

    # Done for the state machine

    def _do(self, action: facts.Action) -> None:
        match action:
            case facts.StartHost(epoch):
                assert self.run is None, self.name
                self._set_timer(None)
                self._beginning = asyncio.create_task(self._begin(epoch))
            case facts.WakeIn(delay_s):
                self._notes.wakes_in(delay_s)
                self._set_timer(delay_s, lambda: self.tell(facts.RetryDue()))
            case facts.CloseHost():
                self._set_timer(None)
                if self.run is not None:
                    self.run.close()
            case facts.Park(position, trouble):
                self.records.record(position, trouble)
            case facts.Skip(position, trouble):
                fields = noted(self.work, self.name, position)
                log.error("event is skipped", extra={**fields, "attempts": trouble.attempts, "error": trouble.error})
            case facts.Again() | facts.Settle():
                if self.run is not None:
                    self.run.host.answer(action)
            case _:
                assert_never(action)

    # The process

    async def _begin(self, epoch: int) -> None:
        shared = self._shared
        await self.records.all_recorded()
        if not self._is_starting(epoch):
            return
        if self.work.kind == PLUGIN:
            _log_1x.info("Loading events plugin %s", self.name)
        page: LanePage | None = None
        try:
            page = await in_thread(shared.thread, self._make_page, self.lane)
            if not self._is_starting(epoch):  # the node stops, or another order came
                shared.thread.submit(page.close)
                return
            page.words[Word.HEAD] = self.work.hub.head  # it may have moved meanwhile
            self._notes.started()
            host = self.work.start(self.lane, page, self._reported, self._exited)
            self.run = PluginRun(page, shared.machine, host)
            shared.running[self.run] = self.work.hub
        except (OSError, BigchainDBError) as error:
            if page is not None:
                shared.thread.submit(page.close)
            self._not_started(error)
        else:
            late = f"not ready within {self.work.ready_s:g} s"
            if self.work.kind == PLUGIN:  # a subscription has no such setting
                late += f"; {IF_SLOW}"
            self._set_timer(self.work.ready_s, lambda: self._kill(late))

    def _is_starting(self, epoch: int) -> bool:
        return self.lane.state is State.STARTING and self.lane.epoch == epoch

    def _not_started(self, error: OSError | BigchainDBError) -> None:
        if isinstance(error, ConfigurationError | StoreDamaged):
            self.tell(facts.Refused(str(error)))
            self.first.end(error)
            return
        progress = replace(self.lane.progress, delivered=frozenset())  # that was blamed when its process ended
        why = f"cannot start a {_HOST[self.work.kind]}: {error}"
        self.tell(facts.Ended(facts.Raised(why), progress, is_blameless=True))
        kind = StoreFull if isinstance(error, StoreFull) else StartupError
        self.first.end(kind(f"{self._title}: {why}; it is tried again after a while"))

    def _make_page(self, lane: Lane, *, is_sought: bool = False) -> LanePage:
        return self._shared.files.begin_epoch(
            self.name,
            lane,
            since=self._notes.since,
            head=self.work.hub.head,
            slot_count=self.work.window_count,
            is_sought=is_sought,
            is_packed=self.work.kind == SUBSCRIPTION,
        )

    def _reported(self, report: Told) -> None:
        match report:
            case wire.Warned(text):
                self._notes.warning = text
                log.warning("events plugin: %s", text, extra={"plugin": self.name})
            case facts.Returned() | facts.Raised():
                assert self.run is not None
                self.run.last = report
            case facts.Ready() | facts.Refused():
                if self.lane.state is State.STARTING:
                    self._set_timer(None)
                    self._answered_start(report)
            case facts.ReturnSettled():
                self.tell(report)
            case _:
                if isinstance(report, facts.Damaged):  # read by the plugin's process
                    self._shared.damages.note(StoreDamaged(report.error, table=report.table, row=report.row))
                if self.takes(type(report)):
                    self.tell(report)

    def _answered_start(self, report: facts.Ready | facts.Refused) -> None:
        self.tell(report)
        if isinstance(report, facts.Refused):
            refused = ConfigurationError if report.is_configuration else StartupError
            self.first.end(refused(report.error))
            return
        if self._may_run:
            self.begin()
        self.first.end()

    def _exited(self, how: str) -> None:
        assert self.run is not None
        run, self.run = self.run, None
        self._shared.running.pop(run, None)
        progress, damage = left(self._shared.files, self.name, run.page, self.work.numbering)
        run.page.end_deliveries()
        self._shared.thread.submit(run.page.close)
        if self.lane.state in RUNNING:
            self._set_timer(None)
        last = run.last or facts.Raised(how)
        if damage and self.takes(facts.Lost):
            self.tell(facts.Lost(damage))  # P8
        self.tell(facts.Ended(last, progress, run.is_blameless))
        error = last.error if isinstance(last, facts.Raised) else how
        self.first.end(StartupError(f"{self._title}: its {_HOST[self.work.kind]} ended before it was ready: {error}"))

    def _kill(self, why: str) -> None:
        if self.run is not None:
            self.run.kill(why)

    def _set_timer(self, delay_s: float | None, call: Callable[[], None] | None = None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if delay_s is not None and call is not None:
            self._timer = asyncio.get_running_loop().call_later(delay_s, call)

    def _look_at(self, run: PluginRun) -> None:
        has_taken_all = run.has_reached(self.work.numbering.behind(self._head_before))
        if self.lane.state is State.CATCHING_UP and has_taken_all:
            self.tell(facts.CaughtUp())
        elif self.lane.state is State.LIVE and not has_taken_all:
            self.tell(facts.FellBehind())
        if (stuck := run.stuck()) is not None:
            self._notes.stuck(*stuck)
        run.end_pinning_read(self._shared.ledger, self._shared.limits.wal_bytes_max)
