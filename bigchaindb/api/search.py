"""`/api/v1/assets` and `/api/v1/metadata`: full-text search. Source: http-api.md, section 8."""

from typing import Final

from bigchaindb.api.answers import Reply
from bigchaindb.api.arguments import Argument, Unknown, not_negative, text
from bigchaindb.api.call import Call, Context, Handler
from bigchaindb.api.problems import plain
from bigchaindb.api.route import Route
from bigchaindb.api.schemas import COUNT, TEXT, array, ref
from bigchaindb.config.access import READ
from bigchaindb.store.lists import Table

LIMIT_MAX: Final = 2**31 - 1
"""A larger limit has the effect of this one: no answer has as many rows."""
SEARCH: Final = Argument[str](
    name="search",
    take=text,
    schema=TEXT,
    is_required=True,
    description='Words; `"a phrase"` must occur, `-word` must not.',
    example="bicycle",
)
LIMIT: Final = Argument[int](
    name="limit", take=not_negative, schema=COUNT, default=0, description="Most results; 0 returns all."
)


async def assets(context: Context, call: Call) -> Reply:
    """List the assets that match, best first."""
    return await _search(context, call, "assets")


async def metadata(context: Context, call: Call) -> Reply:
    """List the metadata that match, best first."""
    return await _search(context, call, "metadata")


async def _search(context: Context, call: Call, table: Table) -> Reply:
    if not (words := SEARCH.of(call)):
        return plain(400, "text_search cannot be empty")
    return await context.reads.search(context.queries.search(table, words, min(LIMIT.of(call), LIMIT_MAX)))


def _route(table: Table, handler: Handler, row: str) -> Route:
    return Route(
        "GET",
        f"/api/v1/{table}",
        handler,
        READ,
        id=f"search{table.capitalize()}",
        tag="assets",
        summary=f"Full-text search in {table}, best match first",
        answer=array(ref(row)),
        arguments=(SEARCH, LIMIT),
        unknown=Unknown.IGNORED,
        errors=(400,),
    )


ROUTES: Final = (_route("assets", assets, "Asset"), _route("metadata", metadata, "Metadata"))
