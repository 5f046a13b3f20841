"""The lane's state machine against a model: a log, a plugin that takes and settles, and processes that end."""

import itertools
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bigchaindb.eventlog.delivery import (
    TRANSITIONS,
    Action,
    Backoff,
    CaughtUp,
    CloseHost,
    Crashed,
    Enabled,
    Fact,
    FellBehind,
    Lane,
    Lost,
    Progress,
    Ready,
    Refused,
    RetryDue,
    Returned,
    StartHost,
    State,
    Stopping,
    WakeIn,
    step,
)

BACKOFF = Backoff(base_s=1.0, max_s=60.0)


def told(lane: Lane, *facts: Fact, draw: float = 0.5) -> tuple[Lane, list[Action]]:
    actions: list[Action] = []
    for fact in facts:
        lane, more = step(lane, fact, BACKOFF, draw)
        actions += more
    return lane, actions


def test_a_plugin_that_starts_and_takes_everything_is_live() -> None:
    lane, actions = told(Lane(), Enabled(), Ready(), CaughtUp())
    assert (lane.state, actions) == (State.LIVE, [StartHost(1)])
    assert told(lane, FellBehind())[0].state is State.CATCHING_UP


def test_p11_p12_every_process_has_an_epoch_of_its_own() -> None:
    _, actions = told(Lane(epoch=7), Enabled(), Crashed("x", Progress()), RetryDue())
    assert [action.epoch for action in actions if isinstance(action, StartHost)] == [8, 9]


def test_failures_in_a_row_wait_longer_and_longer_up_to_a_minute() -> None:
    lane, delays = Lane(), []
    starts: list[Fact] = [Enabled(), *[RetryDue()] * 9]
    for fact in starts:
        lane, actions = told(lane, fact, Crashed("x", Progress()))
        delays += [action.delay_s for action in actions if isinstance(action, WakeIn)]
    assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30]  # half of the bound, as the draw is 0.5


@given(failure_count=st.integers(1, 10**6), draw=st.floats(0, 1, exclude_max=True))
def test_a_delay_is_a_part_of_its_bound(failure_count: int, draw: float) -> None:
    assert 0 <= BACKOFF.delay_s(failure_count, draw) <= 60


def test_an_event_settled_in_between_starts_the_count_again() -> None:
    lane, _ = told(Lane(), Enabled(), Crashed("x", Progress()), RetryDue(), Crashed("x", Progress()))
    assert lane.failure_count == 2
    lane, _ = told(lane, RetryDue(), Ready(), Crashed("x", Progress(1, 1)))
    assert lane.failure_count == 1


def test_attempts_are_counted_for_each_event_in_hand() -> None:
    lane, _ = told(Lane(), Enabled(), Ready(), Crashed("x", Progress(0, 3, (1, 3))))
    assert lane.attempts == {1: 2, 3: 2}
    lane, _ = told(lane, RetryDue(), Ready(), Crashed("x", Progress(2, 4, (3, 4))))
    assert lane.attempts == {3: 3, 4: 2}


def test_run_that_returns_after_work_goes_on_at_once() -> None:
    lane, actions = told(Lane(), Enabled(), Ready(), Returned(Progress(1, 1)))
    assert (lane.failure_count, actions[1:]) == (0, [WakeIn(0.0)])


def test_run_that_returns_without_work_counts_as_a_failure() -> None:
    lane, actions = told(Lane(), Enabled(), Ready(), Returned(Progress()))
    assert (lane.failure_count, lane.error) == (1, "run returned without taking an event")
    assert actions[1:] == [WakeIn(0.5)]


def test_a_refused_configuration_is_not_tried_again_before_the_next_start() -> None:
    lane, actions = told(Lane(), Enabled(), Refused("no"), Crashed("exit code 1", Progress()))
    assert (lane.state, lane.error, actions) == (State.FAILED, "no", [StartHost(1)])
    assert told(lane, Stopping())[0].state is State.FAILED
    assert told(lane, Enabled())[1] == [StartHost(2)]


def test_p8_a_lost_history_waits_for_a_person() -> None:
    lane, actions = told(Lane(), Enabled(), Ready(), Lost("gone"), Crashed("killed", Progress()), Stopping())
    assert (lane.state, lane.error) == (State.GAPPED, "gone")
    assert actions == [StartHost(1), CloseHost(), CloseHost()]
    with pytest.raises(KeyError):
        told(lane, Enabled())


def test_a_process_that_ends_at_the_stop_is_not_started_again() -> None:
    lane, actions = told(Lane(), Enabled(), Ready(), Stopping(), Returned(Progress(4, 4)))
    assert (lane.state, lane.progress.acked) == (State.STOPPED, 4)
    assert actions == [StartHost(1), CloseHost()]


