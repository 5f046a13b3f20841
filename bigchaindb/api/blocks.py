"""`/api/v1/blocks`: by height as in 2.x, by id as in 1.x. Source: http-api.md, section 6."""

from typing import Final

from bigchaindb.api import examples
from bigchaindb.api.answers import Answer, Reply, json_answer
from bigchaindb.api.arguments import Argument, Unknown, segment, text
from bigchaindb.api.call import Call, Context
from bigchaindb.api.problems import not_found
from bigchaindb.api.route import Route
from bigchaindb.api.schemas import COUNT, HEX_64, TEXT, array, ref
from bigchaindb.config.access import READ
from bigchaindb.ledger.block import v1_block
from bigchaindb.ledger.ports import Queries

BLOCK_ID_CHARACTERS: Final = 64
HEIGHT_DIGITS_MAX: Final = 18
"""Keeps every height below 2^63, the limit of the store and the engines."""
BLOCK: Final = segment("height_or_id", {"oneOf": [{"type": "string", "pattern": "^[0-9]{1,18}$"}, HEX_64]}, example="1")
TRANSACTION_ID: Final = Argument[str](
    name="transaction_id", take=text, schema=TEXT, is_required=True, example=examples.TRANSACTION_ID
)


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
    status = STATUS.of(call)
    if status in {"invalid", "undecided"}:
        return json_answer([])
    entries = await context.reads.run(context.queries.blocks_of_transaction, TRANSACTION_ID.of(call))
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


def _status(value: str) -> str:
    """Take the status of a block in any letter case."""
    if (found := value.lower()) not in _STATUSES:
        raise ValueError(f"{value} is not a valid choice")
    return found


_STATUSES: Final = ("valid", "invalid", "undecided")
STATUS: Final = Argument[str | None](name="status", take=_status, schema={"enum": [*_STATUSES]})
ROUTES: Final = (
    Route(
        "GET",
        "/api/v1/blocks",
        listing,
        READ,
        id="listBlocks",
        tag="blocks",
        summary="Height of the block that contains a transaction; its id if `status` is given",
        answer=array({"oneOf": [COUNT, HEX_64]}),
        arguments=(TRANSACTION_ID, STATUS),
        unknown=Unknown.REFUSED,
        errors=(400,),
    ),
    Route(
        "GET",
        "/api/v1/blocks/{height_or_id}",
        get,
        READ,
        id="getBlock",
        tag="blocks",
        summary="A block by its height, or in its 1.x form by its id",
        answer={"oneOf": [ref("Block"), ref("BlockV1")]},
        parameter=BLOCK,
        unknown=Unknown.IGNORED,
        errors=(404,),
    ),
)
