"""`/api/v1/votes`: this node's own v1 vote on a block.

Source: http-api.md, section 10; blocks-and-votes.md, section 6.
"""

from bigchaindb.api import arguments
from bigchaindb.api.answers import Answer, Reply
from bigchaindb.api.call import Call, Context


async def listing(context: Context, call: Call) -> Reply:
    """List this node's vote on a block: one, or none for an unknown block. Votes of other nodes are left out."""
    block_id = arguments.required(call.arguments, "block_id", arguments.text)
    arguments.refuse_unknown(call.arguments, "block_id")
    vote = await context.reads.run(context.queries.vote, block_id)
    return Answer(200, b"[%b]\n" % (vote or b""))
