"""The lane's state machine against a model: a log, a plugin that takes, settles and declines, processes that end, and
people who give orders.
"""

from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bigchaindb.eventlog.delivery import TRANSITIONS, step
from bigchaindb.eventlog.facts import (
    Again,
    CaughtUp,
    CloseHost,
    Disabled,
    Discarded,
    Enabled,
    Ended,
    Fact,
    FellBehind,
    Gone,
    Lost,
    Nacked,
    Park,
    ParkAsked,
    Paused,
    Raised,
    Ready,
    Refused,
    Retried,
    RetryDue,
    Returned,
    Skip,
    Sought,
    StartHost,
    Stopping,
    WakeIn,
)
from bigchaindb.eventlog.lane import RUNNING, Lane, Progress, State
from bigchaindb.eventlog.retrying import OnFailure, Policy
from tests.support import scale


class LaneMachine(RuleBasedStateMachine):
    """A plugin that holds three events at most, under every order of facts that the table allows.

    `undone` is what the process was given at its start and has not taken yet; `held` is what it has taken; `again` is
    what it gave back and gets once more.
    """

    HELD_MAX: ClassVar = 3

    @initialize(cursor=st.integers(0, 5), on_failure=st.sampled_from(OnFailure), attempts=st.integers(1, 3))
    def begin(self, cursor: int, on_failure: OnFailure, attempts: int) -> None:
        self.policy = Policy(attempts=attempts, duration_s=5, on_failure=on_failure)
        self.head = self.handed = self.start = cursor
        self.lane = Lane(progress=Progress(cursor, cursor))
        self.now = 0.0
        self.settled: set[int] = set()
        self.parked: dict[int, int] = {}  # position: deliveries so far
        self.passed_over: set[int] = set()  # skipped or discarded
        self.returning: set[int] = set()
        self.epochs: list[int] = []
        self.deliveries: dict[int, int] = {}
        self.delivered_in_epoch: list[int] = []
        self.is_running = self.waits = self.is_closing = False
        self.clear_process()

    def clear_process(self) -> None:
        self.undone: list[int] = []
        self.held: set[int] = set()
        self.again: dict[int, int] = {}

    # The edge

    def tell(self, fact: Fact) -> None:
        self.lane, actions = step(self.lane, fact, self.policy, 0.5, self.now)
        for action in actions:
            match action:
                case StartHost(epoch):
                    assert not self.is_running  # the edge has waited for the end of the one before
                    self.epochs.append(epoch)
                    self.is_running, self.waits, self.is_closing = True, False, False
                    self.undone = list(self.lane.progress.undone)
                    self.delivered_in_epoch = []
                case WakeIn():
                    self.waits = True
                case CloseHost():
                    self.waits = False
                    self.is_closing = True
                case Again(position, attempt):
                    self.again[position] = attempt
                case Park(position, trouble):
                    assert trouble.attempts == self.deliveries[position]
                    self.parked[position] = trouble.attempts
                    self.let_go(position)
                case Skip(position):
                    self.passed_over.add(position)
                    self.let_go(position)

    def let_go(self, position: int) -> None:
        self.held.discard(position)
        self.returning.discard(position)

    def ended(self) -> Progress:
        """Return the progress of a process that ends, as its page has it."""
        left = {*self.undone, *self.held, *self.again}
        in_hand = tuple(sorted(left - self.returning))
        progress = Progress(
            in_hand[0] - 1 if in_hand else self.handed,
            self.handed,
            in_hand,
            tuple(sorted(left & self.returning)),
            frozenset(self.held),
        )
        self.is_running = False
        return progress

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

    @precondition(lambda self: self.is_running and self.lane.state in {State.CATCHING_UP, State.LIVE})
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
        assert position not in self.settled | self.passed_over
        self.held.add(position)
        self.deliveries[position] = self.deliveries.get(position, 0) + 1
        assert attempt == self.deliveries[position]

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        position = data.draw(st.sampled_from(sorted(self.held)))
        self.let_go(position)
        self.settled.add(position)

    @precondition(lambda self: self.held and self.lane.state in {State.CATCHING_UP, State.LIVE})
    @rule(data=st.data(), is_unavailable=st.booleans())
    def decline(self, data: st.DataObject, *, is_unavailable: bool) -> None:
        position = data.draw(st.sampled_from(sorted(self.held)))
        self.held.remove(position)
        attempt = self.deliveries[position]
        if data.draw(st.booleans()):
            self.tell(Nacked(position, attempt, "x", is_unavailable=is_unavailable))
            if position not in self.parked | self.passed_over_and_gone() | self.again:
                assert self.lane.state is State.BLOCKED
                self.undone.append(position)
        else:
            self.tell(ParkAsked(position, attempt, "x"))

    def passed_over_and_gone(self) -> dict[int, int]:
        return dict.fromkeys(self.passed_over, 0)

    @precondition(lambda self: self.is_running and self.lane.state in {State.CATCHING_UP, State.LIVE})
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
        if how == "return" and self.lane.state is not State.STARTING:
            for position in sorted(self.held):
                self.let_go(position)
                self.settled.add(position)
        progress = self.ended()
        self.clear_process()
        if how == "return" and self.lane.state is not State.STARTING:
            self.tell(Ended(Returned(), progress))
        else:
            self.tell(Ended(Raised("x", how == "unavailable"), progress, is_blameless=how == "kill"))

    @precondition(lambda self: self.waits)
    @rule()
    def retry_due(self) -> None:
        self.tell(RetryDue())

    # What people do

    @rule()
    def stop(self) -> None:
        self.tell(Stopping())

    @precondition(lambda self: (self.lane.state, Paused) in TRANSITIONS)
    @rule()
    def pause(self) -> None:
        self.tell(Paused())

    def is_free_for(self, order: type[Fact]) -> bool:
        return not self.is_running and (self.lane.state, order) in TRANSITIONS

    @precondition(lambda self: self.is_free_for(Sought))
    @rule(data=st.data())
    def seek(self, data: st.DataObject) -> None:
        position = data.draw(st.integers(0, self.head))
        self.tell(Sought(position))
        self.start = self.handed = position
        self.returning.clear()
        for kept in (self.settled, self.passed_over):
            kept.difference_update([p for p in kept if p > position])
        self.parked = {p: count for p, count in self.parked.items() if p <= position}
        self.deliveries = {p: count for p, count in self.deliveries.items() if p in self.parked}

    @precondition(lambda self: self.is_free_for(Retried))
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        asked = {p: self.parked.pop(p) for p in sorted(self.parked) if data.draw(st.booleans())}
        self.tell(Retried(asked))
        self.returning |= asked.keys()

    @precondition(lambda self: self.is_free_for(Discarded) and self.lane.progress.undone)
    @rule()
    def discard(self) -> None:
        position = self.lane.progress.undone[0]
        self.tell(Discarded((position,)))
        self.passed_over.add(position)
        self.returning.discard(position)

    @precondition(lambda self: self.is_free_for(Disabled))
    @rule()
    def disable_and_enable_again(self) -> None:
        self.tell(Disabled())
        if self.lane.state is State.DISABLED:  # recovered by the next `plugins enable`
            self.lane = Lane(State.STOPPED, self.lane.epoch, self.lane.progress, self.lane.troubles)

    # What always holds

    @invariant()
    def p2_every_event_up_to_the_last_handed_over_is_somewhere(self) -> None:
        in_hand = {*self.undone, *self.held, *self.again} if self.is_running else {*self.lane.progress.undone}
        known = self.settled | self.passed_over | self.parked.keys() | in_hand
        assert set(range(self.start + 1, self.handed + 1)) <= known
        assert not in_hand & (self.settled | self.passed_over)

    @invariant()
    def e6_everything_up_to_the_cursor_is_settled(self) -> None:
        done = self.settled | self.passed_over | self.parked.keys() | self.returning
        assert set(range(self.start + 1, self.lane.progress.acked + 1)) <= done

    @invariant()
    def p12_epochs_ascend(self) -> None:
        assert self.epochs == sorted(set(self.epochs))

    @invariant()
    def p2_a_lane_that_waits_for_no_person_is_run_or_will_be(self) -> None:
        if self.lane.state in RUNNING:
            assert self.is_running
        if self.lane.state is State.BACKOFF:
            assert self.waits
        if self.lane.state not in RUNNING and self.is_running:
            assert self.is_closing

    @invariant()
    def a_lane_is_blocked_by_an_event_in_hand(self) -> None:
        if self.lane.state is State.BLOCKED and not self.is_running:
            assert self.lane.progress.undone
            assert self.policy.on_failure is OnFailure.BLOCK


LaneMachine.TestCase.settings = settings(max_examples=scale.LANE_MODEL_RUNS, stateful_step_count=50)
TestLaneMachine = LaneMachine.TestCase
