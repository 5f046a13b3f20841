"""`/api/v1/plugins`: the state of each lane, public but for subscriptions. Source: docs/reference/http-events.md.

The text of an error may hold what only the node's operator should know, so only the error's class is shown here.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Final

from bigchaindb.access.scopes import Scopes
from bigchaindb.api.answers import Listing, Reply, json_answer, json_line
from bigchaindb.api.call import Call, Context
from bigchaindb.config.access import OPERATE, SUBSCRIBE
from bigchaindb.eventlog.bounds import NAME_CHARACTER_COUNT_MAX
from bigchaindb.subscribers.lane_status import LaneStatus

PIECE_COUNT: Final = 16
"""Lanes of a list that are rendered in a turn of the loop: 256 KiB at most, with the definitions of subscriptions."""
_LIVE: Final = "LIVE"
_CLASS: Final = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?=: |$)", re.ASCII)


async def listing(context: Context, call: Call) -> Reply:
    """List the plugins, then the subscriptions that the client may see."""
    subscriptions = context.lanes.subscriptions
    plugins = [name for name in context.lanes.names() if name not in subscriptions]
    return some_at_a_time(context, [*plugins, *seen(subscriptions, call)], document)


def seen(subscriptions: Iterable[str], call: Call) -> Sequence[str]:
    """Return the subscriptions that a client may see, by name."""
    scopes = call.principal.scopes if call.principal is not None else Scopes()
    return sorted(name for name in subscriptions if any(map(scopes.allows, scopes_of(name))))


def some_at_a_time(context: Context, names: Sequence[str], render: Callable[[LaneStatus], object]) -> Reply:
    """Return a list of lanes; of many it is rendered in pieces: a thousand take some hundredths of a second."""

    def some(begin: int) -> Sequence[object]:
        # One may be deleted meanwhile.
        return [*map(render, filter(None, map(context.lanes.status_of, names[begin : begin + PIECE_COUNT])))]

    async def pieces() -> AsyncIterator[bytes]:
        for begin in range(0, len(names), PIECE_COUNT):
            yield json_line(some(begin))[1:-2]  # within its brackets
            await asyncio.sleep(0)

    return Listing(pieces()) if len(names) > PIECE_COUNT else json_answer(some(0))


def scopes_of(name: str) -> Sequence[str]:
    """Return the scopes of which one is needed for a subscription."""
    return scope_of(name), OPERATE


def scope_of(name: str) -> str:
    """Return the scope of who consumes a subscription; it is as short as a name has to be, whatever a client sends."""
    return SUBSCRIBE + name[:NAME_CHARACTER_COUNT_MAX]


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
