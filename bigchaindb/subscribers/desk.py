"""The host of a subscription's lane: deals the events of its page out to consumers. Belongs to the event loop.

An event that was read and is not settled has a slot of the page, whether it is out, waits for its key or for its delay.
No step costs more for how large the window is.

Source: promises P2, P6, P8 and P17 to P19; decisions 0096 and 0098.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from itertools import islice
from typing import Final

from bigchaindb.errors import HistoryLost, StoreDamaged
from bigchaindb.eventlog import facts
from bigchaindb.eventlog import subscription as definitions
from bigchaindb.eventlog.lane import Lane
from bigchaindb.eventlog.sharing import Delivery, Sharing, TakenBack
from bigchaindb.eventlog.subscription import Subscription
from bigchaindb.subscribers.consuming import Given, Reason
from bigchaindb.subscribers.desk_log import DeskLog, Item
from bigchaindb.subscribers.desk_reader import RECALL_COUNT, DeskReader
from bigchaindb.subscribers.desk_slots import Slots
from bigchaindb.subscribers.lane_page import LanePage
from bigchaindb.subscribers.lane_work import Told
from bigchaindb.subscribers.overdue import Overdue, Timer
from bigchaindb.subscribers.parkings import Parkings
from bigchaindb.subscribers.taker import Taker, Waiting

DEAL_COUNT: Final = 64
"""Events that are dealt to a consumer at once."""
_LATE: Final = "it was not answered in time"
_LOST: Final = "its consumer was lost"

_log: Final = logging.getLogger(__name__)


class Desk:
    """Implements `bigchaindb.subscribers.machine.Host`, and `bigchaindb.subscribers.desk_reader.Dealer`.

    Attributes:
        ended: set once the page is no longer used.
        reader: knows how far the log was read.
    """

    pid = None

    def __init__(
        self,
        wanted: Subscription,
        lane: Lane,
        page: LanePage,
        log: DeskLog,
        takers: Collection[Taker],
        now_ns: Callable[[], int],
        on_report: Callable[[Told], None],
        on_exit: Callable[[str], None],
    ) -> None:
        """Go on where `page` says, with the first nudge.

        Args:
            wanted: the subscription.
            lane: knows how often each event in hand was delivered.
            page: packed.
            log: that it follows.
            takers: the consumers; further ones are attached.
            now_ns: the clock of lane pages.
            on_report: takes what the lane has to know.
            on_exit: is told the end, once.
        """
        self.ended = asyncio.Event()
        self._slots = Slots(page)
        self._waiting = Waiting(self._has_for)
        self.reader = DeskReader(wanted, log, self, self._slots, self._waiting)
        self._lane, self._takers, self._now_ns = lane, takers, now_ns
        self._report, self._on_exit = on_report, on_exit
        self._loop = asyncio.get_running_loop()
        self._sharing = Sharing(page.cursor, keeps_keys=wanted.order == definitions.BY_LOG)
        self._parkings = Parkings()
        self._delays = Timer(self._wake)
        self._overdue = Overdue[Taker](wanted.answer_s, partial(self.overrun, is_known=False))
        self._reading: asyncio.Task[None] | None = None
        self._is_open = self._is_closed = False
        self._loop.call_soon(on_report, facts.Ready())

    # For the lane

    def nudge(self) -> None:
        """Begin, read on, or end, as the page has it."""
        if self._slots.is_closing:
            self.kill()
        elif self._reading is None:
            self._reading = asyncio.create_task(self._read())
        else:
            self._waiting.asked.set()

    def answer(self, answer: facts.Answer) -> None:
        """Carry out the lane's word on an event that is undecided."""
        if self._is_closed:
            return
        match answer:
            case facts.Again(number, _, delay_s):
                if self._sharing.again(number, self._loop.time() + delay_s):
                    self._delays.set(self._sharing.due)
            case facts.Settle(number):
                if self._sharing.settle(number):
                    self.reader.bodies.drop(number)
                    self._slots.settle(number)
                    self._slots.settled_up_to(self._sharing.cursor)
                self._parkings.settled(number)
        self._waiting.serve_soon()

    def kill(self) -> None:
        """Take everything back, and end."""
        if self._is_closed:
            return
        self._is_closed = True
        for running in (self._reading, self._waiting, self._delays, self._overdue.timer):
            if running is not None:
                running.cancel()
        for taker in [one for one in self._takers if one.desk is self]:
            self.stop_taking(taker)
            taken = self._sharing.lose(taker, is_blameless=True)
            taker.desk, taker.out_count = None, 0
            if taken.deliveries:
                taker.client.revoke(taken.deliveries, Reason.ENDED)
        self._parkings.end()
        self._loop.call_soon(self.ended.set)
        self._loop.call_soon(self._on_exit, "it has ended")

    @property
    def waits_for(self) -> str:
        """The key that the cursor waits for, with later events behind it; "" if there is none."""
        obstacle = self._sharing.obstacle
        return "" if obstacle is None else str(obstacle.key.name or definitions.BY_LOG)

    # For consumers

    def attach(self, taker: Taker) -> None:
        """Add a consumer, once all that was in hand is known."""
        if self._is_open and not self._is_closed:
            self._sharing.attach(taker, taker.room_count)
            taker.desk = self
            self._waiting.add(taker)
            self._waiting.serve_soon()

    def is_level(self, taker: Taker) -> bool:
        """See `Attendance.is_level`; what was dealt and taken back counts as left until the next take."""
        return not (taker.dealt or self.reader.lag or self._sharing.may_give(taker))

    def take(self, taker: Taker, count_max: int, bytes_max: int) -> list[Given]:
        """Return the next deliveries; see `Attendance.take`."""
        given: list[Given] = []
        now_ns, dealt, bodies = self._now_ns(), taker.dealt, self.reader.bodies
        while len(given) < count_max:
            if not dealt and not self._deal(taker, min(count_max - len(given), DEAL_COUNT)):
                self._waiting.add(taker)
                self._waiting.asked.set()
                break
            delivery = dealt[0]
            if not self._slots.is_dealt(delivery):  # taken back before it was taken
                dealt.popleft()
                continue
            body = bodies.take(delivery.number, bytes_max if given else None)
            if body is None:
                if delivery.number not in bodies:
                    self._deal(taker, RECALL_COUNT)  # all that it has room for: a block is split at each recall
                    self.reader.recall(one.number for one in islice(dealt, RECALL_COUNT))
                    self._waiting.add(taker)
                break
            dealt.popleft()
            self._slots.take(delivery, now_ns)
            given.append(Given(delivery, body))
            bytes_max -= len(body)
            if self._overdue.limit_s is not None:
                self._overdue.add(delivery, taker)
        taker.out_count += len(given)
        return given

    def stop_taking(self, taker: Taker) -> None:
        """Free what was dealt to a consumer and not taken; see `Attendance.stop_taking`."""
        self._slots.undeal(self._sharing.take_back_unseen(taker, taker.dealt))
        taker.dealt.clear()
        self._waiting.remove(taker)
        self._waiting.serve_soon()

    def ack(self, taker: Taker, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Settle deliveries; return the stale ones."""
        stale, sharing, slots, is_timed = [], self._sharing, self._slots, self._overdue.limit_s is not None
        for delivery in deliveries:
            number = delivery.number
            if self._is_closed or not sharing.ack(taker, delivery):
                stale.append(delivery)
                continue
            if is_timed:
                self._overdue.drop(delivery)
            if slots.settle(number):
                self._report(facts.ReturnSettled(number))
        taker.out_count -= len(deliveries) - len(stale)
        if not self._is_closed:
            slots.settled_up_to(sharing.cursor)
            self._waiting.serve_soon()
        return stale

    def nack(
        self,
        taker: Taker,
        deliveries: Sequence[Delivery],
        report: Callable[[Delivery], facts.Nacked | facts.ParkAsked],
    ) -> Sequence[Delivery]:
        """Take deliveries back until the lane has decided on what is reported; return the stale ones."""
        stale, known = [], {*deliveries}
        for delivery in sorted(known):
            taken = TakenBack() if self._is_closed else self._sharing.nack(taker, delivery)
            if taken.undecided is None:
                stale.append(delivery)
                continue
            self._took_back(taker, taken, known, Reason.ORDER)
            self._report(report(delivery))
        self._waiting.serve_soon()
        return stale

    def park(self, taker: Taker, deliveries: Sequence[Delivery], error: str) -> asyncio.Future[Sequence[Delivery]]:
        """Have events set aside; the future holds the stale deliveries, once all others are recorded."""
        parking = self._parkings.begin(deliveries)
        for delivery in self.nack(taker, deliveries, lambda one: facts.ParkAsked(*one, error)):
            self._parkings.refuse(parking, delivery)
        return parking.stale

    def overrun(self, taker: Taker, deliveries: Sequence[Delivery], *, is_known: bool) -> Sequence[Delivery]:
        """Take deliveries back that their consumer has had for too long; return the stale ones.

        Args:
            taker: who has them.
            deliveries: to be taken back.
            is_known: the consumer knows that these are its no longer.
        """
        stale, known = [], {*deliveries}
        for delivery in sorted(known):
            taken = TakenBack() if self._is_closed else self._sharing.overrun(taker, delivery)
            if not taken.deliveries:
                stale.append(delivery)
                continue
            if not is_known:
                taker.client.revoke([delivery], Reason.LATE)
            self._took_back(taker, taken, known if is_known else {delivery}, Reason.ORDER)
            self._blame(taken, _LATE)
        self._waiting.serve_soon()
        return stale

    def lose(self, taker: Taker, *, is_blameless: bool) -> None:
        """Take everything back from a consumer that leaves; what it never got cannot have ended it."""
        self.stop_taking(taker)
        taken = self._sharing.lose(taker, is_blameless=is_blameless)
        self._took_back(taker, taken, {*taken.deliveries}, Reason.ENDED)
        taker.desk = None
        self._blame(taken, _LOST)

    # For the reader

    @property
    def unread_count(self) -> int:
        """See `Dealer`."""
        return self._slots.count_max - self._sharing.unsettled_count if self._takers else 0

    def take_up(self, item: Item) -> None:
        """See `Dealer`."""
        is_returning = item.number in self._slots.returning
        self._sharing.read(item.number, item.key, attempt=self._lane.attempt(item.number), is_returning=is_returning)

    def take_in(self, item: Item) -> None:
        """See `Dealer`."""
        self._slots.add(item.number)
        self._sharing.read(item.number, item.key)

    def passed(self, number: int) -> None:
        """See `Dealer`."""
        self._sharing.passed(number)
        self._slots.reach(number, self._sharing.cursor)
        if not self.reader.lag:
            self._report(facts.CaughtUp())
        self._waiting.serve_soon()

    def opened(self) -> None:
        """See `Dealer`."""
        self._is_open = True
        for taker in self._takers:
            self.attach(taker)

    async def _read(self) -> None:
        try:
            await self.reader.run()
        except HistoryLost as error:
            self._report(facts.Lost(str(error)))
        except StoreDamaged as error:
            self._report(facts.Damaged(str(error), error.table, error.row))
        except Exception:  # noqa: BLE001 - a defect of ours; the lane starts it again
            _log.exception("a subscription's desk has failed, and starts again")
            self._report(facts.Raised("its desk has failed; the node's log has the place", is_unavailable=True))
            self.kill()

    # Dealing out

    def _deal(self, taker: Taker, count_max: int) -> bool:
        dealt = self._sharing.give(taker, count_max)
        for delivery in dealt:
            self._slots.deal(delivery)
        taker.dealt.extend(dealt)
        return bool(dealt)

    def _took_back(self, taker: Taker, taken: TakenBack, known: AbstractSet[Delivery], reason: Reason) -> None:
        """Note what a consumer has no longer, and tell it but for what is `known`."""
        revoked = []
        for delivery in taken.deliveries:
            self._overdue.drop(delivery)
            if self._slots.take_back(delivery):
                taker.out_count -= 1
                if delivery not in known:
                    revoked.append(delivery)
        if revoked:
            taker.client.revoke(revoked, reason)

    def _blame(self, taken: TakenBack, error: str) -> None:
        if taken.undecided is not None:
            self._report(facts.Nacked(*taken.undecided, error))

    def _has_for(self, taker: Taker) -> bool:
        if not taker.dealt:
            return self._sharing.may_give(taker)
        first = taker.dealt[0]
        return not self._slots.is_dealt(first) or first.number in self.reader.bodies

    def _wake(self) -> None:
        self._sharing.wake(self._loop.time())
        self._delays.set(self._sharing.due)
        self._waiting.serve_soon()
