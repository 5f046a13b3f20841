"""The table of routes, and the choice of a handler by method and path. Pure but for the handlers' own work.

The project has a table of its own because the contract's rules (one trailing slash, `Allow`, JSON for errors) differ
from those of every router, and because a look-up in a dict costs 0.2 µs.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

from bigchaindb.access.gate import Denial, Visitor
from bigchaindb.api import (
    blocks,
    elections,
    event_sockets,
    events,
    info,
    openapi,
    orders,
    outputs,
    page,
    plugins,
    proofs,
    pulls,
    search,
    statuses,
    subscriptions,
    transactions,
    validators,
    votes,
)
from bigchaindb.api.answers import Answer, Reply, json_line
from bigchaindb.api.call import Call, Context, Handler
from bigchaindb.api.problems import INTERNAL_ERROR, answer_for, not_found, plain
from bigchaindb.api.route import H, Route, require_scopes
from bigchaindb.config.access import READ, WRITE
from bigchaindb.errors import BigchainDBError, forget_frames
from bigchaindb.streams.sse import EventStream
from bigchaindb.streams.websocket import PATH as STREAM_PATH

logger = logging.getLogger(__name__)

ROUTES: Final[tuple[Route[Handler], ...]] = require_scopes(
    Route("/", info.root, READ),
    Route("/api/v1", info.index, READ),
    Route("/api/v1/transactions", transactions.listing, READ, transactions.post, WRITE),
    Route("/api/v1/transactions/{id}", transactions.get, READ),
    Route("/api/v1/outputs", outputs.listing, READ),
    Route("/api/v1/blocks", blocks.listing, READ),
    Route("/api/v1/blocks/{height_or_id}", blocks.get, READ),
    Route("/api/v1/blocks/{height_or_id}/proof", proofs.of_block, READ),
    Route("/api/v1/assets", search.assets, READ),
    Route("/api/v1/metadata", search.metadata, READ),
    Route("/api/v1/validators", validators.listing, READ),
    Route("/api/v1/statuses", statuses.get, READ),
    Route("/api/v1/votes", votes.listing, READ),
    Route("/api/v1/events", events.get, READ),
    Route("/api/v1/events/{position}/proof", proofs.of_event, READ),
    Route("/api/v1/rejected", events.get_rejected, READ),
    Route("/api/v1/streams/events", event_sockets.get, READ),
    Route("/api/v1/elections", elections.listing, READ),
    Route("/api/v1/elections/{id}", elections.get, READ),
    Route("/api/v1/plugins", plugins.listing, READ),
    Route("/api/v1/plugins/{name}", plugins.get, plugins.scopes),
    *orders.routes("/api/v1/plugins", orders.scopes),
    Route("/api/v1/subscriptions", subscriptions.listing, READ),
    Route(
        "/api/v1/subscriptions/{name}",
        subscriptions.get,
        subscriptions.scopes,
        change_scope=subscriptions.scopes,
        put=subscriptions.put,
        delete=subscriptions.delete,
    ),
    Route("/api/v1/subscriptions/{name}/pull", None, None, pulls.post, pulls.scopes),
    *orders.routes("/api/v1/subscriptions", subscriptions.scopes),
    Route("/api/v1/openapi.json", openapi.get, READ),
)
"""A parameter is the last segment, or the last but one."""
EXACT: Final[Mapping[str, Route[Handler]]] = {
    route.path.removesuffix("/"): route for route in ROUTES if "{" not in route.path
}
PARENTS: Final[Mapping[str, Route[Handler]]] = {
    route.path.rpartition("/")[0]: route for route in ROUTES if route.path[-1] == "}"
}
NESTED: Final[Mapping[tuple[str, str], Route[Handler]]] = {
    (route.path.partition("/{")[0], route.path.rpartition("/")[2]): route for route in ROUTES if "}/" in route.path
}
"""By the parts of the path before and behind the parameter."""

_NEAR_CHARACTERS_MAX: Final = 200
"""Of an unknown path; the longest route with an id in it is half as long."""

METHOD_REFUSED: Final = json_line({"message": "The method is not allowed for the requested URL."})


def find(path: str) -> tuple[Route[Handler], str] | None:
    """Return the route of a path and its parameter; one trailing slash is ignored."""
    if "%" in path:
        path = unquote(path, errors="replace")
    path = path.removesuffix("/")
    if (route := EXACT.get(path)) is not None:
        return route, ""
    parent, _, last = path.rpartition("/")
    if last and (route := PARENTS.get(parent)) is not None:
        return route, last
    above, _, parameter = parent.rpartition("/")
    if parameter and (route := NESTED.get((above, last))) is not None:
        return route, parameter
    return None


def near(path: str) -> str | None:
    """Return the route that a path names except for an `s`, letter case, a slash, the version or the prefix.

    One look-up, since strangers may request unknown paths as often as they like.
    """
    plain = _plainly(path)
    if (route := _NEAR.get(plain)) is not None:
        return route.path
    above = _PARENTS_NEAR.get(plain.rpartition("/")[0])
    return None if above is None else above.path


def _plainly(path: str) -> str:
    """Return a path in the form in which misspelt paths are compared."""
    segments = [segment.removesuffix("s") for segment in path[:_NEAR_CHARACTERS_MAX].lower().split("/") if segment]
    return "/".join(segments[2:] if segments[:1] == ["api"] and segments[1:2] != [] else segments)


async def reply_to(context: Context, method: str, path: str, call: Call, visitor: Visitor) -> Reply:
    """Answer a request, if its visitor may send it; every error becomes an answer too.

    Raises:
        ConnectionError: the client is gone.
    """
    found = page.find(context.page, path, call.accept) or find(path)
    scopes = () if found is None else found[0].scopes(method, context, found[1])
    principal = context.gate.admit(visitor, *scopes)
    if isinstance(principal, Denial):
        return plain(principal.status, principal.text, headers=principal.headers)
    if found is None:
        return not_found(context.node.stream_url(call.host) if _plainly(path) == _STREAM else near(path))
    route, parameter = found
    handler = handler_of(route, method)
    if isinstance(handler, Answer):
        return handler
    reply = await guarded(handler, context, call._replace(parameter=parameter, principal=principal))
    if isinstance(reply, EventStream):
        return replace(reply, watch=partial(context.gate.watch, principal))
    if isinstance(reply, Answer) and reply.status == HTTPStatus.FORBIDDEN:  # no writer signed what was posted
        context.gate.refuse(Denial(reply.status, reply.logged or ""), principal.who, visitor, *scopes)
    return reply


def handler_of(route: Route[H], method: str) -> H | Answer:
    """Return the handler of a route for a method, or the answer to a method without one."""
    if (found := route.handlers.get(method)) is not None:
        return found
    return Answer(200, headers=_allow(route)) if method == "OPTIONS" else Answer(405, METHOD_REFUSED, _allow(route))


async def guarded(handler: Handler, context: Context, call: Call) -> Reply:
    """Run a handler; an error of the tree has an answer of its own, any other is a defect of the node.

    Raises:
        ConnectionError: the client is gone.
    """
    try:
        return await handler(context, call)
    except BigchainDBError as error:
        answer = answer_for(error)
        forget_frames(error)
        return answer
    except ConnectionError:
        raise
    except Exception:
        logger.exception("a request failed")
        return INTERNAL_ERROR


def _allow(route: Route[H]) -> bytes:
    return b"Allow: %b\r\n" % route.allow.encode()


_NEAR: Final = {_plainly(route.path): route for route in EXACT.values() if route.path.startswith("/api/v1/")}
_PARENTS_NEAR: Final = {_plainly(parent): route for parent, route in PARENTS.items()}
_STREAM: Final = _plainly(STREAM_PATH)
