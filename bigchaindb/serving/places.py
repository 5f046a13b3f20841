"""Bounds on a listener's connections, in all and for each address."""

from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, Generic, NamedTuple, Self, TypeVar

from bigchaindb.config import Limits

IPV6_PREFIX: Final = 64
"""Bits that distinguish IPv6 clients: a client with one address has all 2^64 addresses of its /64."""
UNKNOWN: Final = "unknown"
"""The address of all clients that leave before their address can be read."""

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
        bound = self._room.loopback_count_max if _is_loopback(address) else self._room.address_count_max
        return self._counts[address] >= bound

    def address_of(self, connection: T) -> str:
        """Return the address that an open connection counts for."""
        return self._open.get(connection, UNKNOWN)

    def take(self, connection: T, address: str) -> None:
        """Record an open connection."""
        self._open[connection] = address
        self._counts[address] += 1

    def leave(self, connection: T) -> None:
        """Record that a connection has ended; safe to call twice."""
        if (address := self._open.pop(connection, None)) is None:
            return
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]


def group(peer: object) -> str:
    """Return the text that counts as one address: an IPv4 address, or the /64 of an IPv6 address.

    Args:
        peer: the socket's peer name: a tuple that begins with an address; anything else is `UNKNOWN`.
    """
    try:
        address = ip_address(peer[0].partition("%")[0])  # type: ignore[index]  # a wrong one raises
    except (TypeError, IndexError, AttributeError, ValueError):
        return UNKNOWN
    address = _plain(address)
    if address.version == 4 or address.is_loopback:  # noqa: PLR2004  IPv4
        return str(address)
    return str(ip_network((address, IPV6_PREFIX), strict=False))


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _is_loopback(address: str) -> bool:
    return address == "::1" or address.startswith("127.")
