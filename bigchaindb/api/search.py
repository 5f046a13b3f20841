"""`/api/v1/assets` and `/api/v1/metadata`: full-text search. Source: http-api.md, section 8."""

from typing import Final

from bigchaindb.api import arguments
from bigchaindb.api.answers import Reply
from bigchaindb.api.call import Call, Context
from bigchaindb.api.problems import plain
from bigchaindb.store.lists import Table

LIMIT_MAX: Final = 2**31 - 1
"""A larger limit has the effect of this one: no answer has as many rows."""


async def assets(context: Context, call: Call) -> Reply:
    """List the assets that match, best first."""
    return await _search(context, call, "assets")


async def metadata(context: Context, call: Call) -> Reply:
    """List the metadata that match, best first."""
    return await _search(context, call, "metadata")


async def _search(context: Context, call: Call, table: Table) -> Reply:
    text = arguments.required(call.arguments, "search", arguments.text)
    limit = min(arguments.optional(call.arguments, "limit", arguments.limit) or 0, LIMIT_MAX)
    if not text:
        return plain(400, "text_search cannot be empty")
    return await context.reads.search(context.queries.search(table, text, limit))
