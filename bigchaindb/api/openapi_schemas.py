"""The schemas of `/api/v1/openapi.json`: what answers of the API are made of."""

from typing import Any, Final

from bigchaindb.delivery import BLOCK_TYPES, TRANSACTION_TYPE
from bigchaindb.ledger.proofs.document import FORMAT
from bigchaindb.streams.cloud_events import REJECTED_TYPE

Schema = dict[str, Any]

HEX_64: Final[Schema] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
KEY: Final[Schema] = {"type": "string", "pattern": "^[1-9A-HJ-NP-Za-km-z]{43,44}$"}
TEXT: Final[Schema] = {"type": "string"}
BOOLEAN: Final[Schema] = {"type": "boolean"}
HEIGHT: Final[Schema] = {"type": "integer", "minimum": 0}
SECONDS: Final[Schema] = {"type": "string", "pattern": "^[0-9]{10}$"}
SIGNATURE: Final[Schema] = {"type": "string", "pattern": "^[1-9A-HJ-NP-Za-km-z]{86,88}$"}
HEIGHT_OR_ID: Final[Schema] = {"oneOf": [{"type": "string", "pattern": "^[0-9]{1,18}$"}, HEX_64]}
_OR_NULL: Final[Schema] = {"type": ["string", "null"]}
ANY_OBJECT: Final[Schema] = {"type": ["object", "null"]}
_RESOURCES: Final = ("assets", "blocks", "metadata", "outputs", "statuses", "transactions", "validators", "votes")


def schemas() -> dict[str, Schema]:
    """Return the schemas of all answers by name, but for those of transactions."""
    return {
        "Error": record(
            {"message": {"type": ["string", "object"]}},
            {
                "status": {"type": "integer"},
                "position": HEIGHT,
                "head": HEIGHT,
                "differences": array(TEXT),
                "state": TEXT,
                "reason": TEXT,
                "stale": array(TEXT),
            },
        ),
        **_node_schemas(),
        **_lane_schemas(),
        **_block_schemas(),
        "OutputReference": record({"transaction_id": HEX_64, "output_index": HEIGHT}),
        "Asset": record({"data": ANY_OBJECT, "id": HEX_64}),
        "Metadata": record({"metadata": ANY_OBJECT, "id": HEX_64}),
        "Status": record({"status": {"enum": ["backlog", "undecided", "valid", "invalid"]}}),
        "EventPage": record({"events": array(ref("Event")), "head": BOOLEAN, "next": TEXT}),
        "Event": _event(),
        "Proof": _proof(),
        "Election": record(
            {
                "id": HEX_64,
                "node_id": TEXT,
                "power": HEIGHT,
                "proposer": KEY,
                "public_key": ref("ValidatorKey"),
                "votes": HEIGHT,
            }
        ),
        "ElectionStatus": record({"id": HEX_64, "status": {"enum": ["ongoing", "concluded", "inconclusive"]}}),
        "Validator": record({"public_key": ref("ValidatorKey"), "voting_power": {"type": "integer", "minimum": 1}}),
        "ValidatorKey": record({"type": {"const": "ed25519-base64"}, "value": TEXT}),
    }


def _node_schemas() -> dict[str, Schema]:
    return {
        "Index": record(dict.fromkeys(("docs", "streams", *_RESOURCES), TEXT)),
        "Root": record(
            {
                "api": record({"v1": ref("Index")}),
                "docs": TEXT,
                "keyring": array(KEY),
                "public_key": {"oneOf": [KEY, {"type": "null"}]},
                "software": {"const": "BigchainDB"},
                "version": TEXT,
            }
        ),
        "Plugin": record(
            {
                "name": TEXT,
                "kind": {"enum": ["plugin", "subscription"]},
                "state": TEXT,
                "lag": HEIGHT,
                "attempts": HEIGHT,
                "parked": HEIGHT,
                "error": _OR_NULL,
                "last_error": _OR_NULL,
                "cursor": HEIGHT,
                "in_hand": HEIGHT,
                "oldest_s": {"type": "number"},
                "since": {"type": "number"},
                "next_attempt_at": {"type": ["integer", "null"]},
            },
            {"error_at": {"type": ["number", "null"]}},
        ),
    }


