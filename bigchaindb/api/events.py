"""`/api/v1/events`: the event log, page by page or as a stream without end. Source: docs/reference/http-events.md."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from bigchaindb.api import arguments
from bigchaindb.api.answers import VARY_ACCEPT, Answer, Reply
from bigchaindb.api.arguments import Arguments
from bigchaindb.api.call import Call, Context
from bigchaindb.api.problems import argument_error
from bigchaindb.errors import MalformedSelection, MalformedToken
from bigchaindb.eventlog import selection
from bigchaindb.events import EventTypes
from bigchaindb.reader.frames import EventPage, Page, page_of
from bigchaindb.streams.cloud_events import Choice, read_page
from bigchaindb.streams.sse import EventStreams

STREAM_TYPE: Final = "text/event-stream"
LIMIT: Final = 100
"""CloudEvents of a page unless a client asks for more or fewer."""
_OWN: Final = ("after", "limit", "type", "granularity")
_MEMBERS: Final = ("operation", "asset", "owner", f"{selection.METADATA}<path>")
_TYPES: Final = {"valid": EventTypes.BLOCK_VALID, "invalid": EventTypes.BLOCK_INVALID}


async def get(context: Context, call: Call) -> Reply:
    """Answer with a page, or with a stream if the client accepts one."""
    given = call.arguments
    choice = choice_of(given, _OWN)

    async def read(after: str | None, head: int, count_max: int) -> Page:
        return await context.reads.page(
            EventPage(
                members={name: value for name, value in given.items() if selection.is_member(name)},
                types=choice.types,
                each_transaction=choice.each_transaction,
                after=after,
                head=head,
                count_max=count_max,
                bytes_max=context.limits.event_page_bytes_max,
            )
        )

    return await page_or_stream(context, call, choice, context.streams, read)


async def get_rejected(context: Context, call: Call) -> Reply:
    """Answer as `get` does, from the node's log of rejected transactions."""
    choice, rejected = choice_of(call.arguments, _OWN[:2]), context.rejected

    async def read(after: str | None, head: int, count_max: int) -> Page:
        bounds = {"beginning": -1, "count_max": count_max, "bytes_max": context.limits.event_page_bytes_max}
        piece = await context.reads.run(read_page, rejected.log, rejected.name, choice, after, head, **bounds)
        return page_of(piece, head)

    return await page_or_stream(context, call, choice, rejected.streams, read)


async def page_or_stream(
    context: Context,
    call: Call,
    choice: Choice,
    streams: EventStreams,
    read: Callable[[str | None, int, int], Awaitable[Page]],
) -> Reply:
    """Answer with a page of a log, or with a stream if the client accepts one.

    Args:
        context: has the limits.
        call: of the client.
        choice: its arguments.
        streams: of the log.
        read: returns a page behind a token or the beginning, up to a head, with so many events at most.
    """
    given = call.arguments
    limit = arguments.optional(given, "limit", lambda text: limit_of(text, context.limits.page_count_max)) or LIMIT
    if accepts_stream(call.accept):
        return await _stream(streams, choice, call)
    try:
        page = await read(given.get("after"), streams.head, limit)
    except MalformedToken as error:
        raise argument_error({"after": str(error)}) from None
    return Answer(200, page.body, VARY_ACCEPT)


async def _stream(streams: EventStreams, choice: Choice, call: Call) -> Reply:
    # A browser that reconnects requests the same address again, with its present place in the header.
    name = "Last-Event-ID" if call.last_event_id else "after"
    after = call.last_event_id or call.arguments.get("after")
    try:
        return await streams.open(choice, after)
    except MalformedToken as error:
        raise argument_error({name: str(error)}) from None


def choice_of(given: Arguments, own: Sequence[str] = _OWN) -> Choice:
    """Return the events that the arguments ask for.

    Args:
        given: by the client.
        own: names of the arguments that may stand beside the filters.

    Raises:
        Problem: an argument is unknown or wrong.
    """
    members = filter(selection.is_member, given)
    arguments.refuse_unknown(given, *own, *members, advice=f"; use {', '.join((*own, *_MEMBERS))}")
    types = arguments.optional(given, "type", _type) or EventTypes.ALL
    each_transaction = arguments.optional(given, "granularity", _is_each_transaction) or False
    if each_transaction and types == EventTypes.BLOCK_INVALID:
        raise argument_error({"type": "Invalid blocks have no transactions; omit it or use granularity=block"})
    try:
        selected = selection.from_query(given)
    except MalformedSelection as error:
        raise argument_error(str(error)) from None
    return Choice(selected, EventTypes.BLOCK_VALID if each_transaction else types, each_transaction)


def accepts_stream(accept: str) -> bool:
    """Whether a value of `Accept` names the stream's type."""
    return any(part.partition(";")[0].strip().lower() == STREAM_TYPE for part in accept.split(","))


def limit_of(text: str, most: int) -> int:
    """Take an integer from 1 to `most`."""
    number = arguments.limit(text)
    if not 1 <= number <= most:
        raise ValueError(f"must be from 1 to {most}, not '{number}'")
    return number


def _type(text: str) -> int:
    if text not in _TYPES:
        raise ValueError('Type must be "valid" or "invalid"')
    return _TYPES[text]


def _is_each_transaction(text: str) -> bool:
    if text not in {"block", "transaction"}:
        raise ValueError('Granularity must be "block" or "transaction"')
    return text == "transaction"
