"""`/api/v1/events`: the event log, page by page or as a stream without end. Source: docs/reference/http-events.md."""

from typing import Final

from bigchaindb.api import arguments
from bigchaindb.api.answers import VARY_ACCEPT, Answer, Reply
from bigchaindb.api.arguments import Arguments
from bigchaindb.api.call import Call, Context
from bigchaindb.api.problems import argument_error
from bigchaindb.errors import MalformedSelection, MalformedToken
from bigchaindb.eventlog import selection
from bigchaindb.events import EventTypes
from bigchaindb.reader.frames import EventPage
from bigchaindb.streams.cloud_events import Choice

STREAM_TYPE: Final = "text/event-stream"
LIMIT: Final = 100
"""CloudEvents of a page unless a client asks for more or fewer."""
_OWN: Final = ("after", "limit", "type", "granularity")
_MEMBERS: Final = ("operation", "asset", "owner", f"{selection.METADATA}<path>")
_TYPES: Final = {"valid": EventTypes.BLOCK_VALID, "invalid": EventTypes.BLOCK_INVALID}


async def get(context: Context, call: Call) -> Reply:
    """Answer with a page, or with a stream if the client accepts one."""
    given = call.arguments
    choice = choice_of(given)
    limit = arguments.optional(given, "limit", lambda text: limit_of(text, context.limits.page_count_max)) or LIMIT
    if accepts_stream(call.accept):
        return await _stream(context, choice, call)
    try:
        head = context.streams.head
        page = await context.reads.page(
            EventPage(
                members={name: value for name, value in given.items() if selection.is_member(name)},
                types=choice.types,
                each_transaction=choice.each_transaction,
                after=given.get("after"),
                head=head,
                count_max=limit,
                bytes_max=context.limits.event_page_bytes_max,
            )
        )
    except MalformedToken as error:
        raise argument_error({"after": str(error)}) from None
    body = b'{"events":[%b],"head":%b,"next":"%b"}\n' % (
        page.envelopes,
        b"true" if page.position >= head else b"false",
        page.token.encode(),
    )
    return Answer(200, body, VARY_ACCEPT)


async def _stream(context: Context, choice: Choice, call: Call) -> Reply:
    # A browser that reconnects requests the same address again, with its present place in the header.
    name = "Last-Event-ID" if call.last_event_id else "after"
    after = call.last_event_id or call.arguments.get("after")
    try:
        return await context.streams.open(choice, after)
    except MalformedToken as error:
        raise argument_error({name: str(error)}) from None


def choice_of(given: Arguments) -> Choice:
    """Return the events that the arguments ask for.

    Raises:
        Problem: an argument is unknown or wrong.
    """
    members = filter(selection.is_member, given)
    arguments.refuse_unknown(given, *_OWN, *members, advice=f"; use {', '.join((*_OWN, *_MEMBERS))}")
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
