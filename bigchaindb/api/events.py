"""`/api/v1/events`: the event log, page by page or as a stream without end. Source: docs/reference/http-events.md."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from bigchaindb.api.answers import VARY_ACCEPT, Answer, Reply
from bigchaindb.api.arguments import Argument, Asked, choice, converted, limit, rows_of_page, text
from bigchaindb.api.call import Call, Context, Handler
from bigchaindb.api.problems import argument_error
from bigchaindb.api.route import Route
from bigchaindb.api.schemas import BOOLEAN, COUNT, HEX_64, KEY, TEXT, Schema, json_of, record, ref
from bigchaindb.config.access import READ
from bigchaindb.errors import MalformedSelection, MalformedToken
from bigchaindb.eventlog import selection
from bigchaindb.eventlog.members import DATA, METADATA
from bigchaindb.events import EventTypes
from bigchaindb.reader.frames import NOW, EventPage, Page, page_of
from bigchaindb.reader.newest import Places, read_newest_rejected
from bigchaindb.streams.cloud_events import Choice, expect_token, read_page
from bigchaindb.streams.sse import EventStreams

PAGES: Final[Schema] = {"anyOf": [ref("EventPage"), ref("NewestEventPage")]}
STREAM_TYPE: Final = "text/event-stream"
_TYPES: Final[dict[str, int]] = {"valid": EventTypes.BLOCK_VALID, "invalid": EventTypes.BLOCK_INVALID}
AFTER: Final = Argument[str | None](
    name="after",
    take=text,
    schema=TEXT,
    description="A token: `next` of a page, an SSE id, or the close reason of the WebSocket stream.",
)
BEFORE: Final = Argument[str | None](
    name="before",
    take=lambda text: text if text == NOW else _token(text),
    schema=TEXT,
    description="A token or `now`: the newest events before it, newest first, as NewestEventPage. Pages alone take it.",
)
LIMIT: Final = limit(rows_of_page, what="Most events of a page.")
TYPE: Final = choice("type", _TYPES)
GRANULARITY: Final = choice("granularity", {"block": False, "transaction": True}, default=False)
DETAIL: Final = choice(
    "detail", {"full": False, "summary": True}, default=False, description="`summary`: each event in short."
)


def _begins(beginning: str, name: str) -> bool:
    return name.startswith(beginning)


_COMPARED: Final = "behind the path may stand `[gt]`, `[gte]`, `[lt]`, `[lte]`, `[ne]` or `[exists]`."
FILTERS: Final[tuple[Argument[object], ...]] = (  # whose values the selection parses
    Argument[str](name="operation", take=text, schema={"enum": ["CREATE", "TRANSFER"]}),
    Argument[str](name="asset", take=text, schema=HEX_64),
    Argument[str](
        name="owner",
        take=text,
        schema=KEY,
        description="Among an output's `public_keys` or an input's `owners_before`.",
    ),
    *(
        Argument[str](
            name=f"{beginning}<path>",
            take=text,
            schema={"type": "object", "patternProperties": {f"^{beginning[:-1]}\\.": TEXT}},
            description=f"`{beginning}<path>=<value>`: a value in {where} of one transaction; {_COMPARED}",
            matches=partial(_begins, beginning),
        )
        for beginning, where in ((METADATA, "the metadata"), (DATA, "the asset's data"))
    ),
)
ARGUMENTS: Final = (AFTER, LIMIT, TYPE, GRANULARITY, DETAIL, *FILTERS)


async def get(context: Context, call: Call) -> Reply:
    """Answer with a page, or with a stream if the client accepts one."""
    choice, before = choice_of(call), BEFORE.of(call)

    async def read(after: str | None, head: int, count_max: int) -> Page:
        return await _read(context, call, choice, (after, before, head), count_max)

    return await page_or_stream(call, choice, context.streams, read)


async def count(context: Context, call: Call) -> Reply:
    """Answer with how many events there are, down to where the scan has come."""
    places = AFTER.of(call), BEFORE.of(call) or NOW, context.streams.head
    return Answer(200, (await _read(context, call, choice_of(call), places, 0)).body)


async def _read(
    context: Context, call: Call, choice: Choice, places: tuple[str | None, str | None, int], count_max: int
) -> Page:
    """Read a page of the log between two places and its head; a page of no events counts them."""
    given, (after, before, head) = call.arguments, places
    history = None
    if before is not None:
        if after is not None:
            converted("after", after, _token)
        if choice.selection is not None:
            known = None if before == NOW else before
            history = await context.reads.run(context.queries.history_for, choice.selection, known, head)
    return await context.reads.page(
        EventPage(
            members={name: value for name, value in given.items() if selection.is_member(name)},
            types=choice.types,
            each_transaction=choice.each_transaction,
            is_summary=choice.is_summary,
            after=after,
            before=before,
            history=history,
            is_count=count_max == 0,
            head=head,
            count_max=count_max,
            bytes_max=context.limits.event_page_bytes_max,
        )
    )


def _token(text: str) -> str:
    try:
        expect_token(text)
    except MalformedToken as error:
        raise ValueError(str(error)) from None
    return text


async def get_rejected(context: Context, call: Call) -> Reply:
    """Answer as `get` does, from the node's log of rejected transactions."""
    choice, rejected, before = choice_of(call), context.rejected, BEFORE.of(call)
    run, log, name = context.reads.run, rejected.log, rejected.name

    async def read(after: str | None, head: int, count_max: int) -> Page:
        bounds = {"count_max": count_max, "bytes_max": context.limits.event_page_bytes_max}
        if before is not None:
            places = Places(after, before, head)
            return await run(read_newest_rejected, log, name, choice.selection, places, **bounds)
        return page_of(await run(read_page, log, name, choice, after, head, beginning=-1, **bounds), head)

    return await page_or_stream(call, choice, rejected.streams, read)


