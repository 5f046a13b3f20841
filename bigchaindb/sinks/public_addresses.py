"""Addresses that strangers cannot have: a name that somebody configures must not lead into our own network."""

import ipaddress
import socket
from typing import Final

from aiohappyeyeballs import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

_WITH_IPV4: Final = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96")))
"""Networks whose addresses end with one of IPv4, by which they are reached."""


def is_private(host: str) -> bool:
    """Whether a host is an address that strangers cannot have."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False  # a name: `PublicResolver` looks at what it stands for
    if isinstance(address, ipaddress.IPv6Address):
        if address.is_site_local:
            return True
        inner = address.ipv4_mapped or address.sixtofour
        if any(address in network for network in _WITH_IPV4):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            address = inner
    return not address.is_global or address.is_multicast


class PublicResolver(AbstractResolver):
    """Resolves names, and refuses those that lead into a network of our own.

    The connection goes to the very addresses that were looked at: a name cannot mean another one a moment later.
    """

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """See `AbstractResolver`.

        Raises:
            OSError: the name is unknown, or one of its addresses is private.
        """
        found = await self._resolver.resolve(host, port, family)
        for one in found:
            if is_private(one["host"]):
                raise OSError(f"{host} is {one['host']}, in a network of our own: set allow_private if that is wanted")
        return found

    async def close(self) -> None:
        """See `AbstractResolver`."""
        await self._resolver.close()


def open_public(info: AddrInfoType) -> socket.socket:
    """Make a socket, and refuse one that would lead into a network of our own, whatever led to its address."""
    family, kind, protocol, _, address = info
    if is_private(str(address[0])):
        raise OSError(f"{address[0]} is in a network of our own: set allow_private if that is wanted")
    return socket.socket(family, kind, protocol)
