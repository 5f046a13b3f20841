"""The schemas with a name in `/api/v1/openapi.json`: what answers of the API are made of."""

from typing import Final

from bigchaindb.api.pulls import COUNT as PULL_COUNT
from bigchaindb.api.pulls import COUNT_MAX, LEASE_S, WAIT_S_MAX
from bigchaindb.api.schemas import BOOLEAN, COUNT, HEX_64, KEY, TEXT, TEXT_OR_NULL, Schema, array, record, ref
from bigchaindb.delivery import BLOCK_TYPES, TRANSACTION_TYPE
from bigchaindb.ledger.proofs.document import FORMAT
from bigchaindb.streams.cloud_events import REJECTED_TYPE

SECONDS: Final[Schema] = {"type": "string", "pattern": "^[0-9]{10}$"}
SIGNATURE: Final[Schema] = {"type": "string", "pattern": "^[1-9A-HJ-NP-Za-km-z]{86,88}$"}
ANY_OBJECT: Final[Schema] = {"type": ["object", "null"]}
_RESOURCES: Final = ("assets", "blocks", "metadata", "outputs", "statuses", "transactions", "validators", "votes")


def schemas() -> dict[str, Schema]:
    """Return the schemas of all answers by name, but for those of transactions."""
    return {
        "Error": record(
            {"message": {"type": ["string", "object"]}},
            {
                "status": {"type": "integer"},
                "position": COUNT,
                "head": COUNT,
                "differences": array(TEXT),
                "state": TEXT,
                "reason": TEXT,
                "stale": array(TEXT),
            },
        ),
        **_node_schemas(),
        **_lane_schemas(),
        **_pull_schemas(),
        **_block_schemas(),
        "OutputReference": record({"transaction_id": HEX_64, "output_index": COUNT}),
        "Asset": record({"data": ANY_OBJECT, "id": HEX_64}),
        "Metadata": record({"metadata": ANY_OBJECT, "id": HEX_64}),
        "Status": record({"status": {"enum": ["backlog", "undecided", "valid", "invalid"]}}),
        "EventPage": record({"events": array(ref("Event")), "head": BOOLEAN, "next": TEXT}),
        "NewestEventPage": record({"events": array(ref("Event")), "end": BOOLEAN, "next": TEXT, "live": TEXT}),
        "Event": _event(),
        "Proof": _proof(),
        "Election": record(
            {
                "id": HEX_64,
                "node_id": TEXT,
                "power": COUNT,
                "proposer": KEY,
                "public_key": ref("ValidatorKey"),
                "votes": COUNT,
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
                "lag": COUNT,
                "attempts": COUNT,
                "parked": COUNT,
                "error": TEXT_OR_NULL,
                "last_error": TEXT_OR_NULL,
                "cursor": COUNT,
                "in_hand": COUNT,
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
                "reason": TEXT_OR_NULL,
                "cursor": COUNT,
                "lag": COUNT,
                "in_hand": COUNT,
                "oldest_s": {"type": "number"},
                "attempts": COUNT,
                "parked": COUNT,
                "waits_for": TEXT_OR_NULL,
                "consumers": array(record({"consumer": TEXT, "name": TEXT_OR_NULL, "in_hand": COUNT})),
            },
            {"token": TEXT},
        ),
        "ParkedPage": record(
            {
                "parked": array(
                    record(
                        {"position": TEXT, "attempts": COUNT, "error": TEXT, "parked_at": number, "returns": BOOLEAN}
                    )
                ),
                "next": TEXT_OR_NULL,
            }
        ),
    }


def _block_schemas() -> dict[str, Schema]:
    transactions = array(ref("Transaction"))
    return {
        "Block": record({"height": COUNT, "transactions": transactions}),
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


def _pull_schemas() -> dict[str, Schema]:
    lease, seconds = {"lease": TEXT}, {"type": "number", "minimum": 0}
    nacked = record(lease, {"delay_s": seconds, "error": TEXT, "unavailable": BOOLEAN})
    members = {
        "count": {"type": "integer", "minimum": 0, "maximum": COUNT_MAX, "default": PULL_COUNT},
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
    return {
        "Pull": record({}, members),
        "Pulled": record({"events": array(event), "stale": array(TEXT), "level": BOOLEAN, "token": TEXT}),
    }
