"""Consumers that wait until the events that they have asked to park are recorded. Belongs to the event loop."""

import asyncio
from collections.abc import Sequence

from bigchaindb.eventlog.sharing import Delivery


class Parking:
    """One such wish.

    Attributes:
        left: what is not recorded yet, by number.
        stale: the deliveries for which it did not count, once all others are recorded.
    """

    __slots__ = ("_stale", "left", "stale")

    def __init__(self, deliveries: Sequence[Delivery]) -> None:
        self.left = {one.number: one for one in deliveries}
        self.stale: asyncio.Future[Sequence[Delivery]] = asyncio.get_running_loop().create_future()
        self._stale: list[Delivery] = []

    def drop(self, number: int, *, is_stale: bool) -> None:
        """Wait for an event no longer."""
        delivery = self.left.pop(number, None)
        if delivery is not None and is_stale:
            self._stale.append(delivery)
        if not self.left and not self.stale.done():
            self.stale.set_result(self._stale)


class Parkings:
    """All such wishes of one run of a subscription."""

    def __init__(self) -> None:
        self._waiting: dict[int, Parking] = {}

    def begin(self, deliveries: Sequence[Delivery]) -> Parking:
        """Wait for events that are about to be parked."""
        parking = Parking(deliveries)
        self._waiting |= dict.fromkeys(parking.left, parking)
        if not deliveries:
            parking.stale.set_result([])
        return parking

    def refuse(self, parking: Parking, delivery: Delivery) -> None:
        """Note that a delivery was stale."""
        if self._waiting.get(delivery.number) is parking:
            del self._waiting[delivery.number]
        parking.drop(delivery.number, is_stale=True)

    def settled(self, number: int) -> None:
        """Note that an event is recorded."""
        if (parking := self._waiting.pop(number, None)) is not None:
            parking.drop(number, is_stale=False)

    def end(self) -> None:
        """Note that the run is over: what is not recorded yet comes again."""
        for number, parking in self._waiting.items():
            parking.drop(number, is_stale=True)
        self._waiting.clear()
