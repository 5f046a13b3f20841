"""Subscriptions over lists of events, dealt out by the real `Sharing`: all that consumers ask of a desk, at once.

What the lane decides elsewhere is decided here in the simplest way: a nacked event comes again after its delay, a
parked one is settled.
"""

import asyncio
from collections.abc import Awaitable, Hashable, Sequence
from dataclasses import dataclass, field

from bigchaindb.errors import Overloaded, UnknownSubscription
from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.sharing import Delivery, Sharing, TakenBack
from bigchaindb.subscribers.consuming import Consumer, End, Given, Reason, Standing


@dataclass
class ListDesk:
    """One subscription over a list of events, each a key and an envelope; numbers are places in the list from 1."""

    events: list[tuple[Hashable, bytes]] = field(default_factory=list)
    window: int = 1_024
    consumer_count_max: int = 64
    state: State = State.LIVE
    reason: str = ""
    epoch: int = 1
    keeps_keys: bool = False
    parking: asyncio.Event | None = None
    """Until it is set nothing is parked; None: everything is, at once."""

    def __post_init__(self) -> None:
        self.sharing = Sharing(0, keeps_keys=self.keeps_keys)
        self.read_count = 0
        self.seats: list[Seat] = []
        self.seated_count = 0
        self.settled: list[int] = []
        self.parked: list[int] = []
        self.log: list[str] = []
        self.attempts: dict[int, int] = {}

    @property
    def standing(self) -> Standing:
        lag = len(self.events) - self.read_count
        return Standing(self.state, self.reason, lag, f"token-{self.read_count}", self.epoch)

    def add(self, key: Hashable, envelope: bytes) -> None:
        """Log an event."""
        self.events.append((key, envelope))
        self.wake()

    def fill(self, *keys: str) -> None:
        """Log an event of each key; its id is its number and its key."""
        for key in keys:
            self.add(key, b'{"id":"%d:%b"}' % (len(self.events) + 1, key.encode()))

    def read(self) -> None:
        """Read as far as there is room."""
        while self.read_count < len(self.events) and self.sharing.unsettled_count < self.window:
            self.read_count += 1
            number = self.read_count
            if number not in self.settled:
                self.sharing.read(number, self.events[number - 1][0], attempt=self.attempts.get(number, 0) + 1)

    def wake(self) -> None:
        for seat in list(self.seats):
            seat.of.wake()

    def change(self, state: State, reason: str = "") -> None:
        """Go to another state; a run ends with one that gives nothing."""
        self.state, self.reason = state, reason
        if state is not State.LIVE:
            self.restart()
        for seat in list(self.seats):
            seat.of.changed(self.standing)

    def restart(self) -> None:
        """End the run and begin another."""
        had = {seat: list(seat.out) for seat in self.seats}
        self.sharing = Sharing(0, keeps_keys=self.keeps_keys)
        self.read_count = 0
        self.epoch += 1
        for seat, out in had.items():
            seat.out.clear()
            self.sharing.attach(seat, seat.room_count)
            seat.of.revoke(out, Reason.ENDED)
        self.wake()

    def late(self, number: int) -> None:
        """Take an event from whoever has it: `answer_s` is over."""
        for seat in self.seats:
            for one in list(seat.out):
                if one.number == number:
                    seat.taken_back(self.sharing.overrun(seat, one), one, Reason.LATE, is_named=False)
                    return
        raise AssertionError(f"nobody has {number}")

    def end(self, end: End) -> None:
        """End all attendances."""
        seats, self.seats = self.seats, []
        for seat in seats:
            seat.of.end(end)

    def decide(self, taken: TakenBack, delay_s: float) -> None:
        """Make what is undecided come again after a delay."""
        if taken.undecided is not None:
            loop = asyncio.get_running_loop()
            due_s = loop.time() + delay_s
            self.sharing.again(taken.undecided.number, due_s)
            loop.call_at(due_s, self._wake_up, due_s)

    def _wake_up(self, due_s: float) -> None:
        self.sharing.wake(due_s)
        self.wake()


