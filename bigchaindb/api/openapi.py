"""`/api/v1/openapi.json`: the declared routes as OpenAPI 3.1, for tools and for the page. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from bigchaindb import __version__
from bigchaindb.api.arguments import Argument
from bigchaindb.api.openapi_schemas import schemas
from bigchaindb.api.route import TAGS, Route, Scope
from bigchaindb.api.schemas import Schema, json_of, ref, response
from bigchaindb.config.access import OPERATE
from bigchaindb.transaction.schema import transaction_schema

DESCRIPTION: Final = (
    "Post transactions; read transactions, outputs, blocks, votes and events. A node takes requests "
    "without an access key until its operator closes the door. "
    "`streams` in `/api/v1` is the address of a WebSocket stream with a message for each transaction of "
    "every valid block; with `?after=TOKEN` it continues from a page or a stream of `/api/v1/events`."
)
ERRORS: Final = {
    400: ("Refused", "An argument or the transaction breaks a rule, named in the message"),
    401: ("Unknown", "A scope is missing and no access key was shown, or the node does not take the key"),
    403: (
        "Forbidden",
        "The access key lacks a scope, or came in clear; or none of the node's writers signed a CREATE",
    ),
    404: ("NotFound", "Not found"),
    408: ("Slow", "The request did not arrive in time"),
    409: ("Differs", "The state of the lane does not allow it, or a subscription of that name has another definition"),
    410: ("HistoryLost", "The token belongs to another chain or to a log that this node does not have"),
    413: ("TooLarge", "The body is too large"),
    429: ("TooOften", "The rate of the sender is used up; try again after `Retry-After`"),
    503: ("Unavailable", "A limit is reached or the node is stopping; try again later"),
    504: ("Silent", "The consensus engine did not answer; try again later"),
}
"""Refusals by status: their name in the description, and what they mean."""
OF_ALL: Final = (401, 403, 429, 503)
"""Statuses with which every route may refuse."""
_UNDECIDED: Final = response("The deadline passed; the transaction may still be committed", ref("Error"))
_STATUSES: Final = {101: "The WebSocket is open", 201: "Created", 202: "Accepted", 204: "Done"}


def document(routes: Iterable[Route]) -> Schema:
    """Return the whole description."""
    transaction, definitions = transaction_schema(ref_template="#/components/schemas/{name}")
    paths: dict[str, Schema] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "BigchainDB HTTP API",
            "version": __version__,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "../..", "description": "This node; relative to the address of this description."}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "security": _security(None),
        "components": {
            "schemas": {"Transaction": transaction, **definitions, **schemas()},
            "responses": {name: response(text, ref("Error")) for name, text in ERRORS.values()}
            | {"Undecided": _UNDECIDED},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An access key of the node."},
                "basic": {"type": "http", "scheme": "basic", "description": "Any user, the key as password."},
            },
        },
    }


def operation(route: Route) -> Schema:
    """Return the description of a route."""
    parameters = [_path_parameter(route.parameter)] if route.parameter is not None else []
    parameters += [_query_parameter(argument) for argument in route.arguments]
    refusals = {
        str(status): {"$ref": f"#/components/responses/{ERRORS[status][0]}"}
        for status in sorted({*route.errors, *OF_ALL})
    }
    answer = {str(route.status): response(_STATUSES.get(route.status, "OK"), route.answer)}
    described: Schema = {
        "operationId": route.id,
        "tags": [route.tag],
        "summary": route.summary,
        "parameters": [*parameters, *route.headers],
        "responses": {**answer, **refusals, **route.responses},
        "security": _security(route.scope),
    }
    if route.description:
        described["description"] = route.description
    if route.body is not None:
        example = {} if route.body_example is None else {"example": route.body_example}
        content = {"application/json": {**json_of(route.body)["application/json"], **example}}
        described["requestBody"] = {"required": route.needs_body, "content": content}
    return described


def _security(scope: str | Scope | None) -> Sequence[Schema]:
    """Return how a principal is proven; orders are never anonymous."""
    scopes = [] if scope is None else [scope if isinstance(scope, str) else scope.text]
    keys: list[Schema] = [{"bearer": scopes}, {"basic": scopes}]
    return keys if scope == OPERATE else [{}, *keys]


def _path_parameter(argument: Argument[object]) -> Schema:
    return {"name": argument.name, "in": "path", "required": True, **_described(argument)}


def _query_parameter(argument: Argument[object]) -> Schema:
    required = {"required": argument.is_required}
    if argument.matches is None:
        return {"name": argument.name, "in": "query", **required, **_described(argument)}
    name = argument.name.partition(".")[0]
    return {"name": name, "in": "query", "style": "form", "explode": True, **required, **_described(argument)}


def _described(argument: Argument[object]) -> Schema:
    told: Schema = {"schema": argument.schema}
    if argument.description:
        told["description"] = argument.description
    return told if argument.example is None else {**told, "example": argument.example}
