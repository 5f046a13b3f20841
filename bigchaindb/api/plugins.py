"""`/api/v1/plugins`: the state of each lane, public but for subscriptions. Source: docs/reference/http-events.md.

The text of an error may hold what only the node's operator should know, so only the error's class is shown here.
"""

import re
from collections.abc import Sequence
from typing import Final

from bigchaindb.access.scopes import Scopes
from bigchaindb.api.answers import Reply, json_answer
from bigchaindb.api.call import Call, Context
from bigchaindb.config.access import OPERATE, SUBSCRIBE
from bigchaindb.eventlog.bounds import NAME_CHARACTER_COUNT_MAX
from bigchaindb.subscribers.lane_status import PLUGIN, SUBSCRIPTION, LaneStatus

_LIVE: Final = "LIVE"
_CLASS: Final = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?=: |$)", re.ASCII)


async def listing(context: Context, call: Call) -> Reply:
    """List the plugins, then the subscriptions that the client may see."""
    return json_answer([document(status) for status in seen(context, call)])


def seen(context: Context, call: Call) -> Sequence[LaneStatus]:
    """Return the lanes that a client may see: plugins in the order of the configuration, then subscriptions by name."""
    shown = [status for status in context.lanes.status() if _may_see(call, status)]
    return sorted(shown, key=lambda status: status.name if status.kind == SUBSCRIPTION else "")


def _may_see(call: Call, status: LaneStatus) -> bool:
    """Whether a client may see a lane: every plugin, and the subscriptions that its scopes name."""
    scopes = call.principal.scopes if call.principal is not None else Scopes()
    return status.kind == PLUGIN or any(map(scopes.allows, scopes_of(status.name)))


def scopes_of(name: str) -> Sequence[str]:
    """Return the scopes of which one is needed for a subscription."""
    return SUBSCRIBE + name[:NAME_CHARACTER_COUNT_MAX], OPERATE


def document(status: LaneStatus) -> dict[str, object]:
    """Return the public part of a status."""
    return {
        "attempts": status.attempts,
        # The error of an earlier attempt is for the operator alone once the lane delivers again.
        "error": None if status.is_error_past or status.state == _LIVE else error_class(status.error),
        "kind": status.kind,
        "lag": status.lag,
        "name": status.name,
        "parked": status.parked_count,
        "state": str(status.state),
    }


def error_class(error: str) -> str | None:
    """Return the class that a text like `ValueError: no such host` begins with, None for other texts."""
    found = _CLASS.match(error)
    return found[0] if found else None
