"""The WebSockets on the port of HTTP: which paths open one, and to whom. Belongs to the event loop."""

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import unquote

from bigchaindb.access.gate import Denial, Gate, Principal, Visitor
from bigchaindb.access.origins import Origins
from bigchaindb.api.answers import Answer
from bigchaindb.api.problems import answer_for, plain
from bigchaindb.errors import BigchainDBError, forget_frames
from bigchaindb.serving.connection import Connection
from bigchaindb.serving.request import Request
from bigchaindb.serving.websocket import is_upgrade, wrong_upgrade

FOREIGN: Final = "pages of this Origin may not open this WebSocket; the operator can add it to access.origins"


class Opening(NamedTuple):
    """A request to open a WebSocket that may be opened.

    Attributes:
        connection: to take over.
        request: of the upgrade.
        principal: who asks.
        parameter: the last segment of the path, where that is one.
        query: the query string as sent.
    """

    connection: Connection
    request: Request
    principal: Principal
    parameter: str
    query: str


class WebSocketRoute(NamedTuple):
    """A path that opens WebSockets.

    Attributes:
        path: whole, or up to the last slash where a parameter follows.
        scope: returns the scope that a parameter needs.
        open: opens a WebSocket, or returns why not; errors of the tree have their answer.
        stop: ends all of them; the node stops.
    """

    path: str
    scope: Callable[[str], str]
    open: Callable[[Opening], Awaitable[Answer | None]]
    stop: Callable[[], None]


class Upgrades:
    """Opens WebSockets for whoever may."""

    def __init__(self, gate: Gate, origins: Origins, routes: Sequence[WebSocketRoute]) -> None:
        self._gate = gate
        self._origins = origins
        self._routes = {route.path: route for route in routes}

    def find(self, request: Request, path: str) -> tuple[WebSocketRoute, str] | None:
        """Return the route of a request and its parameter; None: it is a request like any other."""
        if not is_upgrade(request):
            return None
        path = unquote(path, errors="replace").removesuffix("/")
        if (route := self._routes.get(path)) is not None:
            return route, ""
        above, _, last = path.rpartition("/")
        route = self._routes.get(f"{above}/") if last else None
        return None if route is None else (route, last)

    async def open(
        self, found: tuple[WebSocketRoute, str], connection: Connection, request: Request, visitor: Visitor, query: str
    ) -> Answer | None:
        """Open a WebSocket; return an answer if it cannot be."""
        route, parameter = found
        scope = route.scope(parameter)
        principal = self._gate.admit(visitor, scope)
        if isinstance(principal, Principal) and not self._origins.may_use(request.headers):
            principal = self._gate.refuse(Denial(HTTPStatus.FORBIDDEN, FOREIGN), principal.who, visitor, scope)
        refusal = principal if isinstance(principal, Denial) else wrong_upgrade(request)
        if refusal is not None:
            return plain(refusal.status, refusal.text, headers=refusal.headers)
        assert isinstance(principal, Principal)
        try:
            return await route.open(Opening(connection, request, principal, parameter, query))
        except BigchainDBError as error:
            answer = answer_for(error)
            forget_frames(error)
            return answer

    def stop(self) -> None:
        """End all WebSockets."""
        for route in self._routes.values():
            route.stop()
