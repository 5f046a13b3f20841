"""`/api/v1/subscriptions`: what there is, and creating, changing and deleting one.

Source: docs/reference/subscriptions.md.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from bigchaindb.api import arguments
from bigchaindb.api.answers import Answer, Reply, json_answer
from bigchaindb.api.call import Call, Context
from bigchaindb.api.orders import body_of, ordered
from bigchaindb.api.plugins import scopes_of, seen, some_at_a_time
from bigchaindb.api.problems import Problem, plain
from bigchaindb.errors import UnknownSubscription
from bigchaindb.eventlog.subscription import Subscription
from bigchaindb.subscribers.lane_status import SUBSCRIPTION, LaneStatus


def scopes(_: Context, name: str) -> Sequence[str]:
    """Return the scopes of which one is needed for a subscription."""
    return scopes_of(name)


async def listing(context: Context, call: Call) -> Reply:
    """List the subscriptions that the client may see."""
    subscriptions = context.lanes.subscriptions
    return some_at_a_time(
        context, seen(subscriptions, call), lambda status: _document(subscriptions[status.name], status)
    )


async def get(context: Context, call: Call) -> Reply:
    """Answer with one subscription."""
    return json_answer(_whole(context, call.parameter))


async def put(context: Context, call: Call) -> Reply:
    """Create a subscription, or change one; one that is there as it is given stays."""
    given = call.arguments
    arguments.refuse_unknown(given, "change", advice="; use change")
    is_change = arguments.optional(given, "change", arguments.boolean) or False
    definition = _parsed(await body_of(call))
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


def _parsed(body: bytes) -> object:
    try:
        return orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise Problem(plain(400, f"the definition is not JSON: {error}")) from None


def _whole(context: Context, name: str) -> dict[str, Any]:
    token, status = context.lanes.token(name), context.lanes.status_of(name)
    if status is None:  # it is about to be deleted
        raise UnknownSubscription(name)
    return {**_document(context.lanes.subscriptions[name], status), "token": token}


def _document(subscription: Subscription, status: LaneStatus) -> dict[str, Any]:
    return {
        "name": status.name,
        "definition": subscription.document,
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
