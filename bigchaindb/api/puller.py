"""One pull as a consumer of a subscription: what it has leased, and until when. See `bigchaindb.api.pulls`."""

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import NamedTuple

from bigchaindb.access.gate import ASKS_FOR_KEY
from bigchaindb.api.problems import Problem, plain
from bigchaindb.api.subscription_session import FRAME_BYTES_MAX
from bigchaindb.errors import Stopping, UnknownSubscription
from bigchaindb.eventlog.sharing import Delivery
from bigchaindb.subscribers.consuming import Attendance, End, Given, Reason, Standing


class Lease(NamedTuple):
    """An event that a pull was given and that is not answered."""

    puller: "Puller"
    delivery: Delivery


class Puller:
    """One pull as a consumer: implements `consuming.Consumer`.

    Attributes:
        name: of the subscription.
        attendance: at its desk.
        woken: set once there may be something.
    """

    attendance: Attendance

    def __init__(self, name: str, leases: dict[str, Lease]) -> None:
        """Take leases into `leases`, where those of all pulls are."""
        self.name = name
        self.woken = asyncio.Event()
        self._all = leases
        self._loop = asyncio.get_running_loop()
        self._leases: dict[Delivery, tuple[str, float]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._is_attending = False
        self._end: End | None = None
        self._denied = ""

    def attend(self, attendance: Attendance) -> None:
        """Begin."""
        self.attendance = attendance
        self._is_attending = True

    @property
    def standing(self) -> Standing:
        """How the subscription stands.

        Raises:
            UnknownSubscription: it was deleted.
            Stopping: the node stops.
            Problem: its principal may no longer pull.
        """
        if self._denied:
            raise Problem(plain(HTTPStatus.UNAUTHORIZED, self._denied, headers=ASKS_FOR_KEY))
        if self._end is End.DELETED:
            raise UnknownSubscription(self.name)
        if self._end is not None:
            raise Stopping("the node is about to stop")
        return self.attendance.standing

    @property
    def is_level(self) -> bool:
        """Whether nothing is left to give."""
        return self._is_attending and self.attendance.is_level

    def take(self, count: int, bytes_max: int) -> list[Given]:
        """Return the next events, as long as those before the next have fewer bytes than so many."""
        given: list[Given] = []
        while self._is_attending and len(given) < count and bytes_max > 0:
            more = self.attendance.take(count - len(given), min(bytes_max, FRAME_BYTES_MAX))
            if not more:
                break
            given += more
            bytes_max -= sum(len(one.envelope) for one in more)
        return given

    def stop_taking(self) -> None:
        """Leave to others what the response had no room for."""
        if self._is_attending:
            self.attendance.stop_taking()

    def lease(self, given: Iterable[Given], lease_s: float) -> list[tuple[str, Given]]:
        """Return events each with its lease."""
        due_s, epoch, leased = self._loop.time() + lease_s, self.standing.epoch, list[tuple[str, Given]]()
        for one in given:
            number, attempt = one.delivery
            text = f"{epoch}.{number}.{attempt}.{secrets.token_hex(8)}"
            self._leases[one.delivery] = text, due_s
            self._all[text] = Lease(self, one.delivery)
            leased.append((text, one))
        self._set_timer()
        return leased

    def extend(self, delivery: Delivery, lease_s: float) -> None:
        """Lease an event for so long from now on; `settle` follows."""
        self._leases[delivery] = self._leases[delivery][0], self._loop.time() + lease_s

    def drop(self, deliveries: Iterable[Delivery]) -> None:
        """End leases."""
        for one in deliveries:
            if (held := self._leases.pop(one, None)) is not None:
                del self._all[held[0]]

    def deny(self, _: int, reason: str) -> None:
        """End the wait: the principal may no longer pull."""
        self._denied = reason
        self.woken.set()

    def settle(self) -> None:
        """Wait for the next lease that is over, or end the attendance if there is none."""
        self._set_timer()
        if self._is_attending and not self._leases:
            self._is_attending = False
            self.attendance.leave(is_blameless=True)

    # What the desk says

    def wake(self) -> None:
        """See `Consumer`."""
        self.woken.set()

    def revoke(self, deliveries: Sequence[Delivery], _: Reason) -> None:
        """See `Consumer`."""
        self.drop(deliveries)
        self._loop.call_soon(self.settle)

    def changed(self, _: Standing) -> None:
        """See `Consumer`."""
        self.woken.set()

    def end(self, end: End) -> None:
        """See `Consumer`."""
        self._is_attending = False
        self._end = end
        self.drop([*self._leases])
        self.woken.set()

    # Time

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._leases:
            self._timer = self._loop.call_at(min(due_s for _, due_s in self._leases.values()), self._expire)

    def _expire(self) -> None:
        now_s = self._loop.time()
        over = [one for one, (_, due_s) in self._leases.items() if due_s <= now_s]
        self.drop(over)
        if self._is_attending and over:
            self.attendance.expire(over)
        self.settle()
