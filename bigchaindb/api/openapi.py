"""`/api/v1/openapi.json`: the API as OpenAPI 3.1, for tools. A test compares it with the table of routes."""

from collections.abc import Iterable
from functools import cache

from bigchaindb import __version__
from bigchaindb.api.answers import Answer, Reply, json_answer
from bigchaindb.api.call import Call, Context
from bigchaindb.api.openapi_lanes import paths as lane_paths
from bigchaindb.api.openapi_schemas import (
    BOOLEAN,
    HEIGHT,
    HEIGHT_OR_ID,
    HEX_64,
    KEY,
    TEXT,
    Schema,
    array,
    json_of,
    query,
    record,
    ref,
    refusals,
    response,
    schemas,
    segment,
)
from bigchaindb.api.pulls import COUNT, COUNT_MAX, LEASE_S, WAIT_S_MAX
from bigchaindb.transaction.schema import transaction_schema


async def get(_: Context, __: Call) -> Reply:
    """Answer `GET /api/v1/openapi.json`."""
    return _answer()


@cache
def _answer() -> Answer:
    return json_answer(document())


def document() -> Schema:
    """Return the whole description."""
    transaction, definitions = transaction_schema(ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "BigchainDB HTTP API",
            "version": __version__,
            "description": (
                "Post transactions; read transactions, outputs, blocks, votes and events. A node takes requests "
                "without an access key until its operator closes the door. "
                "`streams` in `/api/v1` is the address of a WebSocket stream with a message for each transaction of "
                "every valid block; with `?after=TOKEN` it continues from a page or a stream of `/api/v1/events`."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _paths(),
        "security": [{}, {"bearer": []}, {"basic": []}],
        "components": {
            "schemas": {"Transaction": transaction, **definitions, **schemas()},
            "responses": _errors(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An access key of the node."},
                "basic": {"type": "http", "scheme": "basic", "description": "Any user, the key as password."},
            },
        },
    }


def _paths() -> dict[str, Schema]:
    reads = {**_node_reads(), **_transaction_reads(), **_block_reads(), **_event_reads(), **_network_reads()}
    paths = {path: {"get": operation} for path, operation in reads.items()}
    paths["/api/v1/transactions"]["post"] = _post()
    paths["/api/v1/subscriptions/{name}/pull"] = {"post": _pull()}
    return paths | lane_paths()


def _node_reads() -> dict[str, Schema]:
    return {
        "/": _get("The node and its addresses", ref("Root")),
        "/api/v1": _get("Addresses of the resources", ref("Index")),
        "/api/v1/plugins": _get("State of each plugin and of each visible subscription", array(ref("Plugin"))),
        "/api/v1/openapi.json": _get("This description", {"type": "object"}),
    }


def _transaction_reads() -> dict[str, Schema]:
    return {
        "/api/v1/transactions": _get(
            "Transactions of an asset, oldest first",
            array(ref("Transaction")),
            query("asset_id", HEX_64, required=True),
            query("operation", {"enum": ["CREATE", "TRANSFER"]}),
            query("last_tx", BOOLEAN, "Return only the newest one."),
            errors=(400,),
        ),
        "/api/v1/transactions/{id}": _get(
            "A committed transaction", ref("Transaction"), segment("id", TEXT), errors=(404,)
        ),
        "/api/v1/outputs": _get(
            "Outputs of a key, in commit order",
            array(ref("OutputReference")),
            query("public_key", KEY, required=True),
            query("spent", BOOLEAN, "Return only spent outputs, or only unspent ones."),
            errors=(400,),
        ),
        "/api/v1/assets": _search("assets", ref("Asset")),
        "/api/v1/metadata": _search("metadata", ref("Metadata")),
        "/api/v1/statuses": _get(
            "Status of a transaction or a block; takes exactly one argument",
            ref("Status"),
            query("transaction_id", TEXT),
            query("block_id", TEXT, "A block's id or height."),
            errors=(400, 404),
        ),
    }


def _block_reads() -> dict[str, Schema]:
    return {
        "/api/v1/blocks": _get(
            "Height of the block that contains a transaction; its id if `status` is given",
            array({"oneOf": [HEIGHT, HEX_64]}),
            query("transaction_id", TEXT, required=True),
            query("status", {"enum": ["valid", "invalid", "undecided"]}),
            errors=(400,),
        ),
        "/api/v1/blocks/{height_or_id}": _get(
            "A block by its height, or in its 1.x form by its id",
            {"oneOf": [ref("Block"), ref("BlockV1")]},
            segment("height_or_id", HEIGHT_OR_ID),
            errors=(404,),
        ),
        "/api/v1/blocks/{height_or_id}/proof": _get(
            "Proof of the event of a block, valid or invalid, for readers who trust the validators' keys",
            ref("Proof"),
            segment("height_or_id", HEIGHT_OR_ID),
            errors=(404, 504),
        ),
        "/api/v1/votes": _get(
            "This node's vote on a block, if it has one",
            array(ref("Vote")),
            query("block_id", TEXT, required=True),
            errors=(400,),
        ),
    }


def _network_reads() -> dict[str, Schema]:
    return {
        "/api/v1/validators": _get(
            "Validators of the next block or of a decided one",
            array(ref("Validator")),
            query(
                "height", {"type": "integer", "minimum": 1}, "Height of a decided block; omit it for the next block."
            ),
            errors=(400, 404, 504),
        ),
        "/api/v1/elections": _get("Open elections of validators, oldest first", array(ref("Election")), errors=(404,)),
        "/api/v1/elections/{id}": _get(
            "Status of an election", ref("ElectionStatus"), segment("id", TEXT), errors=(404,)
        ),
    }


def _post() -> Schema:
    modes = {"enum": ["async", "sync", "commit"], "default": "async"}
    return {
        "summary": "Submit a transaction",
        "description": "`async` and `sync` answer once it is in the pool, `commit` once every query shows it.",
        "parameters": [query("mode", modes)],
        "requestBody": {"required": True, "content": json_of(ref("Transaction"))},
        "responses": {
            "202": {
                "description": "The posted document",
                "headers": {"Location": {"description": "Relative address of its status.", "schema": TEXT}},
                "content": json_of(ref("Transaction")),
            },
            **refusals(400, 401, 403, 408, 413, 429, 503),
            "504": response("Undecided"),
        },
    }


def _event_reads() -> dict[str, Schema]:
    types = (
        query("type", {"enum": ["valid", "invalid"]}),
        query("granularity", {"enum": ["block", "transaction"], "default": "block"}),
    )
    proof = _get(
        "Proof of the event at a position, which distinguishes events with the same id",
        ref("Proof"),
        segment("position", {"type": "string", "pattern": "^[0-9]{1,18}$"}),
        errors=(404, 504),
    )
    socket = _get("A WebSocket of the ledger's events; the arguments of `/api/v1/events`", {}, errors=(400, 410))
    socket["responses"]["101"] = {"description": "The WebSocket is open"}
    del socket["responses"]["200"]
    return {
        "/api/v1/events": _log("Events of the ledger", *types),
        "/api/v1/events/{position}/proof": proof,
        "/api/v1/rejected": _log("Transactions that this node accepted and rejected later"),
        "/api/v1/streams/events": socket,
    }


def _log(what: str, *arguments: Schema) -> Schema:
    described = _get(
        f"{what} in order: a page, or with `Accept: text/event-stream` a stream without end",
        ref("EventPage"),
        query("after", TEXT, "A token: `next` of a page, an SSE id, or the close reason of the WebSocket stream."),
        query("limit", {"type": "integer", "minimum": 1, "default": 100}, "Most events of a page."),
        *arguments,
        query("operation", {"enum": ["CREATE", "TRANSFER"]}),
        query("asset", HEX_64),
        query("owner", KEY, "Among an output's `public_keys` or an input's `owners_before`."),
        {
            **query("metadata", {"type": "object", "patternProperties": {"^metadata\\.": TEXT}}),
            "description": "`metadata.<path>=<value>`: a value in the metadata of one transaction.",
            "style": "form",
            "explode": True,
        },
        {
            **query("Last-Event-ID", TEXT, "Token after which a stream continues; takes precedence over `after`."),
            "in": "header",
        },
        errors=(400, 410),
    )
    described["responses"]["200"]["content"]["text/event-stream"] = {"schema": TEXT}
    return described


def _pull() -> Schema:
    lease, seconds = {"lease": TEXT}, {"type": "number", "minimum": 0}
    nacked = record(lease, {"delay_s": seconds, "error": TEXT, "unavailable": BOOLEAN})
    members = {
        "count": {"type": "integer", "minimum": 0, "maximum": COUNT_MAX, "default": COUNT},
        "wait_s": {**seconds, "maximum": WAIT_S_MAX, "default": 0},
        "lease_s": {**seconds, "minimum": 1, "default": LEASE_S},
        "ack": array(TEXT),
        "nack": array(nacked),
        "park": array(record(lease, {"error": TEXT})),
        "extend": array(TEXT),
    }
    for answers in ("ack", "nack", "park", "extend"):
        members[answers]["maxItems"] = COUNT_MAX
    event = record({**lease, "attempt": {"type": "integer"}, "event": ref("Event")})
    page = record({"events": array(event), "stale": array(TEXT), "level": BOOLEAN, "token": TEXT})
    operation = _get(
        "Answer for events of a subscription, and take the next ones for a time",
        page,
        segment("name", TEXT),
        errors=(400, 404, 410, 413),
    )
    operation["responses"]["409"] = {"description": "Its state gives nothing", "content": json_of(ref("Error"))}
    return {**operation, "requestBody": {"content": json_of(record({}, members))}}


def _search(what: str, row: Schema) -> Schema:
    return _get(
        f"Full-text search in {what}, best match first",
        array(row),
        query("search", TEXT, 'Words; `"a phrase"` must occur, `-word` must not.', required=True),
        query("limit", {"type": "integer", "minimum": 0}, "Most results; 0 returns all."),
        errors=(400,),
    )


def _get(summary: str, schema: Schema, *parameters: Schema, errors: Iterable[int] = ()) -> Schema:
    """Return a read that can fail with these statuses, and with those with which all can."""
    responses = {"200": {"description": "OK", "content": json_of(schema)}, **refusals(*errors, 401, 403, 429, 503)}
    return {"summary": summary, "parameters": list(parameters), "responses": responses}


def _errors() -> dict[str, Schema]:
    described = {
        "Refused": "An argument or the transaction breaks a rule, named in the message",
        "Unknown": "A scope is missing and no access key was shown, or the node does not take the key",
        "Forbidden": "The access key lacks a scope, or came in clear; or none of the node's writers signed a CREATE",
        "TooOften": "The rate of the sender is used up; try again after `Retry-After`",
        "NotFound": "Not found",
        "Differs": "The state of the lane does not allow it, or a subscription of that name has another definition",
        "HistoryLost": "The token belongs to another chain or to a log that this node does not have",
        "Slow": "The request did not arrive in time",
        "TooLarge": "The body is too large",
        "Unavailable": "A limit is reached or the node is stopping; try again later",
        "Silent": "The consensus engine did not answer; try again later",
        "Undecided": "The deadline passed; the transaction may still be committed",
    }
    return {name: {"description": text, "content": json_of(ref("Error"))} for name, text in described.items()}
