"""`/api/v1/transactions`: post one, get one, list those of an asset. Source: http-api.md, sections 4 and 5."""

from typing import Final

from bigchaindb.api import examples
from bigchaindb.api.answers import Answer, Reply
from bigchaindb.api.arguments import Argument, Unknown, boolean, choice, segment, transaction_id
from bigchaindb.api.call import Call, Context
from bigchaindb.api.problems import not_found
from bigchaindb.api.route import Route
from bigchaindb.api.schemas import BOOLEAN, HEX_64, TEXT, array, json_of, ref
from bigchaindb.config.access import READ, WRITE
from bigchaindb.engine.engine import Mode
from bigchaindb.store.lists import Operation

MODE: Final = choice("mode", {mode.value: mode for mode in Mode}, default=Mode.ASYNC, example="commit")
ASSET_ID: Final = Argument[str](
    name="asset_id", take=transaction_id, schema=HEX_64, is_required=True, example=examples.TRANSACTION_ID
)
_OPERATIONS: Final[dict[str, Operation | None]] = {"CREATE": "CREATE", "TRANSFER": "TRANSFER"}
OPERATION: Final = choice("operation", _OPERATIONS, in_any_case=True)
LAST: Final = Argument[bool](
    name="last_tx", take=boolean, schema=BOOLEAN, default=False, description="Return only the newest one."
)
ID: Final = segment("id", TEXT, example=examples.TRANSACTION_ID)


async def post(context: Context, call: Call) -> Reply:
    """Submit a transaction; the answer has the members and values of the posted document.

    The mode is checked before the body is read.
    """
    transaction = await context.engine.submit(await call.body(), MODE.of(call))
    location = b"Location: ../statuses?transaction_id=%b\r\n" % transaction.id.encode()
    return Answer(202, transaction.body + b"\n", location)


async def get(context: Context, call: Call) -> Reply:
    """Answer with a committed transaction. The form of the id is not checked: a wrong one is not found."""
    body = await context.reads.run(context.queries.transaction, call.parameter)
    return not_found() if body is None else Answer(200, body + b"\n")


async def listing(context: Context, call: Call) -> Reply:
    """List the transactions of an asset, oldest first."""
    asset_id, operation, queries = ASSET_ID.of(call), OPERATION.of(call), context.queries
    if LAST.of(call):
        last = await context.reads.run(queries.last_of_asset, asset_id, operation)
        return Answer(200, b"[]\n" if last is None else b"[" + last + b"]\n")
    return await context.reads.listing(lambda: queries.transactions_of_asset(asset_id, operation))


ROUTES: Final = (
    Route(
        "POST",
        "/api/v1/transactions",
        post,
        WRITE,
        id="postTransaction",
        tag="transactions",
        summary="Submit a transaction",
        description="`async` and `sync` answer once it is in the pool, `commit` once every query shows it.",
        answer=ref("Transaction"),
        status=202,
        arguments=(MODE,),
        unknown=Unknown.IGNORED,
        body=ref("Transaction"),
        needs_body=True,
        body_example=examples.TRANSACTION,
        errors=(400, 408, 413),
        responses={
            "202": {
                "description": "The posted document",
                "headers": {"Location": {"description": "Relative address of its status.", "schema": TEXT}},
                "content": json_of(ref("Transaction")),
            },
            "504": {"$ref": "#/components/responses/Undecided"},
        },
    ),
    Route(
        "GET",
        "/api/v1/transactions",
        listing,
        READ,
        id="listTransactions",
        tag="transactions",
        summary="Transactions of an asset, oldest first",
        answer=array(ref("Transaction")),
        arguments=(ASSET_ID, OPERATION, LAST),
        unknown=Unknown.IGNORED,
        errors=(400,),
    ),
    Route(
        "GET",
        "/api/v1/transactions/{id}",
        get,
        READ,
        id="getTransaction",
        tag="transactions",
        summary="A committed transaction",
        answer=ref("Transaction"),
        parameter=ID,
        unknown=Unknown.IGNORED,
        errors=(404,),
    ),
)
