"""`/api/v1/transactions`: post one, get one, list those of an asset. Source: http-api.md, sections 4 and 5."""

from bigchaindb.api import arguments
from bigchaindb.api.answers import Answer, Reply
from bigchaindb.api.call import Call, Context
from bigchaindb.api.problems import not_found
from bigchaindb.engine.engine import Mode


async def post(context: Context, call: Call) -> Reply:
    """Submit a transaction; the answer has the members and values of the posted document.

    The mode is checked before the body is read.
    """
    mode = arguments.optional(call.arguments, "mode", arguments.mode) or Mode.ASYNC
    transaction = await context.engine.submit(await call.body(), mode)
    location = b"Location: ../statuses?transaction_id=%b\r\n" % transaction.id.encode()
    return Answer(202, transaction.body + b"\n", location)


async def get(context: Context, call: Call) -> Reply:
    """Answer with a committed transaction. The form of the id is not checked: a wrong one is not found."""
    body = await context.reads.run(context.queries.transaction, call.parameter)
    return not_found() if body is None else Answer(200, body + b"\n")


async def listing(context: Context, call: Call) -> Reply:
    """List the transactions of an asset, oldest first."""
    given = call.arguments
    asset_id = arguments.required(given, "asset_id", arguments.transaction_id)
    operation = arguments.optional(given, "operation", arguments.operation)
    last_only = arguments.optional(given, "last_tx", arguments.boolean) or False
    queries = context.queries
    if last_only:
        last = await context.reads.run(queries.last_of_asset, asset_id, operation)
        return Answer(200, b"[]\n" if last is None else b"[" + last + b"]\n")
    return await context.reads.listing(lambda: queries.transactions_of_asset(asset_id, operation))
