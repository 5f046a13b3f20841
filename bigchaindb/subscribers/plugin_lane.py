"""One plugin's lane at the edge: tells the state machine what happened, and does what it answers."""

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from os import getpid
from pathlib import Path
from typing import Final, assert_never

from bigchaindb.config import Limits, PluginSettings
from bigchaindb.errors import BigchainDBError, ConfigurationError, StartupError
from bigchaindb.eventlog import delivery
from bigchaindb.eventlog.delivery import Backoff, Lane, State
from bigchaindb.subscribers import orders as wire
from bigchaindb.subscribers.host_process import HostProcess
from bigchaindb.subscribers.hub import Hub
from bigchaindb.subscribers.lane_files import LaneFiles, Saving
from bigchaindb.subscribers.lane_page import LanePage, Word

READY_S_MAX: Final = 30.0
"""Time for a plugin to be imported and configured: a slow disk, and a `configure` that opens a connection."""
READ_S_MAX: Final = 5.0
"""A read of the log takes milliseconds; one that lasts longer, in a stopped process, pins the write-ahead log."""
STUCK_S: Final = 60.0
"""An event in hand for longer is worth a line in the log."""

_log: Final = logging.getLogger(__name__)
_log_1x: Final = logging.getLogger("bigchaindb.processes")


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What all lanes of a node have in common.

    Attributes:
        thread: where `files` is used, by one thread in order.
        draw: gives the jitter, uniform in [0, 1).
    """

    hub: Hub
    files: LaneFiles
    thread: Executor
    ledger: Path
    chain_id: str
    limits: Limits
    backoff: Backoff
    draw: Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class LaneStatus:
    """What there is to see of a lane (P14).

    Attributes:
        position: the cursor: up to here every event is settled.
        lag: events of the log beyond it.
        in_hand: positions given out and not settled.
        oldest_s: age of the one in hand for longest.
        failure_count: ends in a row without an event settled between them.
        pid: of the plugin's process, if there is one.
    """

    name: str
    state: State
    since: float
    epoch: int
    position: int
    lag: int
    in_hand: tuple[int, ...]
    oldest_s: float
    failure_count: int
    error: str
    pid: int | None


class PluginLane:
    """Runs one plugin. Belongs to the event loop."""

    def __init__(self, name: str, settings: PluginSettings, lane: Lane, shared: Shared) -> None:
        """Go on with a recovered lane, once told `Enabled`."""
        self.name = name
        self.lane = lane
        self.host: HostProcess | None = None
        self._settings = settings
        self._shared = shared
        self._since = time.time()
        self._page: LanePage | None = None
        self._begun = False
        self._ending: wire.Report | None = None
        self._beginning: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._may_run = False
        self._saved: tuple[Lane, int] | None = None
        self._head_before = 0
        self._warned_of = 0
        self.first: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # Told by the supervisor

    def tell(self, fact: delivery.Fact) -> None:
        """Let the state machine know, and do what it says."""
        before = self.lane
        self.lane, actions = delivery.step(before, fact, self._shared.backoff, self._shared.draw())
        if self.lane.state is not before.state:
            self._since = time.time()
            self._log_change(before)
        for action in actions:
            match action:
                case delivery.StartHost():
                    self._beginning = asyncio.create_task(self._begin())
                case delivery.WakeIn(delay_s):
                    self._set_timer(delay_s, lambda: self.tell(delivery.RetryDue()))
                case delivery.CloseHost():
                    self._close_host()
                case _:
                    assert_never(action)

    def begin(self) -> None:
        """Let the plugin run, now and whenever it starts again: all plugins of the node are ready."""
        self._may_run = True
        if self.lane.state is State.CATCHING_UP:
            self._let_run()

    def announce(self, head: int) -> None:
        """Pass on how far the log is durable; never waits (S1)."""
        if self._page is not None:
            self._page.words[Word.HEAD] = head  # P4
            if self._begun and self.host is not None:
                self.host.nudge()

    def look(self) -> Saving | None:
        """Notice what the page says, once a second; give what is to be saved, if it changed."""
        page = self._page
        if page is not None and self._begun:
            taken_all = page.words[Word.HANDED] >= self._head_before
            if self.lane.state is State.CATCHING_UP and taken_all:
                self.tell(delivery.CaughtUp())
            elif self.lane.state is State.LIVE and not taken_all:
                self.tell(delivery.FellBehind())
            self._warn_if_stuck(page)
            self._end_pinning_read(page)
        self._head_before = self._shared.hub.head
        saved = (self.lane, self._acked())
        if saved == self._saved:
            return None
        self._saved = saved
        coming = self.lane.attempts.get(saved[1] + 1, delivery.FIRST_ATTEMPT)
        return Saving(self.name, self.lane, saved[1], coming if page else coming - 1, self._since, page)

    def save_again(self) -> None:
        """Forget that it was saved: it could not be written."""
        self._saved = None

    async def settled(self) -> None:
        """Wait until no start is under way."""
        if self._beginning is not None:
            await self._beginning

    def status(self) -> LaneStatus:
        """Say where it is."""
        page, acked = self._page, self._acked()
        taken_ns = None if page is None else page.oldest_taken_ns()
        return LaneStatus(
            name=self.name,
            state=self.lane.state,
            since=self._since,
            epoch=self.lane.epoch,
            position=acked,
            lag=self._shared.hub.head - acked,
            in_hand=self.lane.progress.in_hand if page is None else page.in_hand(),
            oldest_s=0.0 if taken_ns is None else max(0.0, (time.monotonic_ns() - taken_ns) / 1e9),
            failure_count=self.lane.failure_count,
            error=self.lane.error,
            pid=None if self.host is None else self.host.pid,
        )

    # The process

    async def _begin(self) -> None:
        shared, lane = self._shared, self.lane
        _log_1x.info("Loading events plugin %s", self.name)
        try:
            page = await asyncio.get_running_loop().run_in_executor(shared.thread, self._make_page, lane)
            if self.lane is not lane:  # the node stops
                shared.thread.submit(page.close)
                return
            page.words[Word.HEAD] = shared.hub.head  # it may have moved meanwhile
            self._page, self._begun, self._ending = page, False, None
            self.host = HostProcess(self._orders(page), self._reported, self._exited)
        except ConfigurationError as error:
            self.tell(delivery.Refused(str(error)))
            self._fail_first(error)
        except (OSError, BigchainDBError) as error:
            self.tell(delivery.Crashed(f"cannot start a process: {error}", lane.progress))
            self._fail_first(StartupError(f"events plugin {self.name!r}: cannot start a process: {error}"))
        else:
            self._set_timer(READY_S_MAX, self._not_ready)

    def _make_page(self, lane: Lane) -> LanePage:
        hub, limits = self._shared.hub, self._shared.limits
        return self._shared.files.begin_epoch(
            self.name, lane, since=self._since, head=hub.head, slot_count=limits.window_count_max
        )

    def _orders(self, page: LanePage) -> wire.Orders:
        shared = self._shared
        return wire.Orders(
            name=self.name,
            ledger=str(shared.ledger.absolute()),
            page=str(page.path.absolute()),
            chain_id=shared.chain_id,
            options=dict(self._settings.options),
            window_bytes_max=shared.limits.window_bytes_max,
            sys_path=sys.path,
            supervisor_pid=getpid(),
            attempts=dict(self.lane.attempts),
        )

    def _reported(self, report: wire.Report) -> None:
        match report:
            case wire.Ready():
                if self.lane.state is State.STARTING:
                    self._set_timer(None)
                    self.tell(delivery.Ready())
                    if self._may_run:
                        self._let_run()
                    if not self.first.done():
                        self.first.set_result(None)
            case wire.Refused(error, is_configuration):
                if self.lane.state is State.STARTING:
                    self._set_timer(None)
                    self.tell(delivery.Refused(error))
                    self._fail_first(ConfigurationError(error) if is_configuration else StartupError(error))
            case wire.Lost(error):
                if self.lane.state is not State.GAPPED:
                    self.tell(delivery.Lost(error))
            case wire.Returned() | wire.Raised():
                self._ending = report
            case _:
                assert_never(report)

    def _exited(self, how: str) -> None:
        assert self._page is not None
        page, self._page, self.host, self._begun = self._page, None, None, False
        progress = page.progress()  # nobody writes there any more
        self._shared.thread.submit(page.close)
        if self.lane.state in {State.STARTING, State.CATCHING_UP, State.LIVE}:
            self._set_timer(None)
        error = self._ending.error if isinstance(self._ending, wire.Raised) else how
        if isinstance(self._ending, wire.Returned):
            self.tell(delivery.Returned(progress))
        else:
            self.tell(delivery.Crashed(error, progress))
        self._fail_first(StartupError(f"events plugin {self.name!r}: its process ended before it was ready: {error}"))

    def _let_run(self) -> None:
        if self.host is not None:
            self._begun = True
            self.host.nudge()

    def _close_host(self) -> None:
        self._set_timer(None)
        if self._page is not None and self.host is not None:
            self._page.words[Word.CLOSING] = 1
            self.host.nudge()

    def _not_ready(self) -> None:
        if self.host is not None:
            self._ending = wire.Raised(f"not ready within {READY_S_MAX:g} s")
            self.host.kill()

    def _fail_first(self, error: BigchainDBError) -> None:
        if not self.first.done():
            self.first.set_exception(error)

    def _set_timer(self, delay_s: float | None, call: Callable[[], None] | None = None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if delay_s is not None and call is not None:
            self._timer = asyncio.get_running_loop().call_later(delay_s, call)

    def _acked(self) -> int:
        return self.lane.progress.acked if self._page is None else self._page.acked

    def _end_pinning_read(self, page: LanePage) -> None:
        """End a process whose read keeps the write-ahead log from being reset, once that has grown too far (S1)."""
        since_ns = page.words[Word.READ_SINCE]
        if not since_ns or time.monotonic_ns() - since_ns < READ_S_MAX * 1e9 or self.host is None:
            return
        wal = self._shared.ledger.with_name(f"{self._shared.ledger.name}-wal")
        if wal.stat().st_size > self._shared.limits.wal_bytes_max:
            self._ending = wire.Raised(
                f"a read of the log lasted over {READ_S_MAX:g} s and kept the disk from being freed"
            )
            self.host.kill()

    # Said to people

    def _log_change(self, before: Lane) -> None:
        lane, level = self.lane, logging.INFO
        fields: dict[str, object] = {"plugin": self.name, "before": before.state.value, "position": self._acked()}
        if lane.state in {State.BACKOFF, State.GAPPED, State.FAILED}:
            level = logging.WARNING if lane.state is State.BACKOFF else logging.ERROR
            fields |= {"failures": lane.failure_count, "error": lane.error}
            if not self.first.done() and lane.state is not State.GAPPED:
                level = logging.DEBUG  # the start of the node ends with this error, and says it
        _log.log(level, "events plugin is %s", lane.state.value, extra=fields)

    def _warn_if_stuck(self, page: LanePage) -> None:
        taken_ns = page.oldest_taken_ns()
        if taken_ns is None or (age_s := (time.monotonic_ns() - taken_ns) / 1e9) < STUCK_S:
            return
        position = min(page.in_hand(), default=0)
        if position and position != self._warned_of:
            self._warned_of = position
            fields = {"plugin": self.name, "position": position, "age_s": round(age_s)}
            _log.warning("events plugin has not asked for another event", extra=fields)
