"""`/api/v1/subscriptions`: what there is, and creating, changing and deleting one.

Source: docs/reference/subscriptions.md.
"""

from typing import Any, Final

import orjson

from bigchaindb.api import orders, pulls
from bigchaindb.api.answers import Answer, Reply, json_answer
from bigchaindb.api.arguments import Argument, boolean
from bigchaindb.api.call import Call, Context
from bigchaindb.api.orders import body_of, ordered
from bigchaindb.api.plugins import NAME, scope_of, scopes_of, seen, some_at_a_time
from bigchaindb.api.problems import Problem, plain
from bigchaindb.api.route import Route, Scope
from bigchaindb.api.schemas import BOOLEAN, array, ref, response
from bigchaindb.api.subscription_socket import ARGUMENTS as OF_SOCKETS
from bigchaindb.config.access import READ
from bigchaindb.errors import UnknownSubscription
from bigchaindb.eventlog.subscription import Subscription
from bigchaindb.masking import masked_text
from bigchaindb.subscribers.lane_status import SUBSCRIPTION, LaneStatus

CHANGE: Final = Argument[bool](
    name="change",
    take=boolean,
    schema=BOOLEAN,
    default=False,
    description="Replace the definition of a subscription that has another.",
)
ITS_OWN: Final = Scope("subscribe:NAME or operate", lambda _, name: scopes_of(name))
TO_CONSUME: Final = Scope("subscribe:NAME", lambda _, name: [scope_of(name)])


async def listing(context: Context, call: Call) -> Reply:
    """List the subscriptions that the client may see."""
    subscriptions = context.lanes.subscriptions
    return some_at_a_time(
        context, seen(subscriptions, call), lambda status: document(subscriptions[status.name], status)
    )


async def get(context: Context, call: Call) -> Reply:
    """Answer with one subscription."""
    return json_answer(_whole(context, call.parameter))


async def put(context: Context, call: Call) -> Reply:
    """Create a subscription, or change one; one that is there as it is given stays."""
    is_change = CHANGE.of(call)
    definition = _parsed(await body_of(call))
    subscription = Subscription.read(call.parameter, definition, context.limits.subscription_window_count_max)
    is_new = await context.lanes.create(subscription, is_change=is_change)
    if is_new or is_change:
        ordered(call, "create" if is_new else "change", SUBSCRIPTION)
    return json_answer(_whole(context, call.parameter), 201 if is_new else 200)


async def delete(context: Context, call: Call) -> Reply:
    """Delete a subscription; one that is gone is no error."""
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
    return {**document(context.lanes.subscriptions[name], status), "token": token}


def document(subscription: Subscription, status: LaneStatus) -> dict[str, Any]:
    """Return a subscription and its status, without secrets that a text of its consumers holds."""
    return {
        "name": status.name,
        "definition": subscription.document,
        "state": status.state.value,
        "since": status.since,
        "reason": masked_text(status.error) or None,
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


_PATH: Final = "/api/v1/subscriptions"
ROUTES: Final = (
    Route(
        "GET",
        _PATH,
        listing,
        READ,
        id="listSubscriptions",
        tag="delivery",
        summary="Subscriptions that the client may see",
        answer=array(ref("Subscription")),
    ),
    Route(
        "GET",
        f"{_PATH}/{{name}}",
        get,
        ITS_OWN,
        id="getSubscription",
        tag="delivery",
        summary="A subscription; `Upgrade: websocket` consumes it, with these arguments",
        answer=ref("Subscription"),
        parameter=NAME,
        arguments=OF_SOCKETS,
        errors=(404,),
    ),
    Route(
        "PUT",
        f"{_PATH}/{{name}}",
        put,
        ITS_OWN,
        id="putSubscription",
        tag="delivery",
        summary="Create a subscription; the same definition again changes nothing",
        answer=ref("Subscription"),
        status=201,
        parameter=NAME,
        arguments=(CHANGE,),
        body=ref("Definition"),
        body_example={"start": "genesis"},
        errors=(400, 409, 410, 413),
        responses={"200": response("It was there, or is changed", ref("Subscription"))},
    ),
    Route(
        "DELETE",
        f"{_PATH}/{{name}}",
        delete,
        ITS_OWN,
        id="deleteSubscription",
        tag="delivery",
        summary="Delete a subscription; one that is gone is no error",
        answer=None,
        status=204,
        parameter=NAME,
    ),
    Route(
        "POST",
        f"{_PATH}/{{name}}/pull",
        pulls.post,
        TO_CONSUME,
        id="pullSubscription",
        tag="delivery",
        summary="Answer for events of a subscription, and take the next ones for a time",
        answer=ref("Pulled"),
        parameter=NAME,
        body=ref("Pull"),
        body_example={"count": 1},
        errors=(400, 404, 409, 410, 413),
    ),
    *orders.routes(_PATH, ITS_OWN, "Subscription"),
)
