"""`/api/v1/outputs`: the outputs of a key. Source: http-api.md, section 7."""

from typing import Final

from bigchaindb.api import examples
from bigchaindb.api.answers import Reply
from bigchaindb.api.arguments import Argument, Unknown, boolean, public_key
from bigchaindb.api.call import Call, Context
from bigchaindb.api.route import Route
from bigchaindb.api.schemas import BOOLEAN, KEY, array, ref
from bigchaindb.config.access import READ

PUBLIC_KEY: Final = Argument[str](
    name="public_key", take=public_key, schema=KEY, is_required=True, example=examples.PUBLIC_KEY
)
SPENT: Final = Argument[bool | None](
    name="spent", take=boolean, schema=BOOLEAN, description="Return only spent outputs, or only unspent ones."
)


async def listing(context: Context, call: Call) -> Reply:
    """List the outputs of a key in commit order; pending transactions do not count."""
    key, spent, queries = PUBLIC_KEY.of(call), SPENT.of(call), context.queries
    return await context.reads.listing(lambda: queries.outputs(key, spent=spent))


ROUTES: Final = (
    Route(
        "GET",
        "/api/v1/outputs",
        listing,
        READ,
        id="listOutputs",
        tag="transactions",
        summary="Outputs of a key, in commit order",
        answer=array(ref("OutputReference")),
        arguments=(PUBLIC_KEY, SPENT),
        unknown=Unknown.REFUSED,
        errors=(400,),
    ),
)
