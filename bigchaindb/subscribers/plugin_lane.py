"""One plugin's lane at the edge: reports to the state machine what happened, and carries out its actions."""

import asyncio
import logging
import sys
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, ParamSpec, TypeVar, assert_never

from bigchaindb.config import Limits, PluginSettings
from bigchaindb.errors import BigchainDBError, ConfigurationError, OrderRefused, StartupError, StoreDamaged, StoreError
from bigchaindb.eventlog import facts
from bigchaindb.eventlog.delivery import TRANSITIONS, step
from bigchaindb.eventlog.lane import RUNNING, Lane, Progress, State, Trouble
from bigchaindb.eventlog.retrying import Policy
from bigchaindb.store.damages import Damages
from bigchaindb.streams.hub import Hub
from bigchaindb.subscribers import host_protocol as wire
from bigchaindb.subscribers.lane_files import LaneFiles, Saving
from bigchaindb.subscribers.lane_page import LanePage, Word
from bigchaindb.subscribers.lane_status import LaneStatus
from bigchaindb.subscribers.machine import Host, Machine

READY_S_MAX: Final = 30.0
"""Time for a plugin to be imported and configured: a slow disk, and a `configure` that opens a connection."""
GRACE_S: Final = 1.0
"""Time for a plugin to end by itself before an order is carried out. Source: event-plugin-api.md, section 5."""
READ_S_MAX: Final = 5.0
"""A read of the log takes milliseconds; one that lasts longer, in a stopped process, pins the write-ahead log."""
STUCK_S: Final = 60.0
"""An event in hand for longer is worth a line in the log."""
SHORT_RUN_COUNT: Final = 3
"""A plugin that works in pieces may return early once or twice; more is a missing loop."""
RETRY_S: Final = 1.0
"""Time between two tries to write down that an event was set aside."""