def _lane_schemas() -> dict[str, Schema]:
    number = {"type": ["number", "null"]}
    return {
        "Definition": {
            "type": "object",
            "properties": {
                "log": {"enum": ["events", "rejected"], "default": "events"},
                "granularity": {"enum": ["block", "transaction"]},
                "types": {"type": ["array", "null"], "items": {"enum": ["valid", "invalid"]}},
                "select": {"type": "object"},
                "order": {"enum": ["asset", "log", "none"]},
                "start": {"type": "string", "default": "now"},
                "window": {"type": "integer", "minimum": 1, "default": 1024},
                "retry": {"type": "object"},
                "on_failure": {"enum": ["park", "block", "skip"], "default": "park"},
                "answer_s": number,
                "expires_s": number,
            },
        },
        "Subscription": record(
            {
                "name": TEXT,
                "definition": ref("Definition"),
                "state": TEXT,
                "since": {"type": "number"},
                "reason": _OR_NULL,
                "cursor": HEIGHT,
                "lag": HEIGHT,
                "in_hand": HEIGHT,
                "oldest_s": {"type": "number"},
                "attempts": HEIGHT,
                "parked": HEIGHT,
                "waits_for": _OR_NULL,
                "consumers": array(record({"consumer": TEXT, "name": _OR_NULL, "in_hand": HEIGHT})),
            },
            {"token": TEXT},
        ),
        "ParkedPage": record(
            {
                "parked": array(
                    record(
                        {"position": TEXT, "attempts": HEIGHT, "error": TEXT, "parked_at": number, "returns": BOOLEAN}
                    )
                ),
                "next": _OR_NULL,
            }
        ),
    }


def _block_schemas() -> dict[str, Schema]:
    transactions = array(ref("Transaction"))
    return {
        "Block": record({"height": HEIGHT, "transactions": transactions}),
        "BlockV1": record(
            {
                "id": HEX_64,
                "block": record(
                    {"timestamp": TEXT, "transactions": transactions, "node_pubkey": KEY, "voters": array(KEY)}
                ),
                "signature": {"oneOf": [SIGNATURE, {"type": "null"}]},
            }
        ),
        "Vote": record({"node_pubkey": KEY, "vote": ref("VoteBody"), "signature": SIGNATURE}),
        "VoteBody": record(
            {
                "voting_for_block": HEX_64,
                "previous_block": HEX_64,
                "is_block_valid": BOOLEAN,
                "invalid_reason": {"type": ["string", "null"]},
                "timestamp": SECONDS,
            }
        ),
    }


def _event() -> Schema:
    kinds = [*BLOCK_TYPES.values(), TRANSACTION_TYPE, REJECTED_TYPE]
    return record(
        {
            "specversion": {"const": "1.0"},
            "type": {"enum": kinds},
            "source": TEXT,
            "id": TEXT,
            "subject": HEX_64,
            "sequence": TEXT,
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "data": {"type": "object"},
        },
        {"partitionkey": HEX_64},
    )


def _proof() -> Schema:
    kinds = {"enum": ["commit", "commit-2", "rejection-2", "node"]}
    return record(
        {
            "format": {"const": FORMAT},
            "event": {"type": "object"},
            "evidence": {"type": "object", "properties": {"kind": kinds}, "required": ["kind"]},
        }
    )


def record(required: Schema, optional: Schema | None = None) -> Schema:
    """Return the schema of an object with these members."""
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


def array(items: Schema) -> Schema:
    """Return the schema of an array."""
    return {"type": "array", "items": items}


def ref(name: str) -> Schema:
    """Return a reference to a schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def refusals(*statuses: int) -> dict[str, Schema]:
    """Return the responses of these statuses."""
    return {str(status): response(ERRORS[status]) for status in statuses}


def response(name: str) -> Schema:
    """Return a reference to a response by its name."""
    return {"$ref": f"#/components/responses/{name}"}


ERRORS: Final = {
    400: "Refused",
    401: "Unknown",
    403: "Forbidden",
    404: "NotFound",
    409: "Differs",
    408: "Slow",
    410: "HistoryLost",
    413: "TooLarge",
    429: "TooOften",
    503: "Unavailable",
    504: "Silent",
}


def query(name: str, schema: Schema, description: str = "", *, required: bool = False) -> Schema:
    """Return an argument of the query."""
    told = {"description": description} if description else {}
    return {"name": name, "in": "query", "required": required, "schema": schema, **told}


def segment(name: str, schema: Schema) -> Schema:
    """Return a parameter of the path."""
    return {"name": name, "in": "path", "required": True, "schema": schema}


def json_of(schema: Schema) -> Schema:
    """Return the content of a body that is JSON."""
    return {"application/json": {"schema": schema}}
