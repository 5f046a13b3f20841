"""The settings of access, and the grammar of scopes.

Source: docs/reference/configuration.md, section `access`.
"""

import re
from dataclasses import dataclass
from typing import Final

from bigchaindb.errors import ConfigurationError

READ: Final = "read"
WRITE: Final = "write"
OPERATE: Final = "operate"
SUBSCRIBE: Final = "subscribe:"
NO_SCOPE: Final = "none"
"""The text of no scope at all."""
SCOPE_COUNT_MAX: Final = 32
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
    found = tuple(dict.fromkeys(text.split()))
    if found == (NO_SCOPE,):
        return ()
    if not 1 <= len(found) <= SCOPE_COUNT_MAX:
        raise ConfigurationError(
            f"{key}: must be 1 to {SCOPE_COUNT_MAX} scopes separated by blanks, or `none`, found {len(found)}"
        )
    for scope in found:
        if scope not in {READ, WRITE, OPERATE} and not _is_subscribe(scope):
            raise ConfigurationError(
                f"{key}: unknown scope {scope[:120]!r}; the scopes are read, write, operate, subscribe:NAME with a "
                "name, `PREFIX*` or `*`, and `none` alone"
            )
    return found


def _is_subscribe(scope: str) -> bool:
    name = scope.removeprefix(SUBSCRIBE)
    return name != scope and name.isprintable() and _SUBSCRIPTION.fullmatch(name) is not None


@dataclass(frozen=True, kw_only=True)
class Access:
    """What strangers may do."""

    anonymous: str | None = None
    """Scopes of requests without an access key, separated by blanks, or `none`; null is `read write subscribe:*` where
    HTTP and WebSocket are served on loopback alone, else `read write`."""

    def __post_init__(self) -> None:
        if self.anonymous is None:
            return
        if OPERATE in check_scopes(self.anonymous, "access.anonymous"):
            raise ConfigurationError(
                "access.anonymous: must not hold operate, which needs an access key; make one with `bigchaindb access "
                "key new`"
            )
