"""Consumers as a desk knows them, and those among them that wait for events. Belongs to the event loop."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from bigchaindb.eventlog.sharing import Delivery
from bigchaindb.subscribers.consuming import Consumer

if TYPE_CHECKING:
    from bigchaindb.subscribers.desk import Desk


class Taker:
    """A consumer.

    Attributes:
        client: to be told of deliveries.
        room_count: the most deliveries that it may have out.
        dealt: deliveries that are its, and that it has not taken yet.
        out_count: those that it has taken.
        desk: where it sits; None between two runs.
    """

    def __init__(self, client: Consumer, room_count: int) -> None:
        self.client = client
        self.room_count = room_count
        self.dealt: deque[Delivery] = deque()
        self.out_count = 0
        self.desk: Desk | None = None


class Waiting:
    """Consumers that were given nothing, or less than they wanted.

    Attributes:
        asked: set whenever there may be something to read for those who wait.
    """

    def __init__(self, has_for: Callable[[Taker], bool]) -> None:
        """Begin without any; `has_for` tells whether there is something for a consumer now."""
        self.asked = asyncio.Event()
        self._has_for = has_for
        self._takers: dict[Taker, None] = {}
        self._serving: asyncio.Handle | None = None

    def __bool__(self) -> bool:
        """Whether one of them has room for more."""
        return any(one.out_count < one.room_count for one in self._takers)

    @property
    def firsts(self) -> set[int]:
        """The events that come first for those who wait and have some."""
        return {one.dealt[0].number for one in self._takers if one.dealt}

    def add(self, taker: Taker) -> None:
        """Wake a consumer once there is something for it."""
        self._takers[taker] = None

    def remove(self, taker: Taker) -> None:
        """Forget a consumer."""
        self._takers.pop(taker, None)

    def serve_soon(self) -> None:
        """Serve those for whom there is something, in the next turn of the loop."""
        if self._serving is None:
            self._serving = asyncio.get_running_loop().call_soon(self._serve)

    def cancel(self) -> None:
        """Wake nobody any more."""
        self._takers.clear()
        if self._serving is not None:
            self._serving.cancel()

    def _serve(self) -> None:
        self._serving = None
        for taker in [one for one in self._takers if self._has_for(one)]:
            del self._takers[taker]
            taker.client.wake()
        self.asked.set()
