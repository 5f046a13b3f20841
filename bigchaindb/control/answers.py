"""What the node answers and takes over its control socket, beside the status of lanes."""

from typing import Any, Final, TypeAlias

import msgspec

from bigchaindb.eventlog.orders import Order
from bigchaindb.subscribers.lane_status import LaneStatus

PLUGINS: Final = "/api/v1/plugins"
"""GET: the lanes. POST `?name=` with an `Instruction`: the changed lane, or what it names."""
CONFIGURATION: Final = "/api/v1/configuration"
"""GET: `Configuration`. POST: read the list of plugins again and run those; `Reloaded`."""
HEAD: Final = "/api/v1/head"
"""GET: `{"position": POSITION}`, the last durable one. As a stream, `?beyond=POSITION`: each head beyond a position."""
NETWORK: Final = "/api/v1/network"
"""GET: the node's figures of its network."""

ACCESS: Final = "/api/v1/access"
"""GET: `AccessState`. POST with an `AccessOrder`: what each of them names."""
HEALTH: Final = "/api/v1/health"
"""GET: the same as over HTTP, with status 200 in every case; all subscriptions are noted."""
PROCESSES: Final = "/api/v1/processes"
"""GET: `PlaceFigures` of the check processes and of the reader process, by place."""


class Forget(msgspec.Struct, frozen=True, tag=True):
    """Delete the lane of a plugin that is not enabled."""


class PutSubscription(msgspec.Struct, frozen=True, tag=True):
    """Create the subscription of that name, or change it: `{"is_new": BOOLEAN}`."""

    definition: dict[str, Any]
    is_change: bool


class DeleteSubscription(msgspec.Struct, frozen=True, tag=True):
    """Delete the subscription of that name, with its parked events: `{"deleted": NAME}`."""


Instruction: TypeAlias = Order | Forget | PutSubscription | DeleteSubscription


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


class KeyStatus(msgspec.Struct, frozen=True):
    """What may be shown of an access key; times are Unix seconds.

    Attributes:
        id: without `bdb_`.
        name: for people.
        scopes: what it may do.
        state: `good`, `held`, `expired` or `revoked`.
        made: when.
        expires: None: never.
        revoked: None: it is not.
        used: the last day of use; None: never.
        exposed: when it last came in clear from another machine; None: never.
    """

    id: str
    name: str
    scopes: str
    state: str
    made: int
    expires: int | None
    revoked: int | None
    used: int | None
    exposed: int | None


class AccessState(msgspec.Struct, frozen=True):
    """Who may do what.

    Attributes:
        keys: the oldest first.
        anonymous: scopes of requests without a key.
        path: of the configuration file; None if this node has none to read again.
        given_elsewhere: what sets them instead of the file, in words; None if the file may.
    """

    keys: list[KeyStatus]
    anonymous: str
    path: str | None
    given_elsewhere: str | None


class MadeKey(msgspec.Struct, frozen=True):
    """A new key, and its text, which is kept nowhere."""

    key: KeyStatus
    text: str


class Checked(msgspec.Struct, frozen=True):
    """The key that a text proves, or why it proves none."""

    key: KeyStatus | None
    why: str = ""


class AccessReloaded(msgspec.Struct, frozen=True):
    """What requests without a key may do now, and a line for each further thing that was read."""

    anonymous: str
    lines: list[str]


class NewKey(msgspec.Struct, frozen=True, tag=True):
    """Make a key: `MadeKey`."""

    name: str
    scopes: str
    expires_s: float | None


class RevokeKey(msgspec.Struct, frozen=True, tag=True):
    """Revoke a key: its `KeyStatus`."""

    id: str


class RotateKey(msgspec.Struct, frozen=True, tag=True):
    """Replace a key: `MadeKey`."""

    id: str
    overlap_s: float


class ConfirmKeys(msgspec.Struct, frozen=True, tag=True):
    """Take held keys again: `{"count": N}`."""


class CheckKey(msgspec.Struct, frozen=True, tag=True):
    """Find out what a text proves: `Checked`."""

    text: str


class ReloadAccess(msgspec.Struct, frozen=True, tag=True):
    """Read the settings of access again: `AccessReloaded`."""


class NewCode(msgspec.Struct, frozen=True, tag=True):
    """Make a code for the page: `PageCode`."""


class PageCode(msgspec.Struct, frozen=True):
    """A code that the page exchanges for a key, once and within a minute.

    Attributes:
        code: the code.
        port: where the node serves the page; of a configuration with port 0 it is known to the node alone.
    """

    code: str
    port: int = 0


KeyOrder: TypeAlias = NewKey | RevokeKey | RotateKey | ConfirmKeys | CheckKey
AccessOrder: TypeAlias = KeyOrder | ReloadAccess | NewCode
