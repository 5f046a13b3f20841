"""`/api/v1/statuses`: the status of a transaction or a block, in the words of 1.x. Source: http-api.md, section 10."""

from typing import Final

from bigchaindb.api import examples
from bigchaindb.api.answers import Reply, json_answer
from bigchaindb.api.arguments import Argument, Unknown, text
from bigchaindb.api.blocks import height_of
from bigchaindb.api.call import Call, Context
from bigchaindb.api.problems import not_found, plain
from bigchaindb.api.route import Route
from bigchaindb.api.schemas import TEXT, ref
from bigchaindb.config.access import READ
from bigchaindb.engine.engine import Status

BLOCK_ID: Final = Argument[str | None](
    name="block_id", take=text, schema=TEXT, description="The id or the height of a block."
)
TRANSACTION_ID: Final = Argument[str | None](
    name="transaction_id", take=text, schema=TEXT, example=examples.TRANSACTION_ID
)

CHOICE = "Provide exactly one query parameter. Choices are: block_id, transaction_id"


async def get(context: Context, call: Call) -> Reply:
    """Answer with the status of the one named transaction or block."""
    match BLOCK_ID.of(call), TRANSACTION_ID.of(call):
        case None, str(transaction_id):
            return await _of_transaction(context, transaction_id)
        case str(block_id), None:
            return await _of_block(context, block_id)
    return plain(400, CHOICE)


async def _of_transaction(context: Context, transaction_id: str) -> Reply:
    # Ask the engine before the store: a transaction leaves the engine only once the store holds it, so from the 202
    # on one of the two always knows it.
    standing = context.engine.standing(transaction_id)
    if standing is not None and standing.status is not Status.REJECTED:
        return json_answer({"status": standing.status.value})
    if await context.reads.run(context.queries.transaction, transaction_id) is not None:
        return json_answer({"status": "valid"})
    if standing is not None and standing.error is not None:  # on its way into the log
        return plain(404, f"rejected ({type(standing.error).__name__}): {standing.error}")
    if (row := await context.reads.run(context.rejected.log.of, transaction_id)) is None:
        return not_found()
    return plain(404, f"rejected ({row.error}): {row.message}")


async def _of_block(context: Context, block_id: str) -> Reply:
    if (height := height_of(block_id)) is not None:
        known = height == 0 or await context.reads.run(context.queries.block, height) is not None
        return json_answer({"status": "valid"}) if known else not_found()
    found = await context.reads.run(context.queries.block_by_id, block_id)
    if found is None:
        return not_found()
    _, entry = found
    return json_answer({"status": "valid" if entry.reason is None else "invalid"})


ROUTES: Final = (
    Route(
        "GET",
        "/api/v1/statuses",
        get,
        READ,
        id="getStatus",
        tag="transactions",
        summary="Status of a transaction or a block; takes exactly one argument",
        answer=ref("Status"),
        arguments=(BLOCK_ID, TRANSACTION_ID),
        unknown=Unknown.REFUSED,
        errors=(400, 404),
    ),
)
