"""The part of `/api/v1/openapi.json` about plugins and subscriptions."""

from typing import Final

from bigchaindb.api.openapi_schemas import BOOLEAN, TEXT, Schema, array, json_of, query, record, ref, refusals, segment

_NAME: Final = segment("name", TEXT)
_POSITIONS: Final = record({}, {"positions": array(TEXT)})
_ORDERS: Final[dict[str, tuple[str, Schema | None]]] = {
    "pause": ("Deliver nothing further", None),
    "resume": ("Go on now: after a pause, or without waiting for the next attempt", None),
    "restart": ("Take back what is out, and go on", None),
    "seek": ("Go on at a place of the log", record({"place": TEXT})),
    "retry": ("Deliver parked events again; without positions the first 1,000", _POSITIONS),
    "discard": ("Never deliver these events again", _POSITIONS),
}


def paths() -> dict[str, Schema]:
    """Return the operations by path."""
    listing = {"get": _operation("Subscriptions that the client may see", array(ref("Subscription")))}
    return {
        "/api/v1/subscriptions": listing,
        "/api/v1/subscriptions/{name}": _subscription(),
        "/api/v1/plugins/{name}": {
            "get": _operation("State of a plugin or subscription", ref("Plugin"), _NAME, errors=(400, 404))
        },
        **_of_lane("/api/v1/plugins", ref("Plugin")),
        **_of_lane("/api/v1/subscriptions", ref("Plugin")),
    }


def _subscription() -> Schema:
    change = query("change", BOOLEAN, "Replace the definition of a subscription that has another.")
    put = _operation(
        "Create a subscription; the same definition again changes nothing",
        ref("Subscription"),
        _NAME,
        change,
        body=ref("Definition"),
        errors=(400, 409, 410, 413),
    )
    put["responses"]["201"] = {"description": "Created", "content": json_of(ref("Subscription"))}
    delete = _operation("Delete a subscription", {}, _NAME)
    delete["responses"] = {"204": {"description": "It is gone"}, **refusals(401, 403, 429, 503)}
    get = _operation("A subscription; `Upgrade: websocket` consumes it", ref("Subscription"), _NAME, errors=(404,))
    return {"get": get, "put": put, "delete": delete}


def _of_lane(path: str, lane: Schema) -> dict[str, Schema]:
    after = query("after", TEXT, "Only events behind this position.")
    limit = query("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100})
    parked = _operation("Parked events", ref("ParkedPage"), _NAME, after, limit, errors=(400, 404))
    orders = {
        f"{path}/{{name}}/{order}": {
            "post": _operation(summary, lane, _NAME, body=body, errors=(400, 404, 409, 410, 413))
        }
        for order, (summary, body) in _ORDERS.items()
    }
    return {f"{path}/{{name}}/parked": {"get": parked}, **orders}


def _operation(
    summary: str, schema: Schema, *parameters: Schema, body: Schema | None = None, errors: tuple[int, ...] = ()
) -> Schema:
    responses = {"200": {"description": "OK", "content": json_of(schema)}, **refusals(*errors, 401, 403, 429, 503)}
    taken = {} if body is None else {"requestBody": {"required": False, "content": json_of(body)}}
    return {"summary": summary, "parameters": list(parameters), **taken, "responses": responses}
