"""Consumers of subscriptions as a test drives them, without a connection."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from bigchaindb.eventlog.sharing import Delivery
from bigchaindb.subscribers.consuming import Attendance, Desks, End, Given, Reason, Standing

FRAME_BYTES: Final = 64 * 1024
WAIT_S: Final = 60.0


class Taker:
    """Implements `bigchaindb.subscribers.consuming.Consumer`."""

    def __init__(self, desks: Desks, name: str, *, room_count: int = 100, label: str = "") -> None:
        self.woken = asyncio.Event()
        self.revoked: list[tuple[Delivery, Reason]] = []
        self.standings: list[Standing] = []
        self.ended: End | None = None
        self.seat: Attendance = desks.attach(name, self, room_count=room_count, label=label)

    def wake(self) -> None:
        self.woken.set()

    def revoke(self, deliveries: Sequence[Delivery], reason: Reason) -> None:
        self.revoked += [(one, reason) for one in deliveries]
        self.woken.set()

    def changed(self, standing: Standing) -> None:
        self.standings.append(standing)
        self.woken.set()

    def end(self, end: End) -> None:
        self.ended = end
        self.woken.set()

    async def take(self, count: int, bytes_max: int = FRAME_BYTES) -> list[Given]:
        """Return so many deliveries, once they have come."""
        given: list[Given] = []
        async with asyncio.timeout(WAIT_S):
            while len(given) < count:
                self.woken.clear()
                if found := self.seat.take(count - len(given), bytes_max):
                    given += found
                else:
                    await self.woken.wait()
        return given

    async def until(self, *, revoked: int = 0) -> None:
        """Wait until so many deliveries were taken back."""
        async with asyncio.timeout(WAIT_S):
            while len(self.revoked) < revoked:
                self.woken.clear()
                await self.woken.wait()

    async def nothing(self) -> None:
        """Wait until the subscription is level, and require that there is nothing to take."""
        async with asyncio.timeout(WAIT_S):
            while self.seat.standing.lag:  # noqa: ASYNC110 - nobody is told of it
                await asyncio.sleep(0.005)
            for _ in range(3):
                await asyncio.sleep(0.005)
                assert self.seat.take(1, FRAME_BYTES) == []


def deliveries(given: Sequence[Given]) -> list[Delivery]:
    return [one.delivery for one in given]


def event(given: Given) -> Any:
    """Return the CloudEvent."""
    return msgspec.json.decode(given.envelope)