class Seat:
    """A consumer's place: implements `Attendance`."""

    def __init__(self, desk: ListDesk, of: Consumer, room_count: int, label: str) -> None:
        desk.seated_count += 1
        self.consumer = f"c{desk.seated_count}"
        self.desk, self.of, self.room_count, self.label = desk, of, room_count, label
        self.out: dict[Delivery, None] = {}
        desk.seats.append(self)
        desk.sharing.attach(self, room_count)

    @property
    def standing(self) -> Standing:
        return self.desk.standing

    @property
    def is_level(self) -> bool:
        desk = self.desk
        return desk.state is State.LIVE and desk.standing.lag == 0 and not desk.sharing.may_give(self)

    def take(self, count_max: int, bytes_max: int) -> list[Given]:
        desk = self.desk
        assert self in desk.seats, "an attendance that is over"
        if desk.state is not State.LIVE:
            return []
        desk.read()
        given: list[Given] = []
        while len(given) < count_max and bytes_max > 0 and (dealt := desk.sharing.give(self, 1)):
            [delivery] = dealt
            desk.attempts[delivery.number] = delivery.attempt
            envelope = desk.events[delivery.number - 1][1]
            self.out[delivery] = None
            given.append(Given(delivery, envelope))
            bytes_max -= len(envelope)
        return given

    def stop_taking(self) -> None:
        assert self.desk.sharing.take_back_unseen(self, []) == []  # it takes whatever it is given

    def ack(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        stale = [one for one in deliveries if not self.desk.sharing.ack(self, one)]
        for one in deliveries:
            if one not in stale:
                del self.out[one]
                self.desk.settled.append(one.number)
        self.desk.wake()
        return stale

    def nack(
        self, deliveries: Sequence[Delivery], *, delay_s: float | None, error: str, is_unavailable: bool
    ) -> Sequence[Delivery]:
        self.desk.log.append(f"nack {[*map(tuple, deliveries)]} {delay_s} {error!r} {is_unavailable}")
        stale, named = list[Delivery](), {*deliveries}
        for one in deliveries:
            taken = self.desk.sharing.nack(self, one)
            if taken == TakenBack():
                stale.append(one)
            else:
                self.taken_back(taken, one, Reason.ORDER, named=named, delay_s=delay_s or 0.0)
        return stale

    async def _park(self, deliveries: Sequence[Delivery], error: str) -> Sequence[Delivery]:
        self.desk.log.append(f"park {[*map(tuple, deliveries)]} {error!r}")
        stale, undecided = list[Delivery](), list[Delivery]()
        for one in deliveries:
            taken = self.desk.sharing.nack(self, one)
            if taken == TakenBack():
                stale.append(one)
                continue
            self.taken_back(taken, one, Reason.ORDER, named={*deliveries}, is_decided=False)
            undecided.append(one)
        if self.desk.parking is not None:
            await self.desk.parking.wait()
        for one in undecided:
            if self.desk.sharing.settle(one.number):
                self.desk.parked.append(one.number)
                self.desk.settled.append(one.number)
        self.desk.wake()
        return stale

    def park(self, deliveries: Sequence[Delivery], *, error: str) -> Awaitable[Sequence[Delivery]]:
        return asyncio.ensure_future(self._park(deliveries, error))

    def expire(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        self.desk.log.append(f"expire {[*map(tuple, deliveries)]}")
        stale = list[Delivery]()
        for one in deliveries:
            taken = self.desk.sharing.overrun(self, one)
            if taken == TakenBack():
                stale.append(one)
            else:
                self.taken_back(taken, one, Reason.ORDER, named={*deliveries})
        return stale

    def leave(self, *, is_blameless: bool) -> None:
        self.desk.log.append(f"leave {self.consumer} {'blameless' if is_blameless else 'lost'}")
        self.desk.seats.remove(self)
        self.desk.decide(self.desk.sharing.lose(self, is_blameless=is_blameless), 0.0)
        self.desk.wake()

    def taken_back(
        self,
        taken: TakenBack,
        one: Delivery,
        reason: Reason,
        *,
        named: set[Delivery] | None = None,
        is_named: bool = True,
        delay_s: float = 0.0,
        is_decided: bool = True,
    ) -> None:
        """Revoke what was taken along, which comes again."""
        for each in taken.deliveries:
            del self.out[each]
        if not is_named:
            self.of.revoke([one], reason)
        along = [each for each in taken.deliveries if each != one and each not in (named or ())]
        if along:
            self.of.revoke(along, Reason.ORDER)
        if is_decided:
            self.desk.decide(taken, delay_s)
        self.desk.wake()


class ListDesks:
    """All subscriptions: implements `Desks`."""

    def __init__(self, **desks: ListDesk) -> None:
        self.desks = desks

    def attach(self, name: str, consumer: Consumer, *, room_count: int, label: str) -> Seat:
        if (desk := self.desks.get(name)) is None:
            raise UnknownSubscription(f"there is no subscription {name!r}; create it with PUT")
        if len(desk.seats) >= desk.consumer_count_max:
            raise Overloaded(f"{name!r} has {len(desk.seats)} consumers (limits.consumer_count_max); try again later")
        return Seat(desk, consumer, room_count, label)
