"""`/api/v1/blocks`: by height as in 2.x, by id as in 1.x. Source: http-api.md, section 6."""

from typing import Final

from bigchaindb.api import arguments
from bigchaindb.api.answers import Answer, Reply, json_answer
from bigchaindb.api.call import Call, Context
from bigchaindb.api.problems import not_found
from bigchaindb.ledger.block import v1_block
from bigchaindb.ledger.ports import Queries

BLOCK_ID_CHARACTERS: Final = 64
HEIGHT_DIGITS_MAX: Final = 18
"""Keeps every height below 2^63, the limit of the store and the engines."""


async def get(context: Context, call: Call) -> Reply:
    """Answer with a block in the form of 1.x for an id, of 2.x for a height."""
    if len(call.parameter) == BLOCK_ID_CHARACTERS:
        body = await context.reads.run(_v1, context.queries, call.parameter)
    elif (height := height_of(call.parameter)) is not None:
        body = await context.reads.run(_v2, context.queries, height)
    else:
        body = None
    return not_found() if body is None else Answer(200, body)


async def listing(context: Context, call: Call) -> Reply:
    """List the block of a transaction: its height, or with `status`, which only 1.x clients send, its id.

    Only the valid block of a transaction is searched, so `invalid` and `undecided` find nothing.
    """
    given = call.arguments
    transaction_id = arguments.required(given, "transaction_id", arguments.text)
    status = arguments.optional(given, "status", arguments.block_status)
    arguments.refuse_unknown(given, "transaction_id", "status")
    if status in {"invalid", "undecided"}:
        return json_answer([])
    entries = await context.reads.run(context.queries.blocks_of_transaction, transaction_id)
    return json_answer([entry.height if status is None else entry.block_id for entry in entries])


def height_of(text: str) -> int | None:
    """Return `text` as a height, or None if no block can have it; 64 digits are a block id."""
    if text.isascii() and text.isdigit() and len(text) <= HEIGHT_DIGITS_MAX:
        return int(text)
    return None


def _v1(queries: Queries, block_id: str) -> bytes | None:
    found = queries.block_by_id(block_id)
    return None if found is None else v1_block(found[0]) + b"\n"


def _v2(queries: Queries, height: int) -> bytes | None:
    """Return height and transactions; a height below the newest without a stored block is an empty block."""
    newest = queries.height()  # Read first: a block decided in between would be reported as empty.
    if height > newest:
        return None
    block = queries.block(height) if height > 0 else None
    if block is not None:
        return b'{"height":%d,"transactions":[%b]}\n' % (height, b",".join(block.transactions))
    return b'{"height":%d,"transactions":[]}\n' % height
