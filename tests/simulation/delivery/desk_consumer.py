"""A consumer of a subscription as the history plays it: it does at each step what the seed says."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bigchaindb.eventlog.sharing import Delivery
from bigchaindb.subscribers.consuming import Attendance, End, Reason, Standing
from tests.simulation.delivery.account import Broken
from tests.simulation.delivery.desk_account import DeskAccount

if TYPE_CHECKING:
    from tests.simulation.delivery.desk_history import DeskHistory

FRAMES_BYTES: Final = (300, 1_000, 64 * 1024)


@dataclass
class Temper:
    """How consumers behave: chances, in a hundred, of what they do at a step."""

    nacks: int = 0
    unavailable: int = 0
    parks: int = 0
    hangs: int = 0
    lies: int = 0
    expires: int = 0
    leaves: int = 0
    breaks: int = 0
    stops: int = 0
    poison: int = 0
    """Events whose number is a multiple of it end their consumer; 0 is none."""

    def heal(self) -> None:
        """Acknowledge everything."""
        self.nacks = self.unavailable = self.parks = self.hangs = self.lies = 0
        self.expires = self.leaves = self.breaks = self.stops = self.poison = 0


@dataclass(eq=False)
class SimulatedConsumer:
    """Implements `bigchaindb.subscribers.consuming.Consumer`."""

    history: "DeskHistory"
    account: DeskAccount
    temper: Temper
    room_count: int
    seat: Attendance = field(init=False)
    held: list[Delivery] = field(default_factory=list)
    past: list[Delivery] = field(default_factory=list)
    naming: list[Delivery] = field(default_factory=list)
    is_gone: bool = False
    is_waiting: bool = False
    is_sated: bool = False
    """It takes nothing more, as a pull that has its response, and leaves once all is answered."""
    is_weary: bool = False
    """It leaves once nothing fails any more: it may hang."""

    @property
    def is_seated(self) -> bool:
        """Whether it has attached."""
        return hasattr(self, "seat")

    def sit(self) -> None:
        """Attach."""
        if self.is_gone or self.history.node is None:
            return
        self.history.note("consumer sits down")
        self.seat = self.history.node.supervisor.attach("one", self, room_count=self.room_count, label="")
        self.say(f"sits down, with room for {self.room_count}")
        self._soon()

    @property
    def name(self) -> str:
        return self.seat.consumer

    def say(self, line: str) -> None:
        self.history.write(f"{self.name}: {line}")

    def chance(self, in_a_hundred: int) -> bool:
        return self.history.draw.randrange(100) < in_a_hundred

    # Told by the desk

    def wake(self) -> None:
        if self.is_waiting:
            self._soon()

    def revoke(self, deliveries: Sequence[Delivery], reason: Reason) -> None:
        self.say(f"loses {[*map(tuple, deliveries)]}: {reason.value}")
        self.history.counts[f"is taken back: {reason.value}"] += 1
        deliveries = [one for one in deliveries if one not in self.naming]  # it answers for those just now
        self._guard(lambda: self.account.revoked(self.name, deliveries, reason, self.history.agenda.elapsed_s))
        self.held = [one for one in self.held if one not in deliveries]
        self.past += deliveries

    def changed(self, standing: Standing) -> None:
        self.say(f"hears {standing.state}")

    def end(self, end: End) -> None:
        self.say(f"is sent away: {end.value}")
        self.account.lost(self.name)
        self.is_gone = True

    # Its steps

    def _soon(self) -> None:
        self.is_waiting = False
        self.history.agenda.after(self.history.draw.choice((0.0, 0.001, 0.01, 0.3)), self._step_in_loop)

    def _step_in_loop(self) -> None:
        if not self.is_gone:
            asyncio.get_running_loop().call_soon(lambda: self._guard(self._step))

    def _guard(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Broken as error:  # the desk would keep it to itself
            self.history.broken = self.history.broken or error
            raise

    def _step(self) -> None:
        temper, draw = self.temper, self.history.draw
        if self.is_gone or self.is_waiting:
            return
        if self.chance(temper.leaves) or (self.is_sated and not self.held):
            self.leave(is_blameless=True)
        elif self.chance(temper.breaks) or any(self._hates(one) for one in self.held):
            self.leave(is_blameless=False)
        elif self.chance(temper.hangs):
            self.say("hangs")
            self.history.agenda.after(draw.choice((1.0, 20.0, 3_000.0)), self._step_in_loop)
        elif self.held and (self.is_sated or self.chance(60) or len(self.held) >= self.room_count):
            self._answer()
            self._soon()
        else:
            self._take()
            if self.held and self.chance(temper.stops):
                self._stop_taking()

    def _stop_taking(self) -> None:
        self.history.note("consumer stops taking", self.name)
        self.is_sated = True
        self.seat.stop_taking()

    def _hates(self, delivery: Delivery) -> bool:
        return bool(self.temper.poison) and delivery.number % self.temper.poison == 0

    def _take(self) -> None:
        draw, history = self.history.draw, self.history
        given = self.seat.take(draw.choice((1, 2, 5, 100)), draw.choice(FRAMES_BYTES))
        if given:
            self.say(f"gets {[tuple(one.delivery) for one in given]}")
            self.account.got(self.name, given, history.agenda.elapsed_s, history.head)
            self.held += [one.delivery for one in given]
            self.history.counts["event comes again"] += given[0].delivery.attempt > 1
            self._soon()
        elif self.held:
            self._answer()
            self._soon()
        else:
            self.is_waiting = True

    def _answer(self) -> None:
        temper, draw = self.temper, self.history.draw
        some = draw.sample(self.held, draw.randint(1, len(self.held)))
        if self.chance(temper.nacks):
            delay_s = draw.choice((None, 0.0, 0.5, 5.0))
            is_unavailable = self.chance(temper.unavailable)
            self._hand_back(
                some, lambda: self.seat.nack(some, delay_s=delay_s, error="no", is_unavailable=is_unavailable)
            )
        elif self.chance(temper.parks):
            self._park(some)
        elif self.chance(temper.expires):
            self._hand_back(some, lambda: self.seat.expire(some))
        elif self.past and self.chance(temper.lies):
            self._ack(draw.sample(self.past, 1) + some)
        else:
            self._ack(some)

    def _ack(self, deliveries: list[Delivery]) -> None:
        self.say(f"acks {[*map(tuple, deliveries)]}")
        stale = self.seat.ack(deliveries)
        self.history.counts["answer is stale"] += len(stale)
        self.account.acked_by(self.name, deliveries, stale, self.history.agenda.elapsed_s)
        self._done_with(deliveries)

    def _hand_back(self, deliveries: list[Delivery], call: Callable[[], Sequence[Delivery]]) -> None:
        self.say(f"hands back {[*map(tuple, deliveries)]}")
        expected, run = self.account.hand_back(self.name, deliveries), self.account.run
        self.naming = deliveries
        stale = call()
        self.naming = []
        is_same = run is self.account.run and self.history.desk_is_open
        if is_same:
            self.account.check_stale(self.name, stale, expected, deliveries)
        self.account.handed_back(self.name, [one for one in deliveries if one not in stale], of_run=is_same)
        self._done_with(deliveries)

    def _park(self, deliveries: list[Delivery]) -> None:
        self.say(f"parks {[*map(tuple, deliveries)]}")
        self.account.hand_back(self.name, deliveries)
        self.naming = deliveries
        done = asyncio.ensure_future(self.seat.park(deliveries, error="no good"))
        self.naming = []
        self._done_with(deliveries)
        done.add_done_callback(lambda one: self._guard(lambda: self._parked(deliveries, one)))

    def _parked(self, deliveries: list[Delivery], done: "asyncio.Future[Sequence[Delivery]]") -> None:
        if done.cancelled() or self.history.node is None:
            return
        stale = done.result()
        self.history.counts["park is done"] += 1
        self.account.parked_by(self.name, [one for one in deliveries if one not in stale])

    def _done_with(self, deliveries: Sequence[Delivery]) -> None:
        self.held = [one for one in self.held if one not in deliveries]
        self.past = [*self.past, *deliveries][-5:]

    def leave(self, *, is_blameless: bool = False) -> None:
        if self.is_gone:
            return
        self.history.note("consumer leaves" if is_blameless else "consumer is lost", self.name)
        self.is_gone = True
        self.account.lost(self.name)
        self.seat.leave(is_blameless=is_blameless)
