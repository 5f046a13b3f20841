"""One row of the table of routes: a path, its handlers, and the scopes that they need. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from bigchaindb.api.call import Context

H = TypeVar("H")

Scope = str | Callable[[Context, str], Sequence[str]]
"""What a method needs, or returns that for the path's parameter: any of several scopes."""


class Route(NamedTuple, Generic[H]):
    """A path and its handlers.

    Attributes:
        path: with `{…}` as the segment that is a parameter.
        get: for GET and HEAD, where there is one.
        get_scope: what they need; None: nothing.
        post: for POST, where there is one.
        change_scope: what POST, PUT and DELETE need.
        put: for PUT, where there is one.
        delete: for DELETE, where there is one.
    """

    path: str
    get: H | None
    get_scope: Scope | None
    post: H | None = None
    change_scope: Scope | None = None
    put: H | None = None
    delete: H | None = None

    @property
    def handlers(self) -> Mapping[str, H]:
        """The handlers by method, in the order of `Allow`: as upstream, POST comes first."""
        found = {"POST": self.post, "GET": self.get, "HEAD": self.get, "PUT": self.put, "DELETE": self.delete}
        return {method: handler for method, handler in found.items() if handler is not None}

    @property
    def allow(self) -> str:
        """The value of `Allow`."""
        return ", ".join([*self.handlers, "OPTIONS"])

    def scopes(self, method: str, context: Context, parameter: str) -> Sequence[str]:
        """Return the scopes of which a request needs one; none for methods that no handler gets."""
        if method not in self.handlers:
            return ()
        scope = self.get_scope if method in {"GET", "HEAD"} else self.change_scope
        return scope(context, parameter) if callable(scope) else [] if scope is None else [scope]


def require_scopes(*routes: Route[H]) -> tuple[Route[H], ...]:
    """Return the routes; each of their methods must name a scope, so that nothing is open by an oversight."""
    for route in routes:
        changes = {*route.handlers} - {"GET", "HEAD"}
        assert (route.get is None) == (not route.get_scope), f"{route.path}: GET needs a scope"
        assert bool(changes) == bool(route.change_scope), f"{route.path}: {' and '.join(sorted(changes))} needs a scope"
    return routes
