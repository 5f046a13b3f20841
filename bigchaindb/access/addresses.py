"""Whose connection it is: what counts as one address, and what the proxies in front of the node name. Pure."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

IPV6_PREFIX: Final = 64
"""Bits that distinguish IPv6 clients: a client with one address has all 2^64 addresses of its /64."""
UNKNOWN: Final = "unknown"
"""The address of all clients that leave before their address can be read."""
FORWARDED: Final = "x-forwarded-for"


def group(peer: object) -> str:
    """Return the text that counts as one address: an IPv4 address, or the /64 of an IPv6 address.

    Args:
        peer: the socket's peer name: a tuple that begins with an address; anything else is `UNKNOWN`.
    """
    if (address := _address(peer)) is None:
        return UNKNOWN
    if address.version == 4 or address.is_loopback:  # noqa: PLR2004  IPv4
        return str(address)
    return str(ip_network((address, IPV6_PREFIX), strict=False))


class Proxies:
    """The proxies in front of the node; what they write about a client's address counts."""

    def __init__(self, networks: Sequence[str] = ()) -> None:
        """Take addresses and networks, which the settings have checked."""
        self._networks = tuple(map(ip_network, networks))

    def holds(self, peer: object) -> bool:
        """Whether a socket's peer name is that of a proxy."""
        if not self._networks or (address := _address(peer)) is None:
            return False
        return any(address in network for network in self._networks)


NO_PROXIES: Final = Proxies()


def forwarded(header: str) -> str | None:
    """Return what counts as the address of the client that a proxy names; None: the header names none.

    Args:
        header: `X-Forwarded-For`. The last entry counts, which is the proxy's own; clients may write those before it.
            Some proxies add a port.
    """
    last = header.rpartition(",")[2].strip()
    if last.startswith("["):
        last = last[1:].partition("]")[0]
    elif last.count(":") == 1:
        last = last.partition(":")[0]
    found = group((last,))
    return None if found == UNKNOWN else found


def is_loopback(address: str) -> bool:
    """Whether an address, as `group` returns it, is of this machine."""
    return address == "::1" or address.startswith("127.")


def _address(peer: object) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(peer[0].partition("%")[0])  # type: ignore[index]  # a wrong one raises
    except (TypeError, IndexError, AttributeError, ValueError):
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped
