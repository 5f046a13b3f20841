"""Which web pages a request may come from. Pure.

Where the right of a request follows from its address, any page in a browser there could borrow it: a page of another
origin, or one whose name was made to lead to this node (DNS rebinding).
"""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, Self

from bigchaindb.config import Settings

ANY: Final = "*"
HOSTS_CACHED_MAX: Final = 256


class Origins:
    """The node's own names, and the origins of pages that may use it.

    Attributes:
        takes_any: whether pages of every origin may read answers.
    """

    def __init__(
        self, origins: Sequence[str] = (ANY,), *, names: Collection[str] = (), ports: Collection[int] = ()
    ) -> None:
        """Take what the settings have checked.

        Args:
            origins: of pages that may read answers and open WebSockets; `*` is any.
            names: under which the node is reached, besides its addresses and `localhost`.
            ports: of the node, whose pages are its own.
        """
        self.takes_any = ANY in origins
        self._origins = frozenset(origins)
        self._names = frozenset(name.lower() for name in names)
        self._ports = frozenset(map(str, ports))
        self._is_own_name = lru_cache(maxsize=HOSTS_CACHED_MAX)(self._names_this_node)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what the settings say."""
        server, wsserver = settings.server, settings.wsserver
        names = {server.host, wsserver.host, wsserver.advertised_host or wsserver.host}
        ports = {server.port, wsserver.port, wsserver.advertised_port or wsserver.port}
        return cls(settings.access.origins, names=names, ports=ports)

    def may_use(self, headers: Mapping[str, str]) -> bool:
        """Whether a request comes from no page, from one that may use the node, or from the node's own."""
        origin = headers.get("origin")
        if origin is None or self.takes_any or origin in self._origins:
            return True
        return not self.are_foreign(headers)

    def are_foreign(self, headers: Mapping[str, str]) -> bool:
        """Whether a request comes from a page of another origin, or was sent to a name that is not this node's."""
        host = headers.get("host", "")
        if host and not self._is_own_name(host):
            return True
        origin = headers.get("origin")
        return origin is not None and not self._is_own(origin, host)

    def _is_own(self, origin: str, host: str) -> bool:
        authority = origin.partition("://")[2].lower()
        if authority == host.lower():
            return authority != ""
        name, port = _split(authority)
        return name == _split(host)[0] and port in self._ports

    def _names_this_node(self, host: str) -> bool:
        name, _ = _split(host)
        if name == "localhost" or name in self._names:
            return True
        try:
            return bool(ip_address(name))
        except ValueError:
            return False


ALL: Final = Origins()


def _split(authority: str) -> tuple[str, str]:
    """Return the name, in lower case and without brackets, and the port of `host:port`; the port may be missing."""
    if authority.startswith("["):
        name, _, rest = authority[1:].partition("]")
        return name.lower(), rest.removeprefix(":")
    name, _, port = authority.partition(":")
    return name.lower().removesuffix("."), port
