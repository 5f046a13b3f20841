"""Bounds on a listener's connections, in all and for each address."""

from collections import Counter
from collections.abc import Iterator
from typing import Generic, NamedTuple, Self, TypeVar

from bigchaindb.access.addresses import UNKNOWN, is_loopback
from bigchaindb.config import Limits

T = TypeVar("T")


class Room(NamedTuple):
    """Bounds on the number of connections of one listener.

    Attributes:
        count_max: open connections in all.
        address_count_max: from one address.
        loopback_count_max: from one address of this machine.
    """

    count_max: int
    address_count_max: int
    loopback_count_max: int

    @classmethod
    def of(cls, limits: Limits, count_max: int) -> Self:
        """Bound a listener that has `count_max` places in all."""
        if (bound := limits.address_connection_count_max) is not None:
            return cls(count_max, bound, bound)
        # Behind a proxy on this machine all clients share its address, so loopback is exempt unless a bound is set.
        return cls(count_max, max(1, count_max // 2), count_max)


class Places(Generic[T]):
    """The open connections, by address."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._open: dict[T, str] = {}
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._open))

    @property
    def is_full(self) -> bool:
        """Whether no place is left."""
        return len(self._open) >= self._room.count_max

    def is_crowded(self, address: str) -> bool:
        """Whether an address, as `group` returns it, has as many places as it may take."""
        bound = self._room.loopback_count_max if is_loopback(address) else self._room.address_count_max
        return self._counts[address] >= bound

    def address_of(self, connection: T) -> str:
        """Return the address that an open connection counts for."""
        return self._open.get(connection, UNKNOWN)

    def take(self, connection: T, address: str) -> None:
        """Record an open connection."""
        self._open[connection] = address
        self._counts[address] += 1

    def move(self, connection: T, address: str) -> None:
        """Count an open connection for another address; do nothing if it has ended."""
        if connection in self._open:
            self.leave(connection)
            self.take(connection, address)

    def leave(self, connection: T) -> None:
        """Record that a connection has ended; safe to call twice."""
        if (address := self._open.pop(connection, None)) is None:
            return
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]
