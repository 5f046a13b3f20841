"""What the node answers and takes over its control socket, beside the status of lanes."""

from typing import Final, TypeAlias

import msgspec

from bigchaindb.eventlog.orders import Order
from bigchaindb.subscribers.lane_status import LaneStatus

PLUGINS: Final = "/api/v1/plugins"
"""GET: the lanes. POST `?name=` with an `Instruction`: the changed lane, or the name that is forgotten."""
CONFIGURATION: Final = "/api/v1/configuration"
"""GET: `Configuration`. POST: read the list of plugins again and run those; `Reloaded`."""
HEAD: Final = "/api/v1/head"
"""GET: `{"position": POSITION}`, the last durable one. As a stream, `?beyond=POSITION`: each head beyond a position."""
NETWORK: Final = "/api/v1/network"
"""GET: the node's figures of its network."""


class Forget(msgspec.Struct, frozen=True, tag=True):
    """Delete the lane of a plugin that is not enabled."""


Instruction: TypeAlias = Order | Forget


class Configuration(msgspec.Struct, frozen=True):
    """The file with the node's list of plugins.

    Attributes:
        path: of the file; None if this node has none to read again.
        given_elsewhere: what sets the list of plugins instead of the file, in words; None if the file does.
    """

    path: str | None
    given_elsewhere: str | None


class Reloaded(msgspec.Struct, frozen=True):
    """The lanes, and by name the errors of plugins that could not be started."""

    lanes: list[LaneStatus]
    errors: dict[str, str]
