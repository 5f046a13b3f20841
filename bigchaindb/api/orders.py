"""A person's orders to lanes over HTTP, and what lanes have parked: of plugins and of subscriptions alike.

Source: docs/reference/subscriptions.md.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple, TypeVar

import msgspec

from bigchaindb.access import audit
from bigchaindb.api.answers import Reply, json_answer
from bigchaindb.api.arguments import Argument, limit, text
from bigchaindb.api.call import Call, Context
from bigchaindb.api.plugins import NAME, document, lane_of, operates, scopes_of
from bigchaindb.api.problems import Problem, argument_error, plain
from bigchaindb.api.route import Route, Scope
from bigchaindb.api.schemas import TEXT, Schema, array, record, ref
from bigchaindb.config.access import OPERATE
from bigchaindb.errors import UnknownPlace
from bigchaindb.eventlog import place
from bigchaindb.eventlog.orders import POSITION_COUNT_MAX, Discard, Order, Pause, Restart, Resume, Retry, Seek
from bigchaindb.eventlog.subscription import DEFINITION_BYTES_MAX
from bigchaindb.masking import masked_text
from bigchaindb.store.node_db import PARKED_COUNT
from bigchaindb.subscribers.lane_status import LaneStatus

BODY_BYTES_MAX: Final = 4 * DEFINITION_BYTES_MAX
"""Of an order, and of a definition as it is sent, with blanks and escapes: parsing more would hold the loop."""

T = TypeVar("T")


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of an order that needs none."""


class Where(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a seek."""

    place: str


class Which(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a retry: without positions all that are parked; and of a discard."""

    positions: list[int | str] | None = None


class _Kind(NamedTuple):
    """A kind of order: what it does, what reads its body, and how that is described."""

    summary: str
    read: Callable[[bytes, LaneStatus], Order]
    body: Schema | None = None
    example: object = None


AFTER: Final = Argument[str](
    name="after", take=text, schema=TEXT, default="", description="Only events behind this position."
)
LIMIT: Final = limit(lambda _: PARKED_COUNT)


def routes(path: str, scope: Scope, of: str) -> Iterator[Route]:
    """Yield the routes of all orders below a path."""
    yield Route(
        "GET",
        f"{path}/{{name}}/parked",
        parked,
        scope,
        id=f"listParkedOf{of}",
        tag="delivery",
        summary=f"Parked events of a {of.lower()}",
        answer=ref("ParkedPage"),
        parameter=NAME,
        arguments=(AFTER, LIMIT),
        errors=(400, 404),
    )
    for name, order in _ORDERS.items():
        yield Route(
            "POST",
            f"{path}/{{name}}/{name}",
            partial(_order, name, order.read),
            scope,
            id=f"{name}{of}",
            tag="delivery",
            summary=order.summary,
            answer=ref("Plugin"),
            parameter=NAME,
            body=order.body,
            body_example=order.example,
            errors=(400, 404, 409, 410, 413),
        )


def _scopes(context: Context, name: str) -> Sequence[str]:
    return scopes_of(name) if name in context.lanes.subscriptions else [OPERATE]


BY_NAME: Final = Scope("operate; for a subscription subscribe:NAME too", _scopes)
"""For orders by any name: to a plugin the scope of who operates the node."""


async def parked(context: Context, call: Call) -> Reply:
    """Answer with the parked events behind a number, ascending."""
    numbering = lane_of(context, call.parameter).numbering
    after = 0
    if behind := AFTER.of(call):
        try:
            after = numbering.read(behind)
        except UnknownPlace as error:
            raise argument_error({"after": str(error)}) from None
    found = await context.lanes.parked(call.parameter, after, most := LIMIT.of(call))
    return json_answer(
        {
            "parked": [
                {
                    "position": numbering.text(row.position),
                    "attempts": row.attempts,
                    "error": masked_text(row.error),
                    "parked_at": row.parked_at,
                    "returns": row.returns_in is not None,
                }
                for row in found
            ],
            "next": numbering.text(found[-1].position) if len(found) == most else None,
        }
    )


def ordered(call: Call, order: str, status: str) -> None:
    """Write the audit line of an order: who gave it, and to which lane."""
    who = "anonymous" if call.principal is None else call.principal.who
    audit.ordered(who, order, **{status: call.parameter})


async def body_of(call: Call, bytes_max: int = BODY_BYTES_MAX) -> bytes:
    """Return the body of a request about a lane.

    Raises:
        Problem: it is longer than any that has a meaning.
    """
    if len(body := await call.body()) > bytes_max:
        raise Problem(plain(413, f"the body has {len(body)} bytes, at most {bytes_max} are read"))
    return body


async def _order(name: str, read: Callable[[bytes, LaneStatus], Order], context: Context, call: Call) -> Reply:
    status = lane_of(context, call.parameter)
    order = read(await body_of(call), status)
    ordered(call, name, status.kind)
    return json_answer(document(await context.lanes.order(call.parameter, order), operates=operates(call)))


def _bare(order: Callable[[], Order], body: bytes, _: LaneStatus) -> Order:
    _body(body, Nothing, "none")
    return order()


def _seek(body: bytes, _: LaneStatus) -> Order:
    where = _body(body, Where, '{"place": "genesis"}').place
    place.parse(where)
    return Seek(where)


def _retry(body: bytes, status: LaneStatus) -> Order:
    found = _body(body, Which, '{"positions": ["41"]}, or none for all').positions
    return Retry(None if found is None else _numbers(found, status))


def _discard(body: bytes, status: LaneStatus) -> Order:
    found = _body(body, Which, (form := '{"positions": ["41"]}')).positions
    if found is None:
        raise _malformed("positions: missing", form)
    return Discard(_numbers(found, status))


def _numbers(positions: Sequence[int | str], status: LaneStatus) -> tuple[int, ...]:
    if not 1 <= len(positions) <= POSITION_COUNT_MAX:
        raise Problem(plain(400, f"positions: must be 1 to {POSITION_COUNT_MAX}, found {len(positions)}"))
    return tuple(status.numbering.read(str(one)) for one in positions)


def _body(body: bytes, kind: type[T], form: str) -> T:
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _malformed(str(error), form) from None


def _malformed(why: str, form: str) -> Problem:
    return Problem(plain(400, f"the body of this order must be {form}: {why}"))


_POSITIONS: Final = record({}, {"positions": array(TEXT)})
_ORDERS: Final = {
    "pause": _Kind("Deliver nothing further", partial(_bare, Pause)),
    "resume": _Kind("Go on now: after a pause, or without waiting for the next attempt", partial(_bare, Resume)),
    "restart": _Kind("Take back what is out, and go on", partial(_bare, Restart)),
    "seek": _Kind("Go on at a place of the log", _seek, record({"place": TEXT}), {"place": "now"}),
    "retry": _Kind("Deliver parked events again; without positions the first 1,000", _retry, _POSITIONS),
    "discard": _Kind("Never deliver these events again", _discard, _POSITIONS, {"positions": ["1"]}),
}
