"""The table of routes, and the choice of a handler by method and path. Pure but for the handlers' own work.

The project has a table of its own because the contract's rules (one trailing slash, `Allow`, JSON for errors) differ
from those of every router, and because a look-up in a dict costs 0.2 µs.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from http import HTTPStatus
from itertools import groupby
from typing import Final
from urllib.parse import unquote

from bigchaindb.access.gate import Denial, Visitor
from bigchaindb.api import (
    access,
    blocks,
    elections,
    event,
    event_sockets,
    events,
    finding,
    holdings,
    info,
    node,
    openapi,
    orders,
    outputs,
    page,
    plugins,
    proofs,
    search,
    statuses,
    subscriptions,
    transactions,
    validators,
    votes,
)
from bigchaindb.api.answers import Answer, Reply, json_answer
from bigchaindb.api.call import Call, Context
from bigchaindb.api.problems import INTERNAL_ERROR, answer_for, not_found, plain
from bigchaindb.api.route import Resource, Route, by_method, chosen
from bigchaindb.api.schemas import OBJECT
from bigchaindb.config.access import READ
from bigchaindb.errors import BigchainDBError, forget_frames
from bigchaindb.streams.sse import EventStream
from bigchaindb.streams.websocket import PATH as STREAM_PATH

logger = logging.getLogger(__name__)


async def _openapi(_: Context, __: Call) -> Reply:
    return _description()


@cache
def _description() -> Answer:
    return json_answer(openapi.document(ROUTES))


ROUTES: Final[tuple[Route, ...]] = (
    *info.ROUTES,
    *transactions.ROUTES,
    *outputs.ROUTES,
    *statuses.ROUTES,
    *blocks.ROUTES,
    *votes.ROUTES,
    *search.ROUTES,
    *events.ROUTES,
    *event.ROUTES,
    *event_sockets.ROUTES,
    *proofs.ROUTES,
    *validators.ROUTES,
    *elections.ROUTES,
    *holdings.ROUTES,
    *finding.ROUTES,
    *node.ROUTES,
    *plugins.ROUTES,
    *orders.routes("/api/v1/plugins", orders.BY_NAME, "Plugin"),
    *subscriptions.ROUTES,
    *access.ROUTES,
    Route(
        "GET",
        "/api/v1/openapi.json",
        _openapi,
        READ,
        id="getDescription",
        tag="node",
        summary="This description",
        answer=OBJECT,
    ),
)
"""A parameter is the last segment, or the last but one."""
RESOURCES: Final[Mapping[str, Resource]] = {
    path: Resource(path, by_method((route.method, route) for route in routes))
    for path, routes in groupby(sorted(ROUTES, key=lambda route: route.path), key=lambda route: route.path)
}
EXACT: Final[Mapping[str, Resource]] = {
    path.removesuffix("/"): resource for path, resource in RESOURCES.items() if "{" not in path
}
PARENTS: Final[Mapping[str, Resource]] = {
    path.rpartition("/")[0]: resource for path, resource in RESOURCES.items() if path[-1] == "}"
}
NESTED: Final[Mapping[tuple[str, str], Resource]] = {
    (path.partition("/{")[0], path.rpartition("/")[2]): resource for path, resource in RESOURCES.items() if "}/" in path
}
"""By the parts of the path before and behind the parameter."""

_NEAR_CHARACTERS_MAX: Final = 200
"""Of an unknown path; the longest route with an id in it is half as long."""


def find(path: str) -> tuple[Resource, str] | None:
    """Return the resource of a path and its parameter; one trailing slash is ignored."""
    if "%" in path:
        path = unquote(path, errors="replace")
    path = path.removesuffix("/")
    if (found := EXACT.get(path)) is not None:
        return found, ""
    parent, _, last = path.rpartition("/")
    if last and (found := PARENTS.get(parent)) is not None:
        return found, last
    above, _, parameter = parent.rpartition("/")
    if parameter and (found := NESTED.get((above, last))) is not None:
        return found, parameter
    return None


def near(path: str) -> str | None:
    """Return the route that a path names except for an `s`, letter case, a slash, the version or the prefix.

    One look-up, since strangers may request unknown paths as often as they like.
    """
    plain = _plainly(path)
    if (found := _NEAR.get(plain)) is not None:
        return found.path
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
    route = None if found is None else chosen(found[0].routes, method)
    scopes = route.scopes(context, found[1]) if found is not None and isinstance(route, Route) else ()
    principal = context.gate.admit(visitor, *scopes)
    if isinstance(principal, Denial):
        return plain(principal.status, principal.text, headers=principal.headers)
    if found is None or route is None:
        return not_found(context.node.stream_url(call.host) if _plainly(path) == _STREAM else near(path))
    if isinstance(route, Answer):
        return route
    reply = await guarded(route, context, call._replace(parameter=found[1], principal=principal, visitor=visitor))
    if isinstance(reply, EventStream):
        return replace(reply, watch=partial(context.gate.watch, principal))
    if isinstance(reply, Answer) and reply.status == HTTPStatus.FORBIDDEN:  # no writer signed what was posted
        context.gate.refuse(Denial(reply.status, reply.logged or ""), principal.who, visitor, *scopes)
    return reply


async def guarded(route: Route, context: Context, call: Call) -> Reply:
    """Parse the arguments and run the handler; an error of the tree has an answer, any other is a defect of the node.

    Raises:
        ConnectionError: the client is gone.
    """
    try:
        return await route.handler(context, route.parse(call, context))
    except BigchainDBError as error:
        answer = answer_for(error)
        forget_frames(error)
        return answer
    except ConnectionError:
        raise
    except Exception:
        logger.exception("a request failed")
        return INTERNAL_ERROR


_NEAR: Final = {
    _plainly(path): found for path, found in RESOURCES.items() if path.startswith("/api/v1/") and "{" not in path
}
_PARENTS_NEAR: Final = {_plainly(parent): found for parent, found in PARENTS.items()}
_STREAM: Final = _plainly(STREAM_PATH)
