"""The ways to acknowledge against a model: threads, answers, processes that end, events that come again.

`TEST_SCALE=long` plays more runs. Source: decision 0025; promises P2, P3, P6; invariant E6.
"""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bigchaindb.eventlog.facts import Again, Nacked, ParkAsked, ReturnSettled, Settle
from bigchaindb.eventlog.lane import Progress
from bigchaindb.events import Event, EventTypes
from bigchaindb.subscribers.plugins import DELIVERY, EXPLICIT, NEXT_GET, Wants
from tests.support import scale
from tests.support.event_logs import ListLog
from tests.support.plugin_queues import Plugin

WINDOW = 4
WORKERS = 2
LONG_S = 1000.0

worker = st.integers(0, WORKERS - 1)
choice = st.integers(0, 1000)


class Acknowledgement(RuleBasedStateMachine):
    """What the queue does, and beside it what it should have done."""

    @initialize(
        wants=st.sampled_from(
            [Wants(1, NEXT_GET), Wants(1, NEXT_GET, 1), Wants(1, DELIVERY), Wants(1, EXPLICIT), Wants(1, EXPLICIT)]
        )
    )
    def begin(self, wants: Wants) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.mode, self.lag = wants.acknowledge, wants.ack_lag
        self.wants = wants
        self.log = ListLog()
        self.unsettled: set[int] = set()  # matching events of the log that must come or come again
        self.parked: set[int] = set()
        self.returning: set[int] = set()
        self.came_back: set[int] = set()  # and was settled by this process
        self.attempts: dict[int, int] = {}
        self.events: list[Event] = []  # of this process, answered or not
        self.epoch = 0
        self.reopen(Progress(), one_at_a_time=False)

    def reopen(self, progress: Progress, *, one_at_a_time: bool) -> None:
        """Start a process: with nothing taken, and what is in slots due at once."""
        self.epoch += 1
        self.pools = [ThreadPoolExecutor(1) for _ in range(WORKERS)]
        self.plugin = Plugin(
            Path(self.folder.name),
            self.log,
            progress,
            epoch=self.epoch,
            window=WINDOW,
            wants=self.wants,
            attempts={position: self.attempts[position] + 1 for position in progress.unsettled},
            one_at_a_time=one_at_a_time,
        )
        self.slot_count = len(self.plugin.page.slots)
        self.acked = self.plugin.page.cursor
        self.due = set(progress.unsettled)
        self.asked: dict[int, int] = {}  # position: attempt, of what the supervisor has to decide on
        self.later: set[int] = set()
        self.next = progress.reached + 1
        self.held: list[list[int]] = [[] for _ in range(WORKERS)]  # by worker, in the order of taking
        self.suspects = set(progress.unsettled) if one_at_a_time and not self.lag else set()
        self.events = []
        self.current: dict[int, Event] = {}  # with EXPLICIT: deliveries that nobody has answered

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.end_process()
            self.plugin.close()
            self.folder.cleanup()

    def end_process(self) -> None:
        for pool in self.pools:
            pool.shutdown()

    # What should be

    @property
    def in_slots(self) -> set[int]:
        return self.out | self.due | set(self.asked) | self.later

    @property
    def out(self) -> set[int]:
        return set(self.current) if self.mode == EXPLICIT else {one for held in self.held for one in held}

    def matches(self, position: int) -> bool:
        return self.log.all[position - 1].type == EventTypes.BLOCK_VALID

    def settle(self, position: int, *, is_told: bool = False) -> None:
        if position in self.returning and not is_told:
            self.came_back.add(position)
        self.unsettled.discard(position)
        self.returning.discard(position)
        self.suspects.discard(position)

    def ask(self, number: int, *, keep: int) -> None:
        """A thread asks for more: what it took before is settled, but for the last ones with a lag."""
        if self.mode == NEXT_GET:
            held = self.held[number]
            while len(held) > keep:
                self.settle(held.pop(0))

    def expected(self) -> int | None:
        if self.suspects and self.out:
            return None
        if self.due:
            return min(self.due)
        following = next((one for one in range(self.next, len(self.log.all) + 1) if self.matches(one)), None)
        return following if following is not None and len(self.in_slots) < self.slot_count else None

    def take(self, number: int, event: Event) -> None:
        position = event.position
        assert position == self.expected()
        assert position in self.unsettled
        self.attempts[position] = self.attempts.get(position, 0) + 1
        assert event.attempt == self.attempts[position]
        self.due.discard(position)
        self.next = max(self.next, position + 1)
        self.events.append(event)
        if self.mode == DELIVERY:
            self.settle(position)
        else:
            self.held[number].append(position)
            self.current[position] = event

    # What happens

    @rule(event_type=st.sampled_from([EventTypes.BLOCK_VALID, EventTypes.BLOCK_VALID, EventTypes.BLOCK_INVALID]))
    def commit(self, event_type: int) -> None:
        self.plugin.append(event_type)
        if event_type == EventTypes.BLOCK_VALID:
            self.unsettled.add(len(self.log.all))

    @rule(number=worker)
    def get(self, number: int) -> None:
        self.ask(number, keep=self.lag)
        try:
            event = self.pools[number].submit(self.plugin.queue.get_nowait).result()
        except Empty:
            assert self.expected() is None
        else:
            self.take(number, event)

    @precondition(lambda self: self.mode != DELIVERY)
    @rule(number=worker, count=st.integers(1, 3))
    def get_many(self, number: int, count: int) -> None:
        self.ask(number, keep=self.lag)
        events = self.pools[number].submit(self.plugin.queue.get_many, count, 0.0).result()
        for event in events:
            self.take(number, event)
        assert len(events) == count or self.expected() is None

    @rule(number=worker)
    def run_returns(self, number: int) -> None:
        self.ask(number, keep=0)
        self.pools[number].submit(self.plugin.queue.settle).result()

    @precondition(lambda self: self.mode == EXPLICIT and self.events)
    @rule(which=choice)
    def ack(self, which: int) -> None:
        """Any delivery of this process, also one that was answered."""
        event = self.events[which % len(self.events)]
        event.ack()
        if self.current.get(event.position) is event:
            del self.current[event.position]
            self.settle(event.position)

    @precondition(lambda self: self.mode == EXPLICIT)
    @rule(position=st.integers(0, 30))
    def ack_through(self, position: int) -> None:
        self.plugin.queue.ack_through(position)
        for one in [one for one in self.current if one <= position]:
            del self.current[one]
            self.settle(one)

    @precondition(lambda self: self.mode == EXPLICIT and self.events)
    @rule(which=choice, answer=st.sampled_from(["nack", "park"]))
    def send_back(self, which: int, answer: str) -> None:
        event = self.events[which % len(self.events)]
        before = len(self.plugin.reports)
        if answer == "park":
            event.park("reason")
        else:
            event.nack(error="error")
        if self.current.get(event.position) is not event:
            assert len(self.plugin.reports) == before
            return
        del self.current[event.position]
        self.asked[event.position] = event.attempt
        position, attempt = event.position, event.attempt
        assert self.plugin.reports[before:] == [
            ParkAsked(position, attempt, "reason")
            if answer == "park"
            else Nacked(position, attempt, "error", delay_s=None, is_unavailable=False)
        ]

    @precondition(lambda self: self.mode == EXPLICIT and self.asked)
    @rule(which=choice, answer=st.sampled_from(["now", "later", "settle"]))
    def answer(self, which: int, answer: str) -> None:
        """The supervisor has decided."""
        position = sorted(self.asked)[which % len(self.asked)]
        attempt = self.asked.pop(position)
        if answer == "settle":
            self.plugin.queue.answers.decided(Settle(position))
            self.settle(position, is_told=True)
            self.parked.add(position)
        else:
            self.plugin.queue.answers.decided(Again(position, attempt + 1, 0.0 if answer == "now" else LONG_S))
            (self.due if answer == "now" else self.later).add(position)

    @precondition(lambda self: self.mode == EXPLICIT and self.later)
    @rule(which=choice)
    def delay_is_over(self, which: int) -> None:
        position = sorted(self.later)[which % len(self.later)]
        self.later.remove(position)
        self.plugin.queue.answers.decided(Again(position, self.attempts[position] + 1, 0.0))
        self.due.add(position)

    @rule(after=st.sampled_from(["one at a time", "at will"]), retried=choice)
    def die(self, after: str, retried: int) -> None:
        """Killed; the next one goes on from the page. A person may want a parked event again."""
        before, stale, progress = self.plugin, self.events, self.plugin.page.progress()
        self.end_process()
        self.came_back.clear()
        if self.parked and retried % 2:
            position = sorted(self.parked)[retried % len(self.parked)]
            self.parked.remove(position)
            self.returning.add(position)
            self.unsettled.add(position)
        returning = tuple(sorted(self.returning))
        progress = Progress(progress.cursor, progress.reached, progress.in_hand, returning)
        self.reopen(progress, one_at_a_time=after == "one at a time")
        if self.mode == EXPLICIT:  # P12: it may still run; nobody reads its page
            for event in stale:
                event.ack()
        before.close()

    # What must be so at any moment

    @invariant()
    def nothing_is_lost(self) -> None:
        """P2: whatever is not settled stands in the page or behind what it has handed out; and nothing else does."""
        if not hasattr(self, "plugin"):
            return
        progress = self.plugin.page.progress()
        comes = {*progress.unsettled, *filter(self.matches, range(progress.reached + 1, len(self.log.all) + 1))}
        assert comes == self.unsettled
        assert set(progress.returning) == self.returning

    @invariant()
    def what_came_back_and_is_settled_is_reported(self) -> None:
        """The cursor does not show it, and nothing else takes it off the list of what is parked."""
        if hasattr(self, "plugin"):
            told = [one.position for one in self.plugin.reports if isinstance(one, ReturnSettled)]
            assert sorted(told) == sorted(self.came_back)

    @invariant()
    def the_cursor_is_over_settled_events_alone(self) -> None:
        """E6."""
        if not hasattr(self, "plugin"):
            return
        acked = self.plugin.page.cursor
        assert acked >= self.acked
        self.acked = acked
        assert not [one for one in self.unsettled - self.returning if one <= acked]
        # And over all of them that matched; it passes over others at the latest when there is nothing to take.
        assert not list(filter(self.matches, range(acked + 1, self.plugin.page.progress().cursor + 1)))

    @invariant()
    def what_is_kept_beside_the_events_that_are_out_agrees_with_them(self) -> None:
        """P10: a sum that drifts would let a plugin hold more than its window, or nothing any more."""
        if not hasattr(self, "plugin"):
            return
        out = sorted(self.current) if self.mode == EXPLICIT else []
        window = self.plugin.queue._window
        assert list(window.unanswered) == out
        assert window._unanswered_bytes == sum(len(self.log.all[position - 1].body) for position in out)

    @invariant()
    def the_page_says_who_may_be_to_blame(self) -> None:
        """What was nacked, or not taken yet, did not end the process."""
        if hasattr(self, "plugin"):
            assert self.plugin.page.progress().delivered == self.out & self.unsettled


TestAcknowledgement = pytest.mark.timeout(120 + scale.QUEUE_MODEL_RUNS)(Acknowledgement.TestCase)
TestAcknowledgement.settings = settings(max_examples=scale.QUEUE_MODEL_RUNS, stateful_step_count=40)
