"""`/api/v1/votes`: this node's own v1 vote on a block.

Source: http-api.md, section 10; blocks-and-votes.md, section 6.
"""

from typing import Final

from bigchaindb.api import examples
from bigchaindb.api.answers import Answer, Reply
from bigchaindb.api.arguments import Argument, Unknown, text
from bigchaindb.api.call import Call, Context
from bigchaindb.api.route import Route
from bigchaindb.api.schemas import TEXT, array, ref
from bigchaindb.config.access import READ

BLOCK_ID: Final = Argument[str](name="block_id", take=text, schema=TEXT, is_required=True, example=examples.BLOCK_ID)


async def listing(context: Context, call: Call) -> Reply:
    """List this node's vote on a block: one, or none for an unknown block. Votes of other nodes are left out."""
    vote = await context.reads.run(context.queries.vote, BLOCK_ID.of(call))
    return Answer(200, b"[%b]\n" % (vote or b""))


ROUTES: Final = (
    Route(
        "GET",
        "/api/v1/votes",
        listing,
        READ,
        id="listVotes",
        tag="blocks",
        summary="This node's vote on a block, if it has one",
        answer=array(ref("Vote")),
        arguments=(BLOCK_ID,),
        unknown=Unknown.REFUSED,
        errors=(400,),
    ),
)