def test_e6_a_cursor_never_stands_above_an_event_in_hand() -> None:
    with pytest.raises(AssertionError):
        Progress(5, 9, (4,))


class LaneMachine(RuleBasedStateMachine):
    """A plugin of three threads over a log, under every order of facts that the table allows."""

    THREADS: ClassVar = 3

    @initialize(cursor=st.integers(0, 5))
    def begin(self, cursor: int) -> None:
        self.head = self.handed = cursor
        self.lane = Lane(progress=Progress(cursor, cursor))
        self.first = cursor + 1
        self.in_hand: set[int] = set()
        self.again: list[int] = []
        self.settled: list[int] = []
        self.epochs: list[int] = []
        self.delivered: list[tuple[int, int]] = []  # epoch, position
        self.is_running = False
        self.waits = False

    def tell(self, fact: Fact) -> None:
        self.lane, actions = step(self.lane, fact, BACKOFF, 0.5)
        for action in actions:
            match action:
                case StartHost(epoch):
                    self.epochs.append(epoch)
                    self.is_running, self.waits = True, False
                    self.again = list(self.lane.progress.in_hand)
                case WakeIn():
                    self.waits = True
                case CloseHost():
                    self.waits = False

    def progress(self) -> Progress:
        in_hand = tuple(sorted({*self.in_hand, *self.again}))
        return Progress(in_hand[0] - 1 if in_hand else self.handed, self.handed, in_hand)

    @rule()
    def commit(self) -> None:
        self.head += 1

    @precondition(lambda self: (self.lane.state, Enabled) in TRANSITIONS)
    @rule()
    def enable(self) -> None:
        self.tell(Enabled())

    @precondition(lambda self: self.lane.state is State.STARTING)
    @rule(ready=st.booleans())
    def answer(self, *, ready: bool) -> None:
        self.tell(Ready() if ready else Refused("no"))

    @precondition(lambda self: self.is_running and self.lane.state in {State.CATCHING_UP, State.LIVE})
    @rule()
    def take(self) -> None:
        if len(self.in_hand) == self.THREADS or (not self.again and self.handed == self.head):
            return
        position = self.again.pop(0) if self.again else self.handed + 1
        self.handed = max(self.handed, position)
        self.in_hand.add(position)
        self.delivered.append((self.lane.epoch, position))

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        position = data.draw(st.sampled_from(sorted(self.in_hand)))
        self.in_hand.remove(position)
        self.settled.append(position)

    @precondition(lambda self: self.lane.state in {State.CATCHING_UP, State.LIVE})
    @rule()
    def look(self) -> None:
        behind = self.handed < self.head
        if behind is (self.lane.state is State.LIVE):
            self.tell(FellBehind() if behind else CaughtUp())

    @precondition(lambda self: self.is_running)
    @rule(returns=st.booleans())
    def end(self, *, returns: bool) -> None:
        returns = returns and self.lane.state is not State.STARTING
        if returns:
            self.settled += sorted(self.in_hand)
            self.in_hand.clear()
        progress = self.progress()
        self.is_running = False
        self.in_hand.clear()
        self.tell(Returned(progress) if returns else Crashed("x", progress))

    @precondition(lambda self: self.waits)
    @rule()
    def retry(self) -> None:
        self.tell(RetryDue())

    @rule()
    def stop(self) -> None:
        self.tell(Stopping())

    @invariant()
    def nothing_is_settled_twice(self) -> None:
        assert len(self.settled) == len(set(self.settled))

    @invariant()
    def everything_up_to_the_cursor_is_settled(self) -> None:
        """E6, and with it P2: no position is ever passed over."""
        assert set(range(self.first, self.lane.progress.acked + 1)) <= set(self.settled)
        assert set(range(self.first, self.handed + 1)) == (
            set(self.settled) | self.in_hand | set(self.again)
            | (set() if self.is_running else set(self.lane.progress.in_hand))
        )  # fmt: skip

    @invariant()
    def p3_each_process_gets_ascending_positions(self) -> None:
        for _, group in itertools.groupby(self.delivered, key=lambda pair: pair[0]):
            positions = [position for _, position in group]
            assert positions == sorted(set(positions))

    @invariant()
    def p12_epochs_ascend(self) -> None:
        assert self.epochs == sorted(set(self.epochs))

    @invariant()
    def a_lane_that_is_not_stopped_is_run_or_waits(self) -> None:
        """P2: no failure is the last one."""
        if self.lane.state in {State.CATCHING_UP, State.LIVE, State.STARTING}:
            assert self.is_running
        if self.lane.state is State.BACKOFF:
            assert self.waits


LaneMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLaneMachine = LaneMachine.TestCase
