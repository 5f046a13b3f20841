"""The settings of access, and the grammar of scopes.

Source: docs/reference/configuration.md, section `access`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Final, NamedTuple

from bigchaindb.config.checks import found
from bigchaindb.errors import ConfigurationError

READ: Final = "read"
WRITE: Final = "write"
OPERATE: Final = "operate"
SUBSCRIBE: Final = "subscribe:"
NO_SCOPE: Final = "none"
"""The text of no scope at all."""
SCOPE_COUNT_MAX: Final = 32
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9._:\[\]-]+")
_SUBSCRIPTION: Final = re.compile(r"[^\s/*.][^\s/*]{0,99}\*?|\*")
"""A name, or a pattern whose only `*` is its end. Source: the names of plugins, without blanks."""


def check_scopes(text: str, key: str) -> tuple[str, ...]:
    """Return the scopes that a text names, in their order and each once.

    Args:
        text: scopes separated by blanks, or `none`.
        key: what the text is, for the error.

    Raises:
        ConfigurationError: one of them is unknown, or there are none.
    """
    scopes = tuple(dict.fromkeys(text.split()))
    if scopes == (NO_SCOPE,):
        return ()
    if not 1 <= len(scopes) <= SCOPE_COUNT_MAX:
        raise ConfigurationError(
            f"{key}: must be 1 to {SCOPE_COUNT_MAX} scopes separated by blanks, or `none`, found {len(scopes)}"
        )
    for scope in scopes:
        if scope not in {READ, WRITE, OPERATE} and not _is_subscribe(scope):
            raise ConfigurationError(
                f"{key}: unknown scope {scope[:120]!r}; the scopes are read, write, operate, subscribe:NAME with a "
                "name, `PREFIX*` or `*`, and `none` alone"
            )
    return scopes


def _is_subscribe(scope: str) -> bool:
    name = scope.removeprefix(SUBSCRIBE)
    return name != scope and name.isprintable() and _SUBSCRIPTION.fullmatch(name) is not None


def _check_rate(rate: Sequence[float] | None, key: str) -> None:
    if rate is not None and not (len(rate) == 2 and rate[0] > 0 and rate[1] >= 1):  # noqa: PLR2004  a pair
        raise ConfigurationError(
            f"{key}: must be [per second, at once] such as [20, 100], above 0 and at least 1, or null; found "
            f"{list(rate)[:3]}"
        )


def _check_network(text: str) -> None:
    try:
        network = ip_network(text)
    except ValueError as error:
        why = ", which has host bits set" if str(error).endswith("has host bits set") else ""
        raise ConfigurationError(
            f"access.proxies: must be addresses or networks such as `10.0.0.0/8`, {found(text)}{why}"
        ) from error
    if network.prefixlen == 0:
        raise ConfigurationError(
            f"access.proxies: {text} is everybody, who could then claim any address; name the proxies"
        )


class Rate(NamedTuple):
    """How often something may happen.

    Attributes:
        per_s: how often in a second, in the long run.
        burst: how often at once.
    """

    per_s: float
    burst: float


@dataclass(frozen=True, kw_only=True)
class ScopeRates:
    """How often requests may come that need a scope: `[per second, at once]`; null is as often as they like."""

    write: tuple[float, ...] | None = None
    """Requests that need `write`."""
    read: tuple[float, ...] | None = None
    """All others, connections to streams included."""


@dataclass(frozen=True, kw_only=True)
class RateSettings:
    """How often requests may come, by who sends them."""

    anonymous: ScopeRates | None = field(default_factory=ScopeRates)
    """Requests of one IPv4 address or IPv6 /64 without an access key."""
    known: ScopeRates | None = field(default_factory=ScopeRates)
    """Requests with one access key."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """What strangers may do."""

    anonymous: str | None = None
    """Scopes of requests without an access key, separated by blanks, or `none`; null is `read write subscribe:*` where
    HTTP and WebSocket are served on loopback alone and not by a proxy, else `read write`."""
    rates: RateSettings | None = field(default_factory=RateSettings)
    """How often requests may come; null is as often as they like."""
    origins: tuple[str, ...] = ("*",)
    """Origins of web pages that may read answers and open WebSockets, such as `https://app.example`; `*` is any."""
    proxies: tuple[str, ...] = ()
    """Addresses and networks of proxies whose last `X-Forwarded-For` is the address of the client."""
    writers: Path | None = None
    """A file of public keys, one on each line, of which one must have signed a CREATE; null is everybody. A node of a
    network has none."""

    def __post_init__(self) -> None:
        for origin in self.origins:
            if origin != "*" and _ORIGIN.fullmatch(origin) is None:
                raise ConfigurationError(
                    "access.origins: must be `*`, or origins such as `https://app.example` in lower case and without a "
                    f"path, {found(origin)}"
                )
        for proxy in self.proxies:
            _check_network(proxy)
        for who in ("anonymous", "known"):
            for scope in (READ, WRITE):
                _check_rate(self._rate(who, scope), f"access.rates.{who}.{scope}")
        if self.anonymous is not None and OPERATE in check_scopes(self.anonymous, "access.anonymous"):
            raise ConfigurationError(
                "access.anonymous: must not hold operate, which needs an access key; make one with `bigchaindb access "
                "key new`"
            )

    def rate(self, who: str, scope: str) -> Rate | None:
        """Return how often requests of `anonymous` or `known` may come that need `read` or `write`."""
        return None if (pair := self._rate(who, scope)) is None else Rate(*pair)

    def _rate(self, who: str, scope: str) -> tuple[float, ...] | None:
        of_scopes = getattr(self.rates, who, None)
        return getattr(of_scopes, scope, None)
