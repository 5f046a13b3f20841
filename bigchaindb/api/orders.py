"""A person's orders to lanes over HTTP, and what lanes have parked: of plugins and of subscriptions alike.

Source: docs/reference/subscriptions.md.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, TypeVar

import msgspec

from bigchaindb.access import audit
from bigchaindb.api import arguments
from bigchaindb.api.answers import Reply, json_answer
from bigchaindb.api.call import Call, Context, Handler
from bigchaindb.api.events import LIMIT, limit_of
from bigchaindb.api.plugins import document, lane_of, operates, scopes_of
from bigchaindb.api.problems import Problem, argument_error, plain
from bigchaindb.api.route import Route, Scope
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


def routes(path: str, scopes: Scope) -> Iterator[Route[Handler]]:
    """Yield the routes of all orders below a path."""
    yield Route(f"{path}/{{name}}/parked", parked, scopes)
    for name, read in _ORDERS.items():
        yield Route(f"{path}/{{name}}/{name}", None, None, partial(_order, name, read), scopes)


def scopes(context: Context, name: str) -> Sequence[str]:
    """Return the scopes for orders by any name: to a plugin those of who operates the node."""
    return scopes_of(name) if name in context.lanes.subscriptions else [OPERATE]


async def parked(context: Context, call: Call) -> Reply:
    """Answer with the parked events behind a number, ascending."""
    given = call.arguments
    arguments.refuse_unknown(given, "after", "limit", advice="; use after, limit")
    numbering = lane_of(context, call.parameter).numbering
    after = 0
    if text := given.get("after"):
        try:
            after = numbering.read(text)
        except UnknownPlace as error:
            raise argument_error({"after": str(error)}) from None
    limit = arguments.optional(given, "limit", lambda text: limit_of(text, PARKED_COUNT)) or LIMIT
    found = await context.lanes.parked(call.parameter, after, limit)
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
            "next": numbering.text(found[-1].position) if len(found) == limit else None,
        }
    )


def ordered(call: Call, order: str, status: str) -> None:
    """Write the audit line of an order: who gave it, and to which lane."""
    who = "anonymous" if call.principal is None else call.principal.who
    audit.ordered(who, order, **{status: call.parameter})


async def body_of(call: Call) -> bytes:
    """Return the body of a request about a lane.

    Raises:
        Problem: it is longer than any that has a meaning.
    """
    if len(body := await call.body()) > BODY_BYTES_MAX:
        raise Problem(plain(413, f"the body has {len(body)} bytes, at most {BODY_BYTES_MAX} are read"))
    return body


async def _order(name: str, read: Callable[[bytes, LaneStatus], Order], context: Context, call: Call) -> Reply:
    arguments.refuse_unknown(call.arguments)
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


_ORDERS: Final[dict[str, Callable[[bytes, LaneStatus], Order]]] = {
    "pause": partial(_bare, Pause),
    "resume": partial(_bare, Resume),
    "restart": partial(_bare, Restart),
    "seek": _seek,
    "retry": _retry,
    "discard": _discard,
}
