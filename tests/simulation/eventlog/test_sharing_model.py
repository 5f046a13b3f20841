"""Dealing events out against brute force: answers late and foreign, consumers lost, events undecided, runs that end.

`TEST_SCALE=long` plays more runs. Source: decision 0096; promise P2; invariant E6.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bigchaindb.eventlog.sharing import Delivery, Sharing, TakenBack
from tests.support import scale
from tests.support.brute_sharing import NEVER, BruteSharing, Row

WINDOW = 12
KEYS = {"asset": 3, "log": 1, "none": 10_000}

HISTORY_STEPS = 120
WEIGHTS = {
    "read": 8,
    "nothing_matches": 1,
    "attach": 5,
    "give": 16,
    "lose": 3,
    "lose_again": 2,
    "stop_taking": 3,
    "answer": 10,
    "answer_the_oldest": 6,
    "answer_again": 4,
    "answer_for_another": 1,
    "answer_another_attempt": 1,
    "decide": 7,
    "decide_about_any": 1,
    "wake": 4,
    "kill": 1,
}

names = st.sampled_from(["a", "b", "c"])
choice = st.integers(0, 10_000)
delays = st.sampled_from([0.0, 0.0, 1.0, 5.0, 50.0, None, None])
answers = st.sampled_from(["ack", "ack", "ack", "nack", "nack", "overrun"])


class Dealing(RuleBasedStateMachine):
    """One subscription through several runs: what is dealt out, and beside it what should be."""

    @initialize(order=st.sampled_from(["asset", "asset", "log", "none"]))
    def begin(self, order: str) -> None:
        self.order = order
        self.log = 0
        self.keys: dict[int, Hashable] = {}  # of events that match
        self.settled: set[int] = set()
        self.parked: dict[int, int] = {}  # with the deliveries so far
        self.attempts: dict[int, int] = defaultdict(int)
        self.now = 0.0
        self._run(0, {}, {})
        self.attach("a", 4)
        self.attach("b", 2)
        self.read([0, 1, 0, 0, 1], 1)
        self.give("a", 3)

    def _run(self, cursor: int, in_hand: dict[int, Hashable], returning: dict[int, Hashable]) -> None:
        """Begin a run as a page tells it: what was in hand and what returns, ascending, then the log."""
        self.sharing = Sharing(cursor, keeps_keys=self.order == "log")
        self.brute = BruteSharing(cursor, keeps_keys=self.order == "log")
        self.given: list[tuple[str, Delivery]] = []  # ever, in this run
        self.held: dict[str, list[Delivery]] = {}  # by consumer, in the order of giving, as the consumers see it
        for number, key in sorted({**in_hand, **returning}.items()):
            self._read(number, key, is_returning=number in returning)
            assert self.sharing.cursor == self.brute.cursor()
        if self.log:
            self.sharing.passed(self.log)
            self.brute.reached = self.log

    def _read(self, number: int, key: Hashable, *, is_returning: bool = False) -> None:
        self.keys[number] = key
        attempts = self.attempts[number]
        self.sharing.read(number, key, attempt=attempts + 1, is_returning=is_returning)
        self.brute.rows.append(Row(number, key, attempts, is_returning))
        if not is_returning:
            self.brute.reached = number

    # The log

    @precondition(lambda self: self.sharing.unsettled_count < WINDOW)
    @rule(keys=st.lists(st.integers(0, 9_999), min_size=1, max_size=5), gap=st.integers(1, 3))
    def read(self, keys: list[int], gap: int) -> None:
        for drawn in keys:
            if self.sharing.unsettled_count < WINDOW:
                self.log += gap
                self._read(self.log, self.log if self.order == "none" else drawn % KEYS[self.order])

    @rule(count=st.integers(0, 3))
    def nothing_matches(self, count: int) -> None:
        self.log += count
        self.sharing.passed(self.log)
        self.brute.reached = self.log

    # Consumers

    @precondition(lambda self: len(self.held) < 3)
    @rule(name=names, room=st.integers(1, 5))
    def attach(self, name: str, room: int) -> None:
        if name not in self.held:
            self.sharing.attach(name, room)
            self.brute.rooms[name] = room
            self.held[name] = []

    @precondition(lambda self: self.held)
    @rule(name=names, count=st.integers(1, 5))
    def give(self, name: str, count: int) -> None:
        if name not in self.held:
            return
        given = self.sharing.give(name, count)
        assert given == self.brute.give(name, count)
        for delivery in given:
            self._goes_out(name, delivery)

    @precondition(lambda self: self.held)
    @rule(count=st.integers(1, 5))
    def give_all(self, count: int) -> None:
        for name in list(self.held):
            self.give(name, count)

    def _goes_out(self, name: str, delivery: Delivery) -> None:
        """Require what a subscription promises, by the deliveries alone."""
        number, attempt = delivery
        assert number not in self.settled
        assert number not in {one.number for held in self.held.values() for one in held}, "given twice"
        assert attempt == self.attempts[number] + 1
        self.attempts[number] = attempt
        for other, held in self.held.items():
            same = [one.number for one in held if self.keys[one.number] == self.keys[number]]
            assert not same or other == name, "one holder"
            assert all(one < number for one in same), "order of the key"
        self.held[name].append(delivery)
        self.given.append((name, delivery))

    @precondition(lambda self: self.held)
    @rule(name=names, is_blameless=st.sampled_from([False, False, False, True]))
    def lose(self, name: str, is_blameless: bool) -> None:  # noqa: FBT001 - drawn
        if name not in self.held:
            return
        taken = self.sharing.lose(name, is_blameless=is_blameless)
        had, blamed = self.brute.lose(name, is_blameless=is_blameless)
        assert list(taken.deliveries) == had == sorted(self.held.pop(name))
        assert blamed == ([] if taken.undecided is None else [taken.undecided.number])

    @precondition(lambda self: any(self.held.values()))
    @rule(drawn=choice, other=names, times=st.integers(1, 3), count=st.integers(1, 5), overruns=st.booleans())
    def lose_again(self, drawn: int, other: str, times: int, count: int, overruns: bool) -> None:  # noqa: FBT001 - drawn
        """Whoever has something is lost, or has it for too long, and others take over: soon an event is given alone."""
        for _ in range(times):
            out = [(name, held[0]) for name, held in self.held.items() if held]
            if not out:
                return
            name, delivery = out[drawn % len(out)]
            if overruns:
                self._answer(name, delivery, "overrun")
            else:
                self.lose(name, is_blameless=False)
            self.attach(other, count)
            self.give(other, count)

    @precondition(lambda self: self.held)
    @rule(name=names, count=st.integers(0, 5), drawn=choice)
    def stop_taking(self, name: str, count: int, drawn: int) -> None:
        """What never reached a consumer goes to others; some of it was taken back before."""
        if name not in self.held:
            return
        held = self.held[name]
        unseen = held[len(held) - min(count, len(held)) :]
        stale = [one for other, one in self.given if other == name and one not in held]
        taken = self.sharing.take_back_unseen(name, [*stale[drawn % (len(stale) + 1) :], *unseen])
        assert taken == sorted(unseen) == self.brute.take_back_unseen(name, unseen)
        for delivery in taken:
            held.remove(delivery)
            self.given.remove((name, delivery))
            self.attempts[delivery.number] -= 1

    # Answers

    @precondition(lambda self: any(self.held.values()))
    @rule(drawn=choice, answer=answers)
    def answer(self, drawn: int, answer: str) -> None:
        out = [(name, one) for name, held in self.held.items() for one in held]
        if out:
            self._answer(*out[drawn % len(out)], answer)

    @precondition(lambda self: any(self.held.values()))
    @rule(drawn=choice, answer=answers)
    def answer_the_oldest(self, drawn: int, answer: str) -> None:
        out = [(name, held[0]) for name, held in self.held.items() if held]
        if out:
            self._answer(*out[drawn % len(out)], answer)

    @rule(drawn=choice, answer=answers)
    def answer_again(self, drawn: int, answer: str) -> None:
        """An answer to any delivery of this run: most are stale."""
        if self.given:
            self._answer(*self.given[-1 - drawn % min(len(self.given), 12)], answer)

    @rule(name=names, drawn=choice, answer=answers)
    def answer_for_another(self, name: str, drawn: int, answer: str) -> None:
        if self.given:
            self._answer(name, self.given[drawn % len(self.given)][1], answer)

    @precondition(lambda self: any(self.held.values()))
    @rule(drawn=choice, attempt=st.integers(0, 9), answer=answers)
    def answer_another_attempt(self, drawn: int, attempt: int, answer: str) -> None:
        out = [(name, one.number) for name, held in self.held.items() for one in held]
        if out:
            name, number = out[drawn % len(out)]
            self._answer(name, Delivery(number, attempt), answer)

    def _answer(self, name: str, delivery: Delivery, answer: str) -> None:
        is_out = delivery in self.held.get(name, [])
        assert is_out == self.brute.is_out(name, *delivery)
        if answer == "ack":
            assert self.sharing.ack(name, delivery) == is_out
            if is_out:
                self.held[name].remove(delivery)
                self.settled.add(delivery.number)
                self.brute.settle(delivery.number)
            return
        taken = self.sharing.nack(name, delivery) if answer == "nack" else self.sharing.overrun(name, delivery)
        if not is_out:
            assert taken == TakenBack()
            return
        row = self.brute.row(delivery.number)
        assert row is not None
        if answer == "nack":
            row.due = NEVER
        else:
            self.brute.blame([row])
        assert list(taken.deliveries) == self.brute.take_back(delivery.number)
        assert taken.undecided == (delivery if row.due == NEVER else None)
        self.held[name] = [one for one in self.held[name] if one not in taken.deliveries]

    # The lane's word, and time

    @precondition(lambda self: any(row.due == NEVER for row in self.brute.rows))
    @rule(drawn=choice, delay=delays)
    def decide(self, drawn: int, delay: float | None) -> None:
        undecided = [row for row in self.brute.rows if row.due == NEVER]
        if undecided:
            self._decide(undecided[drawn % len(undecided)].number, delay)

    @rule(drawn=choice, delay=st.sampled_from([0.0, 5.0, None]))
    def decide_about_any(self, drawn: int, delay: float | None) -> None:
        self._decide(1 + drawn % (self.log + 2), delay)

    def _decide(self, number: int, delay: float | None) -> None:
        row = self.brute.row(number)
        is_undecided = row is not None and row.due == NEVER
        if delay is None:
            assert self.sharing.settle(number) == is_undecided
        else:
            assert self.sharing.again(number, self.now + delay) == is_undecided
        if row is None or not is_undecided:
            return
        row.due = None if delay is None else self.now + delay
        if delay is None:
            self.brute.settle(number)
            self.parked[number] = row.attempts
            self.settled.add(number)

    @rule(step=st.sampled_from([0.0, 1.0, 5.0, 50.0]))
    def wake(self, step: float) -> None:
        self.now += step
        self.sharing.wake(self.now)
        self.brute.wake(self.now)

    # The node dies

    @rule(returns=st.booleans(), comes_to_it=st.sampled_from([False, False, True]))
    def kill(self, returns: bool, comes_to_it: bool) -> None:  # noqa: FBT001 - drawn
        """What is in hand comes again, and of what is parked perhaps something."""
        if not comes_to_it:
            return
        in_hand = {row.number: row.key for row in self.brute.rows if not row.is_returning}
        returning = {row.number: row.key for row in self.brute.rows if row.is_returning}
        if returns:
            returning |= {number: self.keys[number] for number in self.parked}
            self.settled -= self.parked.keys()
            self.parked = {}
        unsettled = self.keys.keys() - self.settled
        assert unsettled == in_hand.keys() | returning.keys()
        self._run(self.sharing.cursor, in_hand, returning)

    # What holds at any moment

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "sharing"):
            return
        assert self.sharing.cursor == self.brute.cursor()
        assert self.sharing.unsettled_count == len(self.brute.rows)
        times = [row.due for row in self.brute.rows if row.due is not None and row.due != NEVER]
        assert self.sharing.due == min(times, default=None)

    def teardown(self) -> None:
        """Nothing is stuck: one consumer that answers gets all that is left, each key in order."""
        if not hasattr(self, "sharing"):
            return
        for row in [row for row in self.brute.rows if row.due == NEVER]:
            self._decide(row.number, 0.0)
        self.wake(1_000.0)
        for name in list(self.held):
            self.lose(name, is_blameless=True)
        self.attach("last", 4)
        seen: dict[Hashable, int] = {}
        while self.brute.rows:
            self.give("last", 10)
            assert self.held["last"], self.brute.rows
            number = self.held["last"][0].number
            assert seen.get(self.keys[number], 0) < number
            seen[self.keys[number]] = number
            self._answer("last", self.held["last"][0], "ack")
            self.agrees()
        assert self.sharing.cursor == self.log
        assert self.keys.keys() == self.settled


Dealing.TestCase.settings = settings(max_examples=scale.SHARING_MODEL_RUNS, stateful_step_count=80)
TestDealing = Dealing.TestCase


def test_long_histories_are_dealt_out_as_by_brute_force() -> None:
    """What few histories show: stale answers, losses, delays and parking of one key, one behind the other."""
    scale.play(scale.SHARING_HISTORIES, play)


def play(draw: random.Random) -> None:
    """Play one history."""
    dealing = Dealing()
    dealing.begin(draw.choice(["asset", "asset", "asset", "log", "none"]))
    # Each history has much of some and little of others: what hides behind a rare step is met as often as the rest.
    weights = {step: weight * draw.choice([0.2, 1, 1, 3]) for step, weight in WEIGHTS.items()}
    if draw.random() < 0.5:  # a kill forgets losses: without any, events come to be given alone
        weights["kill"] = 0
    for _ in range(HISTORY_STEPS):
        take_step(dealing, draw, weights)
        dealing.agrees()
    dealing.teardown()


def take_step(dealing: Dealing, draw: random.Random, weights: Mapping[str, float]) -> None:
    """Do one thing, if it can be done."""
    name, count, drawn = draw.choice("abc"), draw.randint(1, 5), draw.randrange(10_000)
    answer = draw.choice(["ack", "ack", "ack", "nack", "nack", "overrun"])
    delay, is_so = draw.choice([0.0, 0.0, 1.0, 5.0, 50.0, None, None]), draw.random() < 0.3
    steps: dict[str, Callable[[], None]] = {
        "read": lambda: dealing.read([draw.randrange(9_999) for _ in range(count)], draw.randint(1, 3)),
        "nothing_matches": lambda: dealing.nothing_matches(count),
        "attach": lambda: dealing.attach(name, count),
        "give": lambda: dealing.give(name, count),
        "lose": lambda: dealing.lose(name, is_so),
        "lose_again": lambda: dealing.lose_again(drawn, name, draw.randint(1, 3), count, is_so),
        "stop_taking": lambda: dealing.stop_taking(name, count - 1, drawn),
        "answer": lambda: dealing.answer(drawn, answer),
        "answer_the_oldest": lambda: dealing.answer_the_oldest(drawn, answer),
        "answer_again": lambda: dealing.answer_again(drawn, answer),
        "answer_for_another": lambda: dealing.answer_for_another(name, drawn, answer),
        "answer_another_attempt": lambda: dealing.answer_another_attempt(drawn, count - 1, answer),
        "decide": lambda: dealing.decide(drawn, delay),
        "decide_about_any": lambda: dealing.decide_about_any(drawn, delay),
        "wake": lambda: dealing.wake(draw.choice([0.0, 1.0, 5.0, 50.0])),
        "kill": lambda: dealing.kill(is_so, comes_to_it=True),
    }
    steps[draw.choices(list(weights), list(weights.values()))[0]]()
