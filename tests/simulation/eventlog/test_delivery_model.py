"""The lane's state machine against a model: a log, a plugin that takes, settles and declines, processes that end, and
people who give orders.
"""

from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bigchaindb.errors import OrderRefused
from bigchaindb.eventlog.facts import (
    Again,
    CaughtUp,
    CloseHost,
    Disabled,
    Enabled,
    Ended,
    Fact,
    FellBehind,
    Gone,
    Lost,
    Nacked,
    Park,
    ParkAsked,
    ParkRecorded,
    Raised,
    Ready,
    Refused,
    RetryDue,
    Returned,
    ReturnSettled,
    Settle,
    Skip,
    Sought,
    StartHost,
    Stopping,
    Unlisted,
    WakeIn,
)
from bigchaindb.eventlog.lane import RUNNING, Lane, Progress, Stage, State
from bigchaindb.eventlog.orders import Discard, Known, Order, Pause, Restart, Resume, Retry, Seek, apply
from bigchaindb.eventlog.retrying import OnFailure, Policy
from bigchaindb.eventlog.transitions import TRANSITIONS, step
from tests.support import scale

DELIVERING = {State.CATCHING_UP, State.LIVE}


class LaneMachine(RuleBasedStateMachine):
    """A plugin that holds three events at most, under every order of facts that the table allows.

    Of its process: `undone` is what it was given at its start and has not taken yet; `held` is what it has taken;
    `again` is what it gave back and gets once more; `aside` is what it gave back until it is answered. Of the disk:
    `recording` is what the edge has still to write down as parked, `rows` what stands there, with deliveries so far.
    """

    HELD_MAX: ClassVar = 3

    @initialize(
        parked=st.sets(st.integers(1, 3)), on_failure=st.sampled_from(OnFailure), attempts=st.sampled_from([1, 1, 2, 3])
    )
    def begin(self, parked: set[int], on_failure: OnFailure, attempts: int) -> None:
        """A lane that was stopped behind position 3, or nowhere, and had parked some events."""
        cursor = 3 if parked else 0
        self.policy = Policy(attempts=attempts, duration_s=5, on_failure=on_failure)
        self.head = self.handed = cursor
        self.start = 0
        self.lane = Lane(progress=Progress(cursor, cursor))
        self.now = 0.0
        self.settled = {*range(1, cursor + 1)} - parked
        self.passed_over: set[int] = set()  # skipped or discarded
        self.returning: set[int] = set()  # asked for again, and not settled
        self.left: set[int] = set()  # parked still, since a seek came while they returned: their deliveries count on
        self.recording: dict[int, int] = {}
        self.rows = dict.fromkeys(parked, 2)
        self.epochs: list[int] = []
        self.deliveries = dict.fromkeys(parked, 2)
        self.delivered_in_epoch: list[int] = []
        self.is_running = self.is_about_to_start = self.waits = self.is_closing = False
        self.clear_process()

    def clear_process(self) -> None:
        self.undone: list[int] = []
        self.held: set[int] = set()
        self.again: dict[int, int] = {}
        self.aside: set[int] = set()
        self.to_settle: set[int] = set()
        self.unreported: set[int] = set()
        self.marked: set[int] = set()  # in its page, as returning

    @property
    def parked(self) -> set[int]:
        """What is set aside, and nobody has asked for."""
        return self.rows.keys() - self.returning - self.settled - self.passed_over

    @property
    def in_page(self) -> set[int]:
        return {*self.undone, *self.held, *self.again, *self.aside}

    # The edge

    def tell(self, fact: Fact) -> None:
        self.lane, actions = step(self.lane, fact, self.policy, 0.5, self.now)
        for action in actions:
            match action:
                case StartHost(epoch):
                    assert not self.is_running  # the edge has waited for the end of the one before
                    self.epochs.append(epoch)
                    self.waits, self.is_about_to_start = False, True
                case WakeIn():
                    self.waits = True
                case CloseHost():
                    self.waits, self.is_closing = False, True
                case Again(position, attempt):
                    self.aside.remove(position)
                    self.again[position] = attempt
                case Park(position, trouble):
                    assert trouble.attempts == self.deliveries[position]
                    self.recording[position] = trouble.attempts
                case Skip(position):
                    self.passed_over.add(position)
                    self.returning.discard(position)
                case Settle(position):
                    self.to_settle |= {position} & self.in_page
        self.start_host()

    def start_host(self) -> None:
        """A page is made once nothing is to be written down: it would bring that again."""
        if self.lane.state is not State.STARTING:
            self.is_about_to_start = False
        if self.is_about_to_start and not self.recording:
            assert not self.lane.at(Stage.PARKING)
            self.is_about_to_start, self.is_running, self.is_closing = False, True, False
            self.undone = list(self.lane.progress.unsettled)
            self.marked = {*self.lane.progress.returning}
            self.delivered_in_epoch = []

    def record_one(self, position: int) -> None:
        self.rows[position] = self.recording.pop(position)
        self.returning.discard(position)
        self.tell(ParkRecorded([position]))

    def page(self) -> Progress:
        in_page = self.in_page
        in_hand = tuple(sorted(in_page - self.marked))
        return Progress(
            in_hand[0] - 1 if in_hand else self.handed,
            self.handed,
            in_hand,
            tuple(sorted(in_page & self.marked)),
            frozenset(self.held),
        )

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

    # What always holds

    @invariant()
    def p2_every_event_up_to_the_last_handed_over_is_somewhere(self) -> None:
        in_hand = self.in_page - self.to_settle if self.is_running else {*self.lane.progress.unsettled}
        known = self.settled | self.passed_over | self.parked | in_hand
        assert set(range(self.start + 1, self.handed + 1)) <= known
        assert not in_hand & (self.settled | self.passed_over | self.parked)

    @invariant()
    def p2_what_is_to_return_is_in_hand(self) -> None:
        assert self.returning <= (self.in_page if self.is_running else {*self.lane.progress.unsettled})

    @invariant()
    def p3_a_list_of_parked_events_holds_no_others_for_long(self) -> None:
        settled = self.rows.keys() & (self.settled | self.passed_over)
        assert settled <= self.lane.at(Stage.RETURNED) | self.unreported

    @invariant()
    def e6_everything_up_to_the_cursor_is_settled(self) -> None:
        done = self.settled | self.passed_over | self.rows.keys()
        assert set(range(self.start + 1, self.lane.progress.cursor + 1)) <= done

    @invariant()
    def s1_nothing_is_kept_of_what_is_settled(self) -> None:
        if not self.is_running:
            assert self.lane.troubles.keys() <= {*self.lane.progress.unsettled} | self.left

    @invariant()
    def p12_epochs_ascend(self) -> None:
        assert self.epochs == sorted(set(self.epochs))

    @invariant()
    def p2_a_lane_that_waits_for_no_person_is_run_or_will_be(self) -> None:
        if self.lane.state in RUNNING:
            assert self.is_running or (self.is_about_to_start and self.recording)
        if self.lane.state is State.BACKOFF:
            assert self.waits
        if self.lane.state not in RUNNING and self.is_running:
            assert self.is_closing

    @invariant()
    def a_lane_is_blocked_by_an_event_in_hand(self) -> None:
        if self.lane.state is State.BLOCKED and not self.is_running:
            assert self.lane.progress.unsettled
            assert self.policy.on_failure is OnFailure.BLOCK


LaneMachine.TestCase.settings = settings(max_examples=scale.LANE_MODEL_RUNS, stateful_step_count=50)
TestLaneMachine = LaneMachine.TestCase
