"""Wake-ups: the engine announces the durable head, and subscribers in the node's process wait for it.

No event passes through here: each subscriber reads the log from its own position (S1).
"""

import asyncio
from collections.abc import Callable

from bigchaindb.ledger.effects import Effects


class Hub:
    """The durable head and those who wait for it to move. Belongs to the event loop."""

    def __init__(self, head: int = 0) -> None:
        self._head = head
        self._moved = asyncio.Event()
        self._listeners: list[Callable[[int], None]] = []
        self._witnesses: list[Callable[[Effects], None]] = []

    @property
    def head(self) -> int:
        """The last position known to be durable."""
        return self._head

    def listen(self, listener: Callable[[int], None]) -> None:
        """Call `listener` with each new head; it must not block."""
        self._listeners.append(listener)

    def witness(self, witness: Callable[[Effects], None]) -> None:
        """Call `witness` with each decision that is durable, before its head is announced; it must not block."""
        self._witnesses.append(witness)

    def committed(self, effects: Effects) -> None:
        """Announce a decision that is durable."""
        for witness in self._witnesses:
            witness(effects)
        self.announce(effects.tip.position)

    def announce(self, head: int) -> None:
        """Announce that the log is durable up to `head`."""
        assert head >= self._head, (head, self._head)  # E2
        self._head = head
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
        for listener in self._listeners:
            listener(head)

    async def wait_beyond(self, position: int) -> int:
        """Wait until the head is above `position`; return the head."""
        while self._head <= position:
            await self._moved.wait()
        return self._head
