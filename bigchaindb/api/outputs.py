"""`/api/v1/outputs`: the outputs of a key. Source: http-api.md, section 7."""

from collections.abc import Sequence

from bigchaindb.api import arguments
from bigchaindb.api.answers import Reply
from bigchaindb.api.call import Call, Context
from bigchaindb.transaction.model import OutputRef


async def listing(context: Context, call: Call) -> Reply:
    """List the outputs of a key in commit order; pending transactions do not count."""
    given = call.arguments
    public_key = arguments.required(given, "public_key", arguments.public_key)
    spent = arguments.optional(given, "spent", arguments.boolean)
    arguments.refuse_unknown(given, "public_key", "spent")
    queries = context.queries
    return await context.reads.listing(lambda: queries.outputs(public_key, spent=spent), _rendered)


def _rendered(piece: Sequence[OutputRef]) -> bytes:
    return ",".join(f'{{"output_index":{index},"transaction_id":"{id_}"}}' for id_, index in piece).encode()
