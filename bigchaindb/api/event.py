"""One event of the log: by its position, by a block or by a transaction. Source: docs/reference/http-events.md."""

from typing import Final

from bigchaindb.api import examples
from bigchaindb.api.answers import Answer, Reply
from bigchaindb.api.arguments import Argument, segment
from bigchaindb.api.blocks import BLOCK, BLOCK_ID_CHARACTERS, height_of
from bigchaindb.api.call import Call, Context, Handler
from bigchaindb.api.problems import not_found
from bigchaindb.api.proofs import POSITION
from bigchaindb.api.route import Route
from bigchaindb.api.schemas import COUNT, COUNT_OR_NULL, HEX_64, TEXT, record, ref
from bigchaindb.config.access import READ
from bigchaindb.ledger.ports import Part, Queries
from bigchaindb.streams.cloud_events import single

TRANSACTION: Final = segment("id", HEX_64, example=examples.TRANSACTION_ID)


async def at_position(context: Context, call: Call) -> Reply:
    """Answer `/api/v1/events/{position}`."""
    return await _event_at(context, height_of(call.parameter))  # bounded alike


async def of_block(context: Context, call: Call) -> Reply:
    """Answer `/api/v1/blocks/{height_or_id}/event`: by height for a valid block, by id for any."""
    is_id = len(call.parameter) == BLOCK_ID_CHARACTERS
    return await _event_at(context, await context.reads.run(_position_of, context.queries, call.parameter, is_id=is_id))


async def of_transaction(context: Context, call: Call) -> Reply:
    """Answer `/api/v1/transactions/{id}/event`."""
    return _answer(context, await context.reads.run(context.queries.event_of_transaction, call.parameter))


async def _event_at(context: Context, position: int | None) -> Reply:
    found = None if position is None else await context.reads.run(context.queries.event_at, position)
    return _answer(context, found)


def _position_of(queries: Queries, text: str, *, is_id: bool) -> int | None:
    height = None if is_id else height_of(text)
    entry = queries.entry_of_block(text) if is_id else None if height is None else queries.entry_at_height(height)
    return None if entry is None else entry.position


def _answer(context: Context, found: Part | None) -> Reply:
    if found is None or found.record.position > context.streams.head:  # its token could not be used yet (P4)
        return not_found()
    envelope, token = single(found, context.streams.chain_id)
    index = b"null" if found.number is None else b"%d" % found.number
    body = b'{"event":%b,"position":%d,"index":%b,"token":"%b"}\n'
    return Answer(200, body % (envelope, found.record.position, index, token.encode()))


_EVENT: Final = record({"event": ref("Event"), "position": COUNT, "index": COUNT_OR_NULL, "token": TEXT})
_TOLD: Final = "`token` is the place behind it."


def _route(path: str, handler: Handler, id_: str, summary: str, parameter: Argument[str], tag: str) -> Route:
    return Route(
        "GET",
        path,
        handler,
        READ,
        id=id_,
        tag=tag,
        summary=summary,
        description=_TOLD,
        answer=_EVENT,
        parameter=parameter,
        errors=(404,),
    )


ROUTES: Final = (
    _route(
        "/api/v1/events/{position}", at_position, "getEvent", "The event at a position of the log", POSITION, "events"
    ),
    _route(
        "/api/v1/blocks/{height_or_id}/event",
        *(of_block, "getBlockEvent", "The event of a block, valid or invalid", BLOCK, "blocks"),
    ),
    _route(
        "/api/v1/transactions/{id}/event",
        *(of_transaction, "getTransactionEvent", "The event of a committed transaction", TRANSACTION, "transactions"),
    ),
)
