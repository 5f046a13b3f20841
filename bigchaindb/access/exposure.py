"""What anonymous requests may do by default, and who reaches the node. Pure.

Source: docs/reference/configuration.md, section `access`.
"""

from typing import Final

from bigchaindb.access.scopes import Scopes
from bigchaindb.agreed import is_loopback
from bigchaindb.config import Settings
from bigchaindb.config.access import WRITE

LOCAL: Final = Scopes(("read", "write", "subscribe:*"))
"""Of anonymous requests where this machine alone reaches the node: what published drivers and suites need, and more."""
OPEN: Final = Scopes(("read", "write"))
"""Of anonymous requests elsewhere: what images and drivers of 1.x and 2.x count on."""


def is_local(settings: Settings) -> bool:
    """Whether HTTP and WebSocket are served to this machine alone, and no proxy brings other machines."""
    is_loopback_alone = is_loopback(settings.server.host) and is_loopback(settings.wsserver.host)
    return is_loopback_alone and not settings.access.proxies


def open_door(settings: Settings) -> str | None:
    """Return the sentence about other machines that may write without a key, None where none may."""
    if not anonymous(settings).allows(WRITE):
        return None
    if not is_loopback(settings.server.host):
        what = settings.server.bind
    elif settings.access.proxies:
        what = "a proxy in access.proxies"
    else:
        return None
    return f"everybody who reaches {what} can write; bigchaindb access key new closes it"


def anonymous(settings: Settings) -> Scopes:
    """Return the scopes of anonymous requests."""
    if (text := settings.access.anonymous) is not None:
        return Scopes.parse(text, "access.anonymous")
    return LOCAL if is_local(settings) else OPEN
