"""`/api/v1/plugins`: the state of each plugin, public. Source: docs/reference/http-events.md.

The text of an error may hold what only the node's operator should know, so only the error's class is shown here.
"""

import re
from typing import Final

from bigchaindb.api.answers import Reply, json_answer
from bigchaindb.api.call import Call, Context
from bigchaindb.subscribers.lane_status import LaneStatus

_LIVE: Final = "LIVE"
_CLASS: Final = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?=: |$)", re.ASCII)


async def listing(context: Context, _: Call) -> Reply:
    """List the plugins."""
    return json_answer([document(status) for status in context.plugins()])


def document(status: LaneStatus) -> dict[str, object]:
    """Return the public part of a status."""
    return {
        "attempts": status.attempts,
        # The error of an earlier attempt is for the operator alone once the lane delivers again.
        "error": None if status.is_error_past or status.state == _LIVE else error_class(status.error),
        "lag": status.lag,
        "name": status.name,
        "parked": status.parked_count,
        "state": str(status.state),
    }


def error_class(error: str) -> str | None:
    """Return the class that a text like `ValueError: no such host` begins with, None for other texts."""
    found = _CLASS.match(error)
    return found[0] if found else None
