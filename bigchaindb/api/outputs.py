"""`/api/v1/outputs`: the outputs of a key. Source: http-api.md, section 7."""

from bigchaindb.api import arguments
from bigchaindb.api.answers import Reply
from bigchaindb.api.call import Call, Context


async def listing(context: Context, call: Call) -> Reply:
    """List the outputs of a key in commit order; pending transactions do not count."""
    given = call.arguments
    public_key = arguments.required(given, "public_key", arguments.public_key)
    spent = arguments.optional(given, "spent", arguments.boolean)
    arguments.refuse_unknown(given, "public_key", "spent")
    queries = context.queries
    return await context.reads.listing(lambda: queries.outputs(public_key, spent=spent))
