"""Which deliveries a consumer has had for too long; and timers that are set again. Belong to the event loop."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from bigchaindb.eventlog.sharing import Delivery

LATE_SHARE: Final = 20
"""An overdue event is found within this part of its time."""

T = TypeVar("T")


class Timer:
    """Calls at the earliest time that it was set to."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._handle: asyncio.TimerHandle | None = None
        self._when_s = 0.0

    def set(self, when_s: float | None) -> None:
        """Call at a time of the loop, or earlier if that was asked for before; None changes nothing."""
        if when_s is None or (self._handle is not None and self._when_s <= when_s):
            return
        self.cancel()
        self._when_s = when_s  # uvloop's handle of a time that is over does not know it
        self._handle = asyncio.get_running_loop().call_at(when_s, self._ring)

    def cancel(self) -> None:
        """Do not call."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ring(self) -> None:
        self._handle = None
        self._call()


class Overdue(Generic[T]):
    """Deliveries and who has them, in the order in which they were taken.

    Attributes:
        limit_s: how long anybody may have one; None: for ever, and nothing is added.
    """

    def __init__(self, limit_s: float | None, on_overdue: Callable[[T, Sequence[Delivery]], object]) -> None:
        """Begin without any.

        Args:
            limit_s: see the class.
            on_overdue: called with a consumer and what it has had for longer.
        """
        self.limit_s = limit_s
        self._on_overdue = on_overdue
        self._taken: dict[Delivery, tuple[float, T]] = {}
        self.timer = Timer(self._look)

    def add(self, delivery: Delivery, taker: T) -> None:
        """Note that a consumer gets a delivery now."""
        due_s = asyncio.get_running_loop().time() + (self.limit_s or 0.0)
        self._taken[delivery] = due_s, taker
        self.timer.set(due_s)

    def drop(self, delivery: Delivery) -> None:
        """Note that a delivery is answered, or taken back."""
        self._taken.pop(delivery, None)

    def _look(self) -> None:
        now_s, found = asyncio.get_running_loop().time(), dict[T, list[Delivery]]()
        for delivery, (due_s, taker) in self._taken.items():
            if due_s > now_s:
                self.timer.set(max(due_s, now_s + (self.limit_s or 0.0) / LATE_SHARE))
                break
            found.setdefault(taker, []).append(delivery)
        for taker, deliveries in found.items():
            self._on_overdue(taker, deliveries)
