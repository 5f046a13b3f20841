"""The lane's state machine against a model: a log, a plugin that takes, settles and declines, processes that end, and
people who give orders.
"""

from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from bigchaindb.errors import OrderRefused
from bigchaindb.eventlog.facts import (
    CaughtUp,
    Disabled,
    Enabled,
    Ended,
    FellBehind,
    Gone,
    Lost,
    Nacked,
    ParkAsked,
    Raised,
    Ready,
    Refused,
    RetryDue,
    Returned,
    ReturnSettled,
    Sought,
    Stopping,
    Unlisted,
)
from bigchaindb.eventlog.lane import Lane, Stage, State
from bigchaindb.eventlog.orders import Discard, Known, Order, Pause, Restart, Resume, Retry, Seek, apply
from bigchaindb.eventlog.transitions import TRANSITIONS
from tests.simulation.eventlog.lane_model import LaneModel
from tests.support import scale

DELIVERING = {State.CATCHING_UP, State.LIVE}


class LaneMachine(LaneModel):
    """A plugin that holds three events at most, under every order of facts that the table allows."""

    HELD_MAX: ClassVar = 3

    # What the world does

    @rule(count=st.integers(1, 3), seconds=st.floats(0, 10))
    def pass_time(self, count: int, seconds: float) -> None:
        self.head += count
        self.now += seconds

    @precondition(lambda self: (self.lane.state, Enabled) in TRANSITIONS and not self.is_running)
    @rule()
    def enable(self) -> None:
        self.tell(Enabled())

    @precondition(lambda self: self.lane.state is State.STARTING and self.is_running)
    @rule(ready=st.sampled_from([True, True, False]))
    def answer(self, *, ready: bool) -> None:
        self.tell(Ready() if ready else Refused("no"))

    @precondition(lambda self: self.is_running and self.lane.state in DELIVERING)
    @rule()
    def take(self) -> None:
        """As the queue: what was in hand first, one at a time where that is asked for."""
        if len(self.held) >= (1 if self.lane.one_at_a_time and self.undone else self.HELD_MAX):
            return
        if self.undone:
            position = self.undone.pop(0)
            attempt = self.lane.attempt(position)
            assert position not in self.delivered_in_epoch
            self.delivered_in_epoch.append(position)
            assert self.delivered_in_epoch == sorted(self.delivered_in_epoch)  # P3
        elif self.again:
            position = min(self.again)
            attempt = self.again.pop(position)
        elif self.handed < self.head:
            position, attempt = self.handed + 1, 1
            self.handed = position
        else:
            return
        assert position not in self.settled | self.passed_over | self.parked
        self.held.add(position)
        self.deliveries[position] = self.deliveries.get(position, 0) + 1
        assert attempt == self.deliveries[position]

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        self.settle_one(data.draw(st.sampled_from(sorted(self.held))))

    def settle_one(self, position: int) -> None:
        self.held.remove(position)
        if position in self.returning:
            self.returning.remove(position)
            self.unreported.add(position)
        self.settled.add(position)

    @precondition(lambda self: self.unreported)
    @rule(data=st.data(), times=st.integers(1, 2))
    def report_return(self, data: st.DataObject, times: int) -> None:
        """A signal handler that raises between may bring a report twice."""
        position = data.draw(st.sampled_from(sorted(self.unreported)))
        self.unreported.remove(position)
        for _ in range(times):
            self.tell(ReturnSettled(position))

    @precondition(lambda self: self.held and self.lane.state in DELIVERING)
    @rule(data=st.data(), is_unavailable=st.booleans())
    def decline(self, data: st.DataObject, *, is_unavailable: bool) -> None:
        position = data.draw(st.sampled_from(sorted(self.held)))
        self.held.remove(position)
        self.aside.add(position)
        attempt = self.deliveries[position]
        if data.draw(st.booleans()):
            self.tell(Nacked(position, attempt, "x", is_unavailable=is_unavailable))
            if position not in self.recording.keys() | self.passed_over | self.again.keys():
                assert self.lane.state is State.BLOCKED
        else:
            self.tell(ParkAsked(position, attempt, "x"))
            before = self.lane
            self.tell(Nacked(position, attempt, "x"))  # the first answer counts
            assert self.lane == before

    @precondition(lambda self: self.recording)
    @rule(data=st.data())
    def record(self, data: st.DataObject) -> None:
        self.record_one(data.draw(st.sampled_from(sorted(self.recording))))

    @precondition(lambda self: self.to_settle)
    @rule(data=st.data())
    def obey(self, data: st.DataObject) -> None:
        """The process settles what it was told to."""
        position = data.draw(st.sampled_from(sorted(self.to_settle)))
        self.to_settle.remove(position)
        self.aside.discard(position)

    @precondition(lambda self: not self.lane.at(Stage.PARKING))
    @rule()
    def save(self) -> None:
        """As the node, once a second: what had returned and is settled stands in no list any more."""
        if self.is_running:
            self.lane = self.lane.forget_settled(self.in_page)
        returned = self.lane.at(Stage.RETURNED)
        assert returned <= self.settled | self.passed_over
        for position in returned:
            self.rows.pop(position, None)  # it may have been discarded meanwhile
        self.tell(Unlisted(returned))

    @precondition(lambda self: self.is_running and self.lane.state in DELIVERING)
    @rule()
    def look(self) -> None:
        behind = self.handed < self.head
        if behind is (self.lane.state is State.LIVE):
            self.tell(FellBehind() if behind else CaughtUp())

    @precondition(lambda self: self.is_running)
    @rule(how=st.sampled_from(["crash", "crash", "return", "unavailable", "kill", "lost", "gone"]))
    def end(self, how: str) -> None:
        if how == "lost" and (self.lane.state, Lost) in TRANSITIONS:
            self.tell(Lost("x"))
        if how == "gone" and (self.lane.state, Gone) in TRANSITIONS:
            self.tell(Gone("x"))
        has_run = how == "return" and self.lane.state is not State.STARTING
        for position in sorted(self.held) if has_run else ():
            self.settle_one(position)
        progress = self.page()
        self.is_running = False
        self.clear_process()
        last = Returned() if has_run else Raised("x", how == "unavailable")
        self.tell(Ended(last, progress, is_blameless=how == "kill"))

    @precondition(lambda self: self.waits)
    @rule()
    def retry_due(self) -> None:
        self.tell(RetryDue())

    @rule()
    def stop(self) -> None:
        """The node gives up what it has not written down."""
        self.recording.clear()
        self.tell(Stopping())

    # What people do

    def order(self, order: Order, how: str, known: Known | None = None) -> bool:
        """Carry out an order as the edge does; whether it was."""
        try:
            effects = apply("sales", order, self.lane, known or Known())
        except OrderRefused:
            return False
        if effects.ends_process:
            for position in sorted(self.recording):
                self.record_one(position)
            self.tell(Stopping())
            if self.is_running:
                self.end(how)
        still = {p: count for p, count in self.rows.items() if p in effects.returning}
        effects = effects.among(still, self.lane)
        if isinstance(effects.fact, Sought):
            self.move(effects.fact.position)
        self.returning |= effects.returning.keys()
        if effects.fact is not None:
            self.tell(effects.fact)
        for position in effects.forgotten:
            self.rows.pop(position, None)
            self.returning.discard(position)
            self.passed_over |= {position} - self.settled
        starts = effects.starts or self.lane.state is State.STOPPED
        if starts and not self.is_running and (self.lane.state, Enabled) in TRANSITIONS:
            self.tell(Enabled())
        return True

    def move(self, position: int) -> None:
        self.left = {p for p in self.lane.progress.returning if p <= position}
        self.start = self.handed = position
        self.returning.clear()
        for kept in (self.settled, self.passed_over):
            kept.difference_update([p for p in kept if p > position])
        self.rows = {p: count for p, count in self.rows.items() if p <= position}
        self.deliveries = dict(self.rows)  # a lane that was sent elsewhere knows what is written down

    @rule(order=st.sampled_from([Pause(), Resume(), Restart()]), how=st.sampled_from(["return", "kill"]))
    def pause_resume_or_restart(self, order: Order, how: str) -> None:
        self.order(order, how)

    @rule(data=st.data(), how=st.sampled_from(["return", "kill"]))
    def seek(self, data: st.DataObject, how: str) -> None:
        position = data.draw(st.integers(0, self.head))
        assert self.order(Seek(f"position:{position + 1}"), how, Known(position))

    @rule(data=st.data(), how=st.sampled_from(["return", "kill"]))
    def retry(self, data: st.DataObject, how: str) -> None:
        listed = {p: count for p, count in self.rows.items() if data.draw(st.booleans())}
        order = Retry(tuple(listed)) if data.draw(st.booleans()) else Retry()
        self.order(order, how, Known(parked=self.rows if order.positions is None else listed))

    @precondition(lambda self: self.rows or self.lane.progress.unsettled)
    @rule(data=st.data(), how=st.sampled_from(["return", "kill"]))
    def discard(self, data: st.DataObject, how: str) -> None:
        position = data.draw(st.sampled_from(sorted({*self.rows, *self.lane.progress.unsettled})))
        parked = {position: self.rows[position]} if position in self.rows else {}
        self.order(Discard((position,)), how, Known(parked=parked))

    @precondition(
        lambda self: (self.lane.state, Disabled) in TRANSITIONS and not self.is_running and not self.recording
    )
    @rule()
    def disable_and_enable_again(self) -> None:
        self.tell(Disabled())
        if self.lane.state is State.DISABLED:  # recovered by the next `plugins enable`
            self.save()
            self.lane = Lane(State.STOPPED, self.lane.epoch, self.lane.progress, self.lane.troubles)


LaneMachine.TestCase.settings = settings(max_examples=scale.LANE_MODEL_RUNS, stateful_step_count=50)
TestLaneMachine = LaneMachine.TestCase