_log: Final = logging.getLogger(__name__)
_log_1x: Final = logging.getLogger("bigchaindb.processes")

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What all lanes of a node have in common.

    Attributes:
        thread: where `files` is used, by one thread in order.
        damages: takes note of what plugins' processes find damaged.
    """

    hub: Hub
    files: LaneFiles
    thread: Executor
    ledger: Path
    damages: Damages
    chain_id: str
    limits: Limits
    machine: Machine


class PluginLane:
    """Runs one plugin. Belongs to the event loop.

    Attributes:
        lane: what the state machine knows.
        host: the plugin's process, if there is one.
        first: resolved when the first process after `tell(Enabled())` is ready, or failed with what kept it from it.
        ordering: held while an order of a person is carried out.
        parked_count: events set aside for a person.
    """

    def __init__(
        self, name: str, settings: PluginSettings, policy: Policy, lane: Lane, shared: Shared, *, parked_count: int
    ) -> None:
        """Go on with a recovered lane, once told `Enabled`."""
        self.name = name
        self.settings = settings
        self.lane = lane
        self.host: Host | None = None
        self.ordering = asyncio.Lock()
        self.parked_count = parked_count
        self._policy = policy
        self._shared = shared
        self._machine = shared.machine
        self._since = self._machine.now()
        self._page: LanePage | None = None
        self._begun = False
        self._ending: facts.LastWord | None = None
        self._is_blameless = False
        self._beginning: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._may_run = False
        self._error_at: float | None = None
        self._error_acked = lane.progress.acked
        self._next_attempt_at = 0.0
        self._saved: tuple[Lane, int] | None = None
        self._head_before = 0
        self._warned_of = 0
        self._warning = ""
        self._start_count = 0
        self._short_runs = 0
        self._set_aside: set[int] = set()  # parked or skipped, and perhaps still in the page
        self._parking: set[asyncio.Task[None]] = set()
        self._unwritten: set[int] = set()  # to be parked, and not yet durably so: the cursor does not pass them
        self._returning = set(lane.progress.returning)
        self._returned: set[int] = set()  # settled, and perhaps still written down as parked
        self.first: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # For the supervisor

    def tell(self, fact: facts.Fact) -> None:
        """Step the state machine, and carry out its actions."""
        before = self.lane
        self.lane, actions = step(before, fact, self._policy, self._machine.draw(), self._machine.now())
        if self.lane.state is not before.state:
            self._since = self._machine.now()
            self._log_change(before)
        if self._tells_error(before, fact):
            self._error_at, self._error_acked = self._machine.now(), self._acked()
        for action in actions:
            self._do(action)

    def _tells_error(self, before: Lane, fact: facts.Fact) -> bool:
        """Whether the lane's error is of this fact, and not left from an earlier one."""
        match fact:
            case facts.Ended(facts.Raised()):
                return self.lane.state in {State.BACKOFF, State.BLOCKED}
            case facts.Ended():
                return self.lane.failure_count > before.failure_count
            case facts.Refused() | facts.Lost() | facts.Gone() | facts.Damaged():
                return True
        return self.lane.error != before.error

    def takes(self, fact: type[facts.Fact]) -> bool:
        """Whether the lane's state has a row for a fact."""
        return (self.lane.state, fact) in TRANSITIONS

    def begin(self) -> None:
        """Run the plugin, now and whenever it starts again: all plugins of the node are ready."""
        self._may_run = True
        if self.lane.state is State.CATCHING_UP:
            self._let_run()

    def configure(self, settings: PluginSettings, policy: Policy) -> None:
        """Take other settings, between two processes."""
        self.settings, self._policy = settings, policy

    def expect_first(self) -> None:
        """Make `first` stand for the process that comes next."""
        if self.first.done():
            self.first = asyncio.get_running_loop().create_future()

    def announce(self, head: int) -> None:
        """Pass on how far the log is durable; never waits (S1)."""
        if self._page is not None:
            self._page.words[Word.HEAD] = head  # P4
            if self._begun and self.host is not None:
                self.host.nudge()

    def look(self) -> Saving | None:
        """Read the page, once a second; return what is to be saved, if anything changed."""
        page = self._page
        if page is not None and self._begun:
            taken_all = page.words[Word.HANDED] >= self._head_before
            if self.lane.state is State.CATCHING_UP and taken_all:
                self.tell(facts.CaughtUp())
            elif self.lane.state is State.LIVE and not taken_all:
                self.tell(facts.FellBehind())
            self._warn_if_stuck(page)
            self._end_pinning_read(page)
        if page is not None:
            self.lane = self.lane.forget_troubles(in_hand := page.in_hand())
            self._set_aside.intersection_update(in_hand)
            self._notice_returned(page.returning())
        self._head_before = self._shared.hub.head
        lane = replace(self.lane, error="") if self._is_error_past() else self.lane
        saved = (lane, self._acked())
        if self._parking or (saved == self._saved and not self._returned):
            return None  # what is not written down as parked must stay in hand on the disk
        self._saved = saved
        returned, self._returned = self._returned, set()
        return Saving(self.name, lane, saved[1], self._since, page, returned)

    def save_again(self, saving: Saving) -> None:
        """Forget that it was saved: it could not be written."""
        self._saved = None
        self._returned.update(saving.returned)

    async def settled(self) -> None:
        """Wait until no start is under way."""
        if self._beginning is not None:
            await asyncio.wait([self._beginning])  # to await the task itself would cancel it with whoever waits

    async def between_processes(self) -> None:
        """End the process, by force after a while, and start none: for an order that needs that.

        Raises:
            OrderRefused: the disk is full.
        """
        try:
            async with asyncio.timeout(GRACE_S):
                await self._parked_all()
        except TimeoutError:
            raise OrderRefused(
                f"events plugin {self.name!r}: an event is not yet recorded as parked; free space on its disk"
            ) from None
        self.tell(facts.Stopping())
        await self.settled()
        await self._end_host()

    def unsettled(self, attempts: Mapping[int, int]) -> Mapping[int, int]:
        """Leave out parked events that returned and are settled, though they are still recorded as parked."""
        return {position: count for position, count in attempts.items() if position not in self._returned}

    async def order(self, fact: facts.Sought | facts.Retried | facts.Discarded) -> None:
        """Carry out an order between two processes; durable before this returns."""
        before = self.lane
        self.tell(fact)
        try:
            page = await self._in_thread(self._make_page, self.lane, is_sought=isinstance(fact, facts.Sought))
        except (OSError, BigchainDBError):
            # What the order refuses must not happen later. What is to return must: that stands in node.db already.
            if not isinstance(fact, facts.Retried):
                self.lane = replace(before, epoch=self.lane.epoch)
            raise
        self._shared.thread.submit(page.close)
        self._returning = set(self.lane.progress.returning)

    def abandon(self) -> None:
        """Stop recording parked events: the node ends, and they stay in hand on the disk."""
        for parking in self._parking:
            parking.cancel()

    def status(self) -> LaneStatus:
        """Return the lane's status."""
        page, acked = self._page, self._acked()
        oldest = None if page is None else page.oldest_taken()
        return LaneStatus(
            name=self.name,
            state=self.lane.state,
            since=self._since,
            epoch=self.lane.epoch,
            position=acked,
            lag=self._shared.hub.head - acked,
            in_hand=self.lane.progress.undone if page is None else page.in_hand(),
            oldest_s=0.0 if oldest is None else max(0.0, (self._machine.monotonic_ns() - oldest[0]) / 1e9),
            attempts=max((trouble.attempts for trouble in self.lane.troubles.values()), default=0),
            failure_count=self.lane.failure_count,
            start_count=self._start_count,
            parked_count=self.parked_count,
            error=self.lane.error,
            warning=self._warning or self._complaint_about_returns(),
            pid=None if self.host is None else self.host.pid,
            error_at=self._error_at if self.lane.error else None,
            is_error_past=self._is_error_past(),
            next_attempt_at=self._next_attempt_at if self.lane.state is State.BACKOFF else None,
        )

    def _is_error_past(self) -> bool:
        """Whether an event was settled since the error, and the lane does not wait because of it."""
        is_why = self.lane.state in {State.BLOCKED, State.GAPPED, State.FAILED}
        return self.lane.error != "" and not is_why and self._acked() > self._error_acked

    # Done for the state machine

    def _do(self, action: facts.Action) -> None:
        match action:
            case facts.StartHost():
                assert self.host is None, self.name
                self._set_timer(None)
                self._beginning = asyncio.create_task(self._begin())
            case facts.WakeIn(delay_s):
                self._next_attempt_at = self._machine.now() + delay_s
                self._set_timer(delay_s, lambda: self.tell(facts.RetryDue()))
            case facts.CloseHost():
                self._close_host()
            case facts.Again(position, attempt, delay_s):
                self._answer(facts.Again(position, attempt, delay_s))
            case facts.Park(position, trouble):
                if position not in self._returning:  # those the cursor does not know
                    self._unwritten.add(position)
                self._put_aside(position)
                parking = asyncio.create_task(self._park(position, trouble))
                self._parking.add(parking)
                parking.add_done_callback(self._parking.discard)
            case facts.Skip(position, trouble):
                if position in self._returning:
                    self._returned.add(position)  # it is not set aside any more
                self._put_aside(position)
                fields = {"plugin": self.name, "position": position, "attempts": trouble.attempts}
                _log.error("event is skipped", extra={**fields, "error": trouble.error})
                self._answer(facts.Settle(position))
            case _:
                assert_never(action)

    def _put_aside(self, position: int) -> None:
        self._set_aside.add(position)
        self._returning.discard(position)

    async def _park(self, position: int, trouble: Trouble) -> None:
        """Record it before anything is settled, however long the disk is full (P2)."""
        while True:
            try:
                await self._in_thread(self._shared.files.park, self.name, position, trouble)
                self.parked_count = await self._in_thread(self._shared.files.parked_count, self.name)
                break
            except StoreError as error:
                _log.error("cannot record that an event is parked", extra={"plugin": self.name, "error": str(error)})
                await asyncio.sleep(RETRY_S)
        self._unwritten.discard(position)
        fields = {"plugin": self.name, "position": position, "attempts": trouble.attempts, "error": trouble.error}
        _log.error("event is parked, see `bigchaindb plugins parked`", extra=fields)
        self._answer(facts.Settle(position))

    async def _parked_all(self) -> None:
        while self._parking:
            await asyncio.wait(self._parking)

    def _answer(self, answer: facts.Answer) -> None:
        if self.host is not None:
            self.host.answer(answer)

    # The process

    async def _begin(self) -> None:
        shared, lane = self._shared, self.lane
        await self._parked_all()
        if self.lane is not lane:
            return
        _log_1x.info("Loading events plugin %s", self.name)
        try:
            page = await self._in_thread(self._make_page, lane)
            if self.lane is not lane:  # the node stops, or another order came
                shared.thread.submit(page.close)
                return
            page.words[Word.HEAD] = shared.hub.head  # it may have moved meanwhile
            self._page, self._begun, self._ending, self._is_blameless = page, False, None, False
            self._returning, self._warning = set(lane.progress.returning), ""
            self._set_aside.clear()  # all of it is written down, and the page does not hold it
            self._start_count += 1
            self.host = self._machine.start_host(self._launch(page), self._reported, self._exited)
        except (ConfigurationError, StoreDamaged) as error:
            self._drop_page()
            self.tell(facts.Refused(str(error)))
            self._fail_first(error)
        except (OSError, BigchainDBError) as error:
            self._drop_page()
            progress = replace(lane.progress, taken=frozenset())  # what was taken was blamed when its process ended
            why = f"cannot start a process: {error}"
            self.tell(facts.Ended(facts.Raised(why), progress, is_blameless=True))
            self._fail_first(StartupError(f"events plugin {self.name!r}: {why}"))
        else:
            self._set_timer(READY_S_MAX, self._not_ready)

    def _drop_page(self) -> None:
        page, self._page = self._page, None
        if page is not None:
            self._shared.thread.submit(page.close)

    def _make_page(self, lane: Lane, *, is_sought: bool = False) -> LanePage:
        return self._shared.files.begin_epoch(
            self.name,
            lane,
            since=self._since,
            head=self._shared.hub.head,
            slot_count=self._window_count,
            is_sought=is_sought,
        )

    @property
    def _window_count(self) -> int:
        return self.settings.window or self._shared.limits.window_count_max

    def _launch(self, page: LanePage) -> wire.Launch:
        shared, lane = self._shared, self.lane
        return wire.Launch(
            name=self.name,
            ledger=str(shared.ledger.absolute()),
            page=str(page.path.absolute()),
            chain_id=shared.chain_id,
            options=dict(self.settings.options),
            queue=self.settings.queue,
            window_count=self._window_count,
            window_bytes_max=shared.limits.window_bytes_max,
            sys_path=sys.path,
            attempts={position: lane.attempt(position) for position in lane.progress.undone},
            one_at_a_time=lane.one_at_a_time,
        )

    def _reported(self, report: wire.Report) -> None:
        match report:
            case wire.Warned(text):
                self._warning = text
                _log.warning("events plugin: %s", text, extra={"plugin": self.name})
            case facts.Returned() | facts.Raised():
                self._ending = report
            case facts.Ready() | facts.Refused():
                if self.lane.state is State.STARTING:
                    self._set_timer(None)
                    self._answered_start(report)
            case facts.Nacked() | facts.ParkAsked() if report.position in self._set_aside:
                pass
            case _:
                if isinstance(report, facts.Damaged):  # read by the plugin's process
                    self._shared.damages.note(StoreDamaged(report.error, table=report.table, row=report.row))
                if self.takes(type(report)):
                    self.tell(report)

    def _answered_start(self, report: facts.Ready | facts.Refused) -> None:
        self.tell(report)
        if isinstance(report, facts.Refused):
            refused = ConfigurationError if report.is_configuration else StartupError
            self._fail_first(refused(report.error))
            return
        if self._may_run:
            self._let_run()
        if not self.first.done():
            self.first.set_result(None)

    def _exited(self, how: str) -> None:
        assert self._page is not None
        page, self._page, self.host, self._begun = self._page, None, None, False
        progress = page.progress().without(self._set_aside)  # nobody writes there any more
        self._notice_returned(progress.returning)
        self._set_aside.clear()
        page.forget_taken()
        self._shared.thread.submit(page.close)
        if self.lane.state in RUNNING:
            self._set_timer(None)
        last = self._ending or facts.Raised(how)
        self._note_end(progress)
        self.tell(facts.Ended(last, progress, self._is_blameless))
        error = last.error if isinstance(last, facts.Raised) else how
        self._fail_first(StartupError(f"events plugin {self.name!r}: its process ended before it was ready: {error}"))

    def _note_end(self, progress: Progress) -> None:
        is_short = progress.handed - self.lane.progress.handed <= 1 and self.lane.state in RUNNING
        self._short_runs = self._short_runs + 1 if isinstance(self._ending, facts.Returned) and is_short else 0

    def _complaint_about_returns(self) -> str:
        if self._short_runs < SHORT_RUN_COUNT:
            return ""
        return (
            f"run returned {self._short_runs} times in a row after one event or none; each return ends its process: "
            "loop over the queue within run, until that raises Closed"
        )

    def _notice_returned(self, returning: Collection[int]) -> None:
        self._returned.update(self._returning.difference(returning))
        self._returning.intersection_update(returning)

    def _let_run(self) -> None:
        if self.host is not None:
            self._begun = True
            self.host.nudge()

    def _close_host(self) -> None:
        self._set_timer(None)
        if self._page is not None and self.host is not None:
            self._page.words[Word.CLOSING] = 1
            self.host.nudge()

    async def _end_host(self) -> None:
        """Wait for the end of a process that was told to close, for a while."""
        if (host := self.host) is None:
            return
        try:
            async with asyncio.timeout(GRACE_S):  # `wait_for` may swallow the cancellation of a stop
                await host.ended.wait()
        except TimeoutError:
            host.kill()
            await host.ended.wait()

    def _not_ready(self) -> None:
        self._kill(f"not ready within {READY_S_MAX:g} s")

    def _kill(self, why: str) -> None:
        """End the process for no fault of an event."""
        if self.host is not None:
            self._ending, self._is_blameless = facts.Raised(why), True
            self.host.kill()

    def _fail_first(self, error: BigchainDBError) -> None:
        if not self.first.done():
            self.first.set_exception(error)
            self.first.exception()  # at an order nobody may wait for it

    def _set_timer(self, delay_s: float | None, call: Callable[[], None] | None = None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if delay_s is not None and call is not None:
            self._timer = asyncio.get_running_loop().call_later(delay_s, call)

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._shared.thread, lambda: work(*args, **kwargs))

    def _acked(self) -> int:
        """Return the cursor, which does not pass events that are not yet recorded as parked (E6)."""
        acked = self.lane.progress.acked if self._page is None else self._page.acked
        return min([acked, *(position - 1 for position in self._unwritten)])

    def _end_pinning_read(self, page: LanePage) -> None:
        """End a process whose read keeps the write-ahead log from being reset, once that has grown too far (S1)."""
        since_ns = page.words[Word.READ_SINCE]
        if not since_ns or self._machine.monotonic_ns() - since_ns < READ_S_MAX * 1e9:
            return
        wal = self._shared.ledger.with_name(f"{self._shared.ledger.name}-wal")
        with suppress(OSError):  # read again at the next look
            if wal.stat().st_size <= self._shared.limits.wal_bytes_max:
                return
            self._kill(f"a read of the log lasted over {READ_S_MAX:g} s and kept the disk from being freed")

    # For people

    def _log_change(self, before: Lane) -> None:
        lane, level = self.lane, logging.INFO
        fields: dict[str, object] = {"plugin": self.name, "before": before.state.value, "position": self._acked()}
        if lane.state in {State.BACKOFF, State.BLOCKED, State.GAPPED, State.FAILED}:
            level = logging.WARNING if lane.state is State.BACKOFF else logging.ERROR
            fields |= {"failures": lane.failure_count, "error": lane.error}
            if not self.first.done() and not lane.has_run and lane.state is not State.GAPPED:
                level = logging.DEBUG  # the start of the node ends with this error, and says it
        _log.log(level, "events plugin is %s", lane.state.value, extra=fields)

    def _warn_if_stuck(self, page: LanePage) -> None:
        if (oldest := page.oldest_taken()) is None:
            return
        taken_ns, position = oldest
        age_s = (self._machine.monotonic_ns() - taken_ns) / 1e9
        if age_s >= STUCK_S and position != self._warned_of:
            self._warned_of = position
            fields = {"plugin": self.name, "position": position, "age_s": round(age_s)}
            _log.warning("events plugin has not asked for another event", extra=fields)
