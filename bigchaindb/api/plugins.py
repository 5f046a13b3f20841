"""`/api/v1/plugins`: the state of each lane, public but for subscriptions. Source: docs/reference/http-events.md.

The text of an error may hold what only the node's operator should know, so others are shown the error's class alone.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from math import ceil
from typing import Final

from bigchaindb.access.scopes import Scopes
from bigchaindb.api.answers import Listing, Reply, json_answer, json_line
from bigchaindb.api.arguments import segment
from bigchaindb.api.call import Call, Context
from bigchaindb.api.problems import Problem, plain
from bigchaindb.api.route import Route, Scope
from bigchaindb.api.schemas import TEXT, array, ref
from bigchaindb.config.access import OPERATE, READ, SUBSCRIBE
from bigchaindb.eventlog.bounds import NAME_CHARACTER_COUNT_MAX
from bigchaindb.masking import masked_text
from bigchaindb.subscribers.lane_status import LaneStatus

PIECE_COUNT: Final = 16
"""Lanes of a list that are rendered in a turn of the loop: 256 KiB at most, with the definitions of subscriptions."""
NAME: Final = segment("name", TEXT, example="billing")
_LIVE: Final = "LIVE"
_CLASS: Final = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?=: |$)", re.ASCII)


async def listing(context: Context, call: Call) -> Reply:
    """List the plugins, then the subscriptions that the client may see."""
    subscriptions = context.lanes.subscriptions
    plugins = [name for name in context.lanes.names() if name not in subscriptions]
    render = partial(document, operates=operates(call))
    return some_at_a_time(context, [*plugins, *seen(subscriptions, call)], render)


async def get(context: Context, call: Call) -> Reply:
    """Answer with one plugin, or with a subscription that the client may see."""
    return json_answer(document(lane_of(context, call.parameter), operates=operates(call)))


def _scopes(context: Context, name: str) -> Sequence[str]:
    """Return the scopes to see a lane; who may not see a subscription does not learn of it."""
    is_plugin = name in context.lanes.names() and name not in context.lanes.subscriptions
    return [READ, OPERATE] if is_plugin else scopes_of(name)


def lane_of(context: Context, name: str) -> LaneStatus:
    """Return the status of a lane.

    Raises:
        Problem: there is none.
    """
    if (found := context.lanes.status_of(name)) is None:
        raise Problem(plain(404, f"no plugin is enabled and no subscription is there of the name {name[:100]!r}"))
    return found


def operates(call: Call) -> bool:
    """Whether the client may read what only the node's operator should know."""
    return call.principal is not None and call.principal.scopes.allows(OPERATE)


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


def document(status: LaneStatus, *, operates: bool) -> dict[str, object]:
    """Return a status: its public part, or what the node's operator reads of it."""
    last_error = (masked_text(status.error) or None) if operates else error_class(status.error)
    return {
        "attempts": status.attempts,
        "cursor": status.position,
        # The error of an earlier attempt is no news once the lane delivers again.
        "error": None if status.is_error_past or status.state == _LIVE else error_class(status.error),
        "in_hand": len(status.in_hand),
        "kind": status.kind,
        "lag": status.lag,
        "last_error": last_error,
        "name": status.name,
        "next_attempt_at": None if status.next_attempt_at is None else ceil(status.next_attempt_at),
        "oldest_s": round(status.oldest_s, 1),
        "parked": status.parked_count,
        "since": status.since,
        "state": str(status.state),
        **({"error_at": status.error_at} if operates else {}),
    }


def error_class(error: str) -> str | None:
    """Return the class that a text like `ValueError: no such host` begins with, None for other texts."""
    found = _CLASS.match(error)
    return found[0] if found else None


ROUTES: Final = (
    Route(
        "GET",
        "/api/v1/plugins",
        listing,
        READ,
        id="listPlugins",
        tag="delivery",
        summary="State of each plugin and of each visible subscription",
        answer=array(ref("Plugin")),
    ),
    Route(
        "GET",
        "/api/v1/plugins/{name}",
        get,
        Scope("read; for a subscription subscribe:NAME or operate", _scopes),
        id="getPlugin",
        tag="delivery",
        summary="State of a plugin or subscription",
        answer=ref("Plugin"),
        parameter=NAME,
        errors=(400, 404),
    ),
)