async def page_or_stream(
    call: Call,
    choice: Choice,
    streams: EventStreams,
    read: Callable[[str | None, int, int], Awaitable[Page]],
) -> Reply:
    """Answer with a page of a log, or with a stream if the client accepts one.

    Args:
        call: of the client.
        choice: its arguments.
        streams: of the log.
        read: returns a page behind a token or the beginning, up to a head, with so many events at most.
    """
    if accepts_stream(call.accept):
        if BEFORE.of(call) is not None:
            advice = "read a page with it, and follow from the page's `live` with after"
            raise argument_error({"before": f"A stream begins at a place and has no end; {advice}"})
        return await _stream(streams, choice, call)
    try:
        page = await read(AFTER.of(call), streams.head, LIMIT.of(call))
    except MalformedToken as error:
        raise argument_error({"after": str(error)}) from None
    return Answer(200, page.body, VARY_ACCEPT)


async def _stream(streams: EventStreams, choice: Choice, call: Call) -> Reply:
    # A browser that reconnects requests the same address again, with its present place in the header.
    name = "Last-Event-ID" if call.last_event_id else "after"
    after = call.last_event_id or AFTER.of(call)
    try:
        return await streams.open(choice, after)
    except MalformedToken as error:
        raise argument_error({name: str(error)}) from None


def choice_of(asked: Asked) -> Choice:
    """Return the events that the arguments ask for.

    Raises:
        Problem: they contradict one another, or a filter is wrong.
    """
    types, each_transaction = TYPE.of(asked) or EventTypes.ALL, GRANULARITY.of(asked)
    if each_transaction and types == EventTypes.BLOCK_INVALID:
        raise argument_error({"type": "Invalid blocks have no transactions; omit it or use granularity=block"})
    try:
        selected = selection.from_query(asked.arguments)
    except MalformedSelection as error:
        raise argument_error(str(error)) from None
    types = EventTypes.BLOCK_VALID if each_transaction else types
    return Choice(selected, types, each_transaction, DETAIL.of(asked))


def accepts_stream(accept: str) -> bool:
    """Whether a value of `Accept` names the stream's type."""
    return any(part.partition(";")[0].strip().lower() == STREAM_TYPE for part in accept.split(","))


def _route(path: str, handler: Handler, id_: str, summary: str, *arguments: Argument[object]) -> Route:
    page = {"description": "OK", "content": {**json_of(PAGES), "text/event-stream": {"schema": TEXT}}}
    last = "Token after which a stream continues; takes precedence over `after`."
    return Route(
        "GET",
        path,
        handler,
        READ,
        id=id_,
        tag="events",
        summary=f"{summary} in order: a page, or with `Accept: text/event-stream` a stream without end",
        answer=PAGES,
        arguments=(AFTER, LIMIT, BEFORE, *arguments, *FILTERS),
        headers=({"name": "Last-Event-ID", "in": "header", "schema": TEXT, "description": last},),
        errors=(400, 410),
        responses={"200": page},
    )


ROUTES: Final = (
    _route(
        "/api/v1/events",
        get,
        "listEvents",
        "Events of the ledger",
        *(TYPE, GRANULARITY, DETAIL),
    ),
    Route(
        "GET",
        "/api/v1/events/count",
        count,
        READ,
        id="countEvents",
        tag="events",
        summary="How many events match, from the newest back to where a scan of `limits.scan_ms_max` has come",
        description="Unless `end` is true, ask on with `next` as `before`, and add up.",
        answer=record({"count": COUNT, "end": BOOLEAN, "next": TEXT}),
        arguments=(AFTER, BEFORE, TYPE, GRANULARITY, *FILTERS),
        errors=(400, 410),
    ),
    _route("/api/v1/rejected", get_rejected, "listRejected", "Transactions that this node accepted and rejected later"),
)
