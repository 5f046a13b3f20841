"""`/api/v1/plugins`: where each plugin is, for whoever asks. Source: docs/reference/http-events.md.

Texts of errors may say what only the node's operator should know; here stands no more than the error's class.
"""

import re
from typing import Final

from bigchaindb.api.answers import Reply, json_answer
from bigchaindb.api.call import Call, Context, PluginStatus

_LIVE: Final = "LIVE"
_CLASS: Final = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?=: |$)", re.ASCII)


async def listing(context: Context, _: Call) -> Reply:
    """List the plugins."""
    return json_answer([document(status) for status in context.plugins()])


def document(status: PluginStatus) -> dict[str, object]:
    """Give what is public of a status."""
    return {
        "attempts": status.attempts,
        # What a lane that delivers again says of an attempt that is over is for its operator alone.
        "error": None if status.is_error_past or status.state == _LIVE else error_class(status.error),
        "lag": status.lag,
        "name": status.name,
        "parked": status.parked_count,
        "state": str(status.state),
    }


def error_class(error: str) -> str | None:
    """Give the class that a text like `ValueError: no such host` begins with, None for other texts."""
    found = _CLASS.match(error)
    return found[0] if found else None
