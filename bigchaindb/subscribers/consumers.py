"""Who takes part in a subscription, across the runs of its desk. Belongs to the event loop.

The lane runs from the first consumer's arrival until some time after the last one has left; else it is STOPPED, and
costs nothing but its row (P20). An order of a person ends one run and starts the next, and consumers stay.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bigchaindb.errors import Overloaded
from bigchaindb.eventlog import facts, token
from bigchaindb.eventlog.lane import RUNNING, WAITING, Lane, State
from bigchaindb.eventlog.numbering import Numbering
from bigchaindb.eventlog.retrying import Policy
from bigchaindb.eventlog.sharing import Delivery
from bigchaindb.eventlog.subscription import Subscription
from bigchaindb.masking import masked_text
from bigchaindb.streams.hub import Hub
from bigchaindb.subscribers.consuming import Consumer, End, Given, Standing
from bigchaindb.subscribers.desk import Desk
from bigchaindb.subscribers.desk_log import DeskLog
from bigchaindb.subscribers.lane_page import LanePage
from bigchaindb.subscribers.lane_status import SUBSCRIPTION, ConsumerStatus
from bigchaindb.subscribers.lane_work import Shared, Told
from bigchaindb.subscribers.taker import Taker

if TYPE_CHECKING:
    from bigchaindb.subscribers.plugin_lane import PluginLane

READY_S_MAX: Final = 30.0
"""Time for a desk to be ready: it reads its page on a slow disk."""
LINGER_S: Final = 5.0
"""Time without a consumer after which a desk ends: one that reconnects finds it."""
AGAIN_S: Final = 1.0
"""Time between two tries to end a desk that an order or a record keeps."""

_log: Final = logging.getLogger(__name__)


class Seat(Taker):
    """Implements `bigchaindb.subscribers.consuming.Attendance`."""

    def __init__(self, name: str, label: str, client: Consumer, room_count: int, consumers: "Consumers") -> None:
        super().__init__(client, room_count)
        self.consumer = name
        self.label = label
        self._consumers = consumers

    @property
    def standing(self) -> Standing:
        """See `Attendance`."""
        return self._consumers.standing

    @property
    def is_level(self) -> bool:
        """See `Attendance`."""
        return self.desk is not None and self.desk.is_level(self)

    def take(self, count_max: int, bytes_max: int) -> list[Given]:
        """See `Attendance`."""
        return [] if self.desk is None else self.desk.take(self, count_max, bytes_max)

    def stop_taking(self) -> None:
        """See `Attendance`."""
        if self.desk is not None:
            self.desk.stop_taking(self)

    def ack(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """See `Attendance`."""
        return deliveries if self.desk is None else self.desk.ack(self, deliveries)

    def nack(
        self, deliveries: Sequence[Delivery], *, delay_s: float | None, error: str, is_unavailable: bool
    ) -> Sequence[Delivery]:
        """See `Attendance`."""
        if self.desk is None:
            return deliveries
        return self.desk.nack(self, deliveries, lambda one: facts.Nacked(*one, error, delay_s, is_unavailable))

    def park(self, deliveries: Sequence[Delivery], *, error: str) -> Awaitable[Sequence[Delivery]]:
        """See `Attendance`."""
        if self.desk is not None:
            return self.desk.park(self, deliveries, error)
        stale: asyncio.Future[Sequence[Delivery]] = asyncio.get_running_loop().create_future()
        stale.set_result(deliveries)
        return stale

    def expire(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """See `Attendance`."""
        return deliveries if self.desk is None else self.desk.overrun(self, deliveries, is_known=True)

    def leave(self, *, is_blameless: bool) -> None:
        """See `Attendance`."""
        self._consumers.leave(self, is_blameless=is_blameless)


class Consumers:
    """All consumers of one subscription. Implements `bigchaindb.subscribers.lane_work.Work`.

    Attributes:
        wanted: the subscription.
        lane: set once, right after both are made.
    """

    kind = SUBSCRIPTION
    lane: "PluginLane"

    def __init__(
        self, wanted: Subscription, shared: Shared, log: DeskLog, expire: Callable[["Consumers"], None]
    ) -> None:
        """Begin without consumers; `watch_expiry` is due once the subscription is known by its name.

        Args:
            wanted: the subscription.
            shared: of all lanes.
            log: that it follows.
            expire: called once the subscription is to go.
        """
        self.wanted = wanted
        self._shared = shared
        self._log = log
        self._expire = expire
        self._seats: dict[Seat, None] = {}
        self._desk: Desk | None = None
        self._is_ending = False
        self._ends: asyncio.TimerHandle | None = None
        self._expires: asyncio.TimerHandle | None = None

    # For those who consume

    @property
    def standing(self) -> Standing:
        """How the subscription stands."""
        lane, desk, numbering = self.lane.lane, self._desk, self.numbering
        reason = masked_text(lane.error) if lane.state in WAITING | {State.BACKOFF} else ""
        if desk is not None and desk.reader.token:
            return Standing(lane.state, reason, desk.reader.lag, desk.reader.token, lane.epoch)
        number, _ = self._shared.files.place(self.lane.name)
        lag = max(0, self.hub.head - numbering.seen(number))
        return Standing(lane.state, reason, lag, self.token, lane.epoch)

    @property
    def token(self) -> str:
        """The token of the cursor as it was written down last."""
        number, digest = self._shared.files.place(self.lane.name)
        return token.encode(self._log.name, *self.numbering.token_place(number), digest)

    def attach(self, name: str, client: Consumer, *, room_count: int, label: str) -> Seat:
        """Seat a consumer; see `Desks.attach`."""
        count_max = self._shared.limits.consumer_count_max
        if len(self._seats) >= count_max:
            raise Overloaded(
                f"subscription {self.lane.name!r} has {count_max} consumers (limits.consumer_count_max); "
                "try again later, or raise the limit"
            )
        seat = Seat(name, label, client, room_count, self)
        self._seats[seat] = None
        _cancel(self._ends, self._expires)
        self._ends = self._expires = None
        if self._desk is not None:
            self._desk.attach(seat)
        asyncio.get_running_loop().call_soon(self._look)  # nobody is told anything before this returns
        return seat

    def leave(self, seat: Seat, *, is_blameless: bool) -> None:
        """Take back what a consumer has, and its seat."""
        if seat not in self._seats:
            return
        del self._seats[seat]
        if seat.desk is not None:
            seat.desk.lose(seat, is_blameless=is_blameless)
        if not self._seats:
            self.watch_expiry()
            self._linger(LINGER_S)

    # For the node

    def redefine(self, wanted: Subscription) -> None:
        """Take another definition, between two runs."""
        self.wanted = wanted
        self.watch_expiry()

    def statuses(self) -> tuple[ConsumerStatus, ...]:
        """Return who consumes."""
        return tuple(ConsumerStatus(seat.consumer, seat.label, seat.out_count) for seat in self._seats)

    @property
    def is_wanted(self) -> bool:
        """See `Work`."""
        return bool(self._seats)

    @property
    def waits_for(self) -> str:
        """See `Work`."""
        return "" if self._desk is None else self._desk.waits_for

    def ordered(self) -> None:
        """See `Work`."""
        self._look()

    def _look(self) -> None:
        """Start the lane if it may run and somebody wants it."""
        lane = self.lane
        may_run = lane.is_idle and lane.lane.state is State.STOPPED and not lane.ordering.locked()
        if may_run and self._seats and not self._is_ending:
            lane.start()

    def end(self, end: End) -> None:
        """Send all consumers away, for good."""
        self._is_ending = True
        _cancel(self._ends, self._expires)
        seats, self._seats = list(self._seats), {}
        for seat in seats:
            if seat.desk is not None:
                seat.desk.lose(seat, is_blameless=True)
            seat.client.end(end)

    def watch_expiry(self) -> None:
        """Begin to wait for the subscription's end, if nobody consumes."""
        _cancel(self._expires)
        if self.wanted.expires_s is not None and not self._seats:
            loop = asyncio.get_running_loop()
            self._expires = loop.call_later(self.wanted.expires_s, self._expire, self)

    # For the lane

    @property
    def hub(self) -> Hub:
        """See `Work`."""
        return self._log.hub

    @property
    def log(self) -> str:
        """See `Work`."""
        return self.wanted.log

    @property
    def numbering(self) -> Numbering:
        """See `Work`."""
        return self.wanted.numbering

    @property
    def policy(self) -> Policy:
        """See `Work`."""
        policy, backoff = replace(self.wanted.policy, numbering=self.numbering), self._shared.backoff
        return policy if backoff is None else replace(policy, backoff=backoff, patience=backoff)

    @property
    def ready_s(self) -> float:
        """See `Work`."""
        return READY_S_MAX

    @property
    def window_count(self) -> int:
        """See `Work`."""
        return min(self.wanted.window_count, self._shared.limits.subscription_window_count_max)

    def changed(self) -> None:
        """See `Work`."""
        standing = self.standing
        for seat in list(self._seats):
            seat.client.changed(standing)

    def start(
        self,
        lane: Lane,
        page: LanePage,
        on_report: Callable[[Told], None],
        on_exit: Callable[[str], None],
    ) -> Desk:
        """See `Work`."""

        def ended(how: str) -> None:
            self._desk = None
            on_exit(how)
            self._look()

        now_ns = self._shared.machine.monotonic_ns
        self._desk = Desk(self.wanted, lane, page, self._log, self._seats, now_ns, on_report, ended)
        if not self._seats:
            self._linger(LINGER_S)
        return self._desk

    def _linger(self, delay_s: float) -> None:
        _cancel(self._ends)
        self._ends = asyncio.get_running_loop().call_later(delay_s, self._end_run)

    def _end_run(self) -> None:
        """End the run that nobody wants any more."""
        lane = self.lane
        if self._seats or self._is_ending or lane.lane.state not in RUNNING | {State.BACKOFF}:
            return
        if lane.ordering.locked() or lane.records.is_writing:  # what is recorded must not stand in hand as well
            self._linger(AGAIN_S)
            return
        lane.tell(facts.Stopping())


def _cancel(*timers: asyncio.TimerHandle | None) -> None:
    for timer in timers:
        if timer is not None:
            timer.cancel()
