"""What the consumers of a subscription are owed and got, kept apart from the code that deals it out."""

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bigchaindb.eventlog.numbering import ROWS, Numbering
from bigchaindb.eventlog.sharing import Delivery
from bigchaindb.subscribers.consuming import Given, Reason
from bigchaindb.subscribers.lane_page import LanePage
from tests.simulation.delivery.account import Account, Run, keep

SLACK_S: Final = 0.5
"""How much later than asked for an unanswered event is taken back: the loop had something else to do."""


@dataclass
class Out:
    """A delivery that somebody has."""

    consumer: str
    attempt: int
    since_s: float


@dataclass
class DeskAccount(Account):
    """One subscription's. Its positions are numbers.

    Attributes:
        numbering: of the subscription.
        key_of: the key of a number.
        count_of: how many events a row of the log may hold.
        answer_s: after which an event is taken from its consumer.
        out: deliveries that are not answered, by number.
        bodies: of each event, as it came first.
    """

    numbering: Numbering = ROWS
    key_of: Callable[[int], Hashable] = hash
    count_of: Callable[[int], int] = lambda _: 1
    answer_s: float | None = None
    out: dict[int, Out] = field(default_factory=dict)
    bodies: dict[int, bytes] = field(default_factory=dict)

    def every(self, head: int) -> Iterable[int]:
        numbering = self.numbering
        return (numbering.number(p, i) for p in range(1, head + 1) for i in range(self.count_of(p)))

    def end(self, head: int) -> int:
        return self.numbering.behind(head) + 1

    # Runs

    def begin(self, epoch: int, page: LanePage, head: int) -> Run:
        keep("P12", not self.out, f"a run begins, and {self.out} is out")
        return super().begin(epoch, page, head)

    def ended(self) -> None:
        """A run has ended: whatever was out was taken back."""
        keep("P12", not self.out, f"a run has ended, and {self.out} is out")

    def node_died(self, *, safe_s: float | None) -> None:
        self.out.clear()
        super().node_died(safe_s=safe_s)

    # What consumers get

    def got(self, consumer: str, given: Sequence[Given], now_s: float, head: int) -> None:
        """A consumer got deliveries."""
        for delivery, body in given:
            number, attempt = delivery
            self._check(number, attempt, head)
            self._check_order(consumer, number, head)
            keep("P5", self.bodies.setdefault(number, body) == body, f"{number} has another body than before")
            self.numbers[number] = attempt
            for dealt_with in (self.maybe, self.skipped, self.discarded):
                dealt_with.discard(number)
            self.given.add(number)
            self.handed = max(self.handed, number)
            self.out[number] = Out(consumer, attempt, now_s)

    def _check(self, number: int, attempt: int, head: int) -> None:
        keep("P4", self.numbering.position(number) <= head, f"{number} is beyond the head")
        keep("P15", self.matches(number), f"{number} is not for this subscription")
        before = self.numbers.get(number, 0)
        keep("P6", attempt > before, f"{number} comes with number {attempt} after {before}")
        keep("P18", number not in self.out, f"{number} is given while {self.out.get(number)} has it")
        keep("P6", number not in self.acked, f"{number} was acknowledged at {self.acked.get(number)}")
        is_parked = number in self.listed - self.returning - self.open_ended
        keep("P3", not is_parked or number in self.unlisted, f"{number} is set aside and comes without anybody's word")

    def _check_order(self, consumer: str, number: int, head: int) -> None:
        key = self.key_of(number)
        for other in self.undone(head):
            if other < number and self.key_of(other) == key:
                out = self.out.get(other)
                keep("P17", out is not None and out.consumer == consumer, f"{number} is given before {other}: {out}")
        for other, out in self.out.items():
            if self.key_of(other) == key:
                keep("P17", out.consumer == consumer and other < number, f"{number} is given beside {other}: {out}")

    def check_overdue(self, now_s: float) -> None:
        """Whether anybody has something for too long."""
        for number, out in self.out.items():
            if self.answer_s is not None:
                keep("P19", now_s - out.since_s <= self.answer_s * 1.05 + SLACK_S, f"{number} is still out: {out}")

    # Answers

    def has(self, consumer: str, delivery: Delivery) -> bool:
        out = self.out.get(delivery.number)
        return out is not None and (out.consumer, out.attempt) == (consumer, delivery.attempt)

    def acked_by(
        self, consumer: str, deliveries: Sequence[Delivery], stale: Collection[Delivery], now_s: float
    ) -> None:
        """A consumer has acknowledged deliveries."""
        for delivery in dict.fromkeys(deliveries):
            is_its = self.has(consumer, delivery)
            keep("P18", is_its is (delivery not in stale), f"{consumer} acks {delivery}, stale: {stale}")
            if is_its:
                del self.out[delivery.number]
                self.acked[delivery.number] = now_s
                self.returning.discard(delivery.number)

    def hand_back(self, consumer: str, deliveries: Sequence[Delivery]) -> set[Delivery]:
        """A consumer is about to hand deliveries back; return those for which that does not count."""
        stale = set()
        for delivery in sorted(deliveries):
            if not self.has(consumer, delivery):
                stale.add(delivery)
                continue
            key = self.key_of(delivery.number)
            along = [one for one in deliveries if one.number > delivery.number and self.key_of(one.number) == key]
            for one in (delivery, *(one for one in along if self.has(consumer, one))):
                del self.out[one.number]
        return stale

    def check_stale(
        self,
        consumer: str,
        stale: Collection[Delivery],
        expected: Collection[Delivery],
        deliveries: Collection[Delivery],
    ) -> None:
        """Compare the answers that did not count with those that may not."""
        keep("P18", {*stale} == {*expected}, f"{consumer} answers {deliveries}: stale {stale}, not {expected}")

    def parked_by(self, consumer: str, deliveries: Sequence[Delivery]) -> None:
        """A consumer was told that these are set aside."""
        for number, _ in deliveries:
            is_settled = number in self.listed | self.discarded | self.maybe | self.acked.keys()
            keep("P2", is_settled or self.sought or self.moves, f"{consumer} parked {number}, which is not recorded")

    def handed_back(self, consumer: str, deliveries: Sequence[Delivery], *, of_run: bool) -> None:
        """A consumer has handed deliveries back: nothing behind them is out any more."""
        for delivery in deliveries:
            key = self.key_of(delivery.number)
            later = [n for n in self.out if n > delivery.number and self.key_of(n) == key]
            keep("P17", not later or not of_run, f"{consumer} handed {delivery} back, and {later} are out")

    def revoked(self, consumer: str, deliveries: Sequence[Delivery], reason: Reason, now_s: float) -> None:
        """Deliveries were taken from a consumer."""
        for delivery in deliveries:
            keep("P18", self.has(consumer, delivery), f"{delivery} is taken from {consumer}: {self.out}")
            out = self.out.pop(delivery.number)
            if reason is Reason.LATE:
                is_late = self.answer_s is not None and now_s - out.since_s >= self.answer_s - 1e-6
                keep("P19", is_late, f"{delivery} is taken from {consumer} too early")

    def lost(self, consumer: str) -> None:
        """A consumer is gone."""
        self.out = {number: out for number, out in self.out.items() if out.consumer != consumer}
