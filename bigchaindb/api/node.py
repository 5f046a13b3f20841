"""`/api/v1/statistics`, `/network` and `/health`: the node itself. Source: docs/reference/http-questions.md."""

from collections.abc import Sequence
from itertools import chain, islice
from typing import Final

from bigchaindb.api.answers import Reply, json_answer
from bigchaindb.api.call import Call, Context
from bigchaindb.api.plugins import seen
from bigchaindb.api.route import Route
from bigchaindb.api.schemas import BOOLEAN, COUNT, COUNT_OR_NULL, KEY, TEXT, TEXT_OR_NULL, array, record, response
from bigchaindb.api.standing import STOPPING, Complaint, standing
from bigchaindb.config.access import READ
from bigchaindb.errors import Stopping
from bigchaindb.eventlog.lane import State
from bigchaindb.transaction.keys import key_text

NEEDS_A_PERSON: Final = (State.FAILED, State.GAPPED)
"""Lanes in these states are noted; the node itself is as healthy as before."""
NOTE_COUNT_MAX: Final = 100


async def statistics(context: Context, _: Call) -> Reply:
    """Answer with counts and sizes."""
    counts, free_bytes = await context.reads.run(lambda: (context.queries.statistics(), context.state.free_bytes()))
    return json_answer(
        {
            "height": counts["height"],
            "position": counts["events"],
            "transactions": counts["transactions"],
            "outputs": counts["outputs"],
            "invalid_blocks": counts["events"] - counts["blocks"],
            "bytes": counts["ledger_bytes"] + counts["wal_bytes"],
            "disk_free_bytes": free_bytes,
            "last_block_at": counts["last_block_at"],
        }
    )


async def network(context: Context, _: Call) -> Reply:
    """Answer with the node's standing and its validators."""
    state = context.state
    figures, height = state.network(), await context.reads.run(context.queries.height)
    validators: Sequence[dict[str, object]]
    if figures is None:
        powers = {key_text(key): power for key, power in context.engine.validators().powers.items()}
        own, connected = context.node.public_key, sum(powers.values())
        validators = [
            {"public_key": key, "power": power, "connected": True, "height": height, "is_this_node": key == own}
            for key, power in powers.items()
        ]
    else:
        own, connected = figures.own_key, figures.connected_power
        validators = [
            {
                "public_key": one.public_key,
                "power": one.power,
                "connected": bool(one.connected),
                "height": figures.height if one.public_key == own else one.signed_height,
                "is_this_node": one.public_key == own,
            }
            for one in figures.validators
        ]
    return json_answer(
        {
            "kind": "solo" if figures is None else "network",
            "chain_id": state.chain_id,
            "standing": standing(figures),
            "height": height if figures is None else max(height, figures.height),
            "round": None if figures is None else figures.round,
            "validators": validators,
            "peers_connected": 0 if figures is None else figures.peer_count,
            "power": {"connected": connected, "total": connected if figures is None else figures.total_power},
            "genesis_hash": state.genesis_hash,
        }
    )


async def health(context: Context, call: Call) -> Reply:
    """Answer 200 if the node is healthy, else 503 with the reason."""
    found = await health_of(context, seen(context.lanes.subscriptions, call))
    return json_answer(found, 200 if found["status"] == "healthy" else 503)


async def health_of(context: Context, subscriptions: Sequence[str]) -> dict[str, object]:
    """Return the node's health, with notes about plugins and some subscriptions."""
    complaint: Complaint | None
    try:
        complaint = await context.reads.run(context.state.complaint)
    except Stopping:
        complaint = STOPPING
    notes = _notes(context, subscriptions)
    if complaint is None:
        return {"status": "healthy", "notes": notes}
    return {"status": "unhealthy", **complaint._asdict(), "notes": notes}


def _notes(context: Context, subscriptions: Sequence[str]) -> list[str]:
    lanes = context.lanes
    names = [*(name for name in lanes.names() if name not in lanes.subscriptions), *subscriptions]
    found = (status for name in names if (status := lanes.status_of(name)) is not None)
    places = context.engine.figures.checks.items()
    notes = chain(
        # Not unhealthy: a client can send documents that end them.
        (f"check processes fail again and again ({name}): see the log" for name, one in places if one.is_failing),
        (f"the work `{name}` has failed: see the log, and restart the node" for name in context.state.failed),
        (f"{one.kind} `{one.name}` is {one.state}" for one in found if one.state in NEEDS_A_PERSON),
    )
    return list(islice(notes, NOTE_COUNT_MAX))


_COUNTS: Final = ("height", "position", "transactions", "outputs", "invalid_blocks", "bytes", "disk_free_bytes")
_STATISTICS: Final = record({**dict.fromkeys(_COUNTS, COUNT), "last_block_at": COUNT_OR_NULL})
_VALIDATOR: Final = record(
    {"public_key": KEY, "power": COUNT, "connected": BOOLEAN, "height": COUNT_OR_NULL, "is_this_node": BOOLEAN}
)
_NETWORK: Final = record(
    {
        "kind": {"enum": ["solo", "network"]},
        "chain_id": TEXT,
        "standing": {"enum": ["deciding", "following", "behind", "degraded", "stalled"]},
        "height": COUNT,
        "round": COUNT_OR_NULL,
        "validators": array(_VALIDATOR),
        "peers_connected": COUNT,
        "power": record({"connected": COUNT, "total": COUNT}),
        "genesis_hash": TEXT_OR_NULL,
    }
)
_HEALTHY: Final = record({"status": {"enum": ["healthy"]}, "notes": array(TEXT)})
_UNHEALTHY: Final = record(
    {
        "status": {"enum": ["unhealthy"]},
        "kind": {"enum": ["damaged", "full", "halted", "behind", "stopping"]},
        "reason": TEXT,
        "notes": array(TEXT),
    }
)
ROUTES: Final = (
    Route(
        "GET",
        "/api/v1/statistics",
        statistics,
        READ,
        id="getStatistics",
        tag="ledger",
        summary="Counts and sizes",
        answer=_STATISTICS,
    ),
    Route(
        "GET",
        "/api/v1/network",
        network,
        READ,
        id="getNetwork",
        tag="network",
        summary="How the node stands in its network, and the validators",
        answer=_NETWORK,
    ),
    Route(
        "GET",
        "/api/v1/health",
        health,
        READ,
        id="getHealth",
        tag="node",
        summary="Whether the node is healthy",
        answer=_HEALTHY,
        responses={"503": response("It is not healthy, or has too much to do to answer", _UNHEALTHY)},
    ),
)
