"""`/api/v1/subscriptions`: what there is, and creating, changing and deleting one.

Source: docs/reference/subscriptions.md.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import orjson

from bigchaindb.api import arguments
from bigchaindb.api.answers import Answer, Listing, Reply, json_answer, json_line
from bigchaindb.api.call import Call, Context
from bigchaindb.api.orders import ordered
from bigchaindb.api.plugins import scopes_of, seen
from bigchaindb.api.problems import Problem, plain
from bigchaindb.errors import UnknownSubscription
from bigchaindb.eventlog.subscription import DEFINITION_BYTES_MAX, Subscription
from bigchaindb.subscribers.lane_status import SUBSCRIPTION, LaneStatus

BODY_BYTES_MAX: Final = 4 * DEFINITION_BYTES_MAX
"""Of a definition as it is sent, with blanks and escapes: parsing more would hold the loop."""

PIECE_COUNT: Final = 16
"""Subscriptions of a list that are rendered in a turn of the loop: 256 KiB at most."""


def scopes(_: Context, name: str) -> Sequence[str]:
    """Return the scopes of which one is needed for a subscription."""
    return scopes_of(name)


async def listing(context: Context, call: Call) -> Reply:
    """List the subscriptions that the client may see."""
    return Listing(_pieces(context, [status for status in seen(context, call) if status.kind == SUBSCRIPTION]))


async def get(context: Context, call: Call) -> Reply:
    """Answer with one subscription."""
    return json_answer(_whole(context, call.parameter))


async def put(context: Context, call: Call) -> Reply:
    """Create a subscription, or change one; one that is there as it is given stays."""
    given = call.arguments
    arguments.refuse_unknown(given, "change", advice="; use change")
    is_change = arguments.optional(given, "change", arguments.boolean) or False
    definition = _parsed(await call.body())
    subscription = Subscription.read(call.parameter, definition, context.limits.subscription_window_count_max)
    is_new = await context.lanes.create(subscription, is_change=is_change)
    if is_new or is_change:
        ordered(call, "create" if is_new else "change", SUBSCRIPTION)
    return json_answer(_whole(context, call.parameter), 201 if is_new else 200)


async def delete(context: Context, call: Call) -> Reply:
    """Delete a subscription; one that is gone is no error."""
    arguments.refuse_unknown(call.arguments)
    if call.parameter in context.lanes.subscriptions:
        ordered(call, "delete", SUBSCRIPTION)
    await context.lanes.delete(call.parameter)
    return Answer(204)


async def _pieces(context: Context, shown: Sequence[LaneStatus]) -> AsyncIterator[bytes]:
    """Yield the list a few at a time: a thousand definitions may have 16 MiB."""
    for begin in range(0, len(shown), PIECE_COUNT):
        some = shown[begin : begin + PIECE_COUNT]
        # One may be deleted meanwhile.
        documents = [_document(context, one) for one in some if one.name in context.lanes.subscriptions]
        yield b",".join(json_line(document).removesuffix(b"\n") for document in documents)
        await asyncio.sleep(0)


def _parsed(body: bytes) -> object:
    if len(body) > BODY_BYTES_MAX:
        raise Problem(plain(413, f"the definition has {len(body)} bytes, at most {BODY_BYTES_MAX} are read"))
    try:
        return orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise Problem(plain(400, f"the definition is not JSON: {error}")) from None


def _whole(context: Context, name: str) -> dict[str, Any]:
    status = next((one for one in context.lanes.status() if one.name == name and one.kind == SUBSCRIPTION), None)
    if status is None:
        raise UnknownSubscription(name)
    return {**_document(context, status), "token": context.lanes.token(name)}


def _document(context: Context, status: LaneStatus) -> dict[str, Any]:
    return {
        "name": status.name,
        "definition": context.lanes.subscriptions[status.name].document,
        "state": status.state.value,
        "since": status.since,
        "reason": status.error or None,
        "cursor": status.position,
        "lag": status.lag,
        "in_hand": len(status.in_hand),
        "oldest_s": round(status.oldest_s, 1),
        "attempts": status.attempts,
        "parked": status.parked_count,
        "waits_for": status.waits_for or None,
        "consumers": [
            {"consumer": one.consumer, "name": one.label or None, "in_hand": one.in_hand_count}
            for one in status.consumers
        ],
    }
