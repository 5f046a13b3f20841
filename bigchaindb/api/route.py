"""One declaration a route: all that is known of it, for parsing, for rights and for OpenAPI. Pure.

A route is one method of one path. Its module declares it beside its handler; `routes` has the table of all.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Final, NamedTuple, TypeVar

from bigchaindb.api.answers import Answer, json_line
from bigchaindb.api.arguments import Argument, Unknown, converted, parse
from bigchaindb.api.call import Call, Context, Handler
from bigchaindb.api.schemas import Schema

T = TypeVar("T")

ORDER: Final = ("POST", "GET", "HEAD", "PUT", "DELETE")
"""Of methods in `Allow`: as upstream, POST comes first."""
METHOD_REFUSED: Final = json_line({"message": "The method is not allowed for the requested URL."})
TAGS: Final = {
    "ledger": "The node's ledger as a whole",
    "transactions": "Transactions, their status and their outputs",
    "blocks": "Blocks and votes",
    "events": "The log of decisions, page by page or as it grows",
    "assets": "Assets and metadata",
    "owners": "What keys own",
    "network": "Validators and their elections",
    "delivery": "Plugins and subscriptions: where each one is, and orders to it",
    "access": "Access keys",
    "node": "The node itself",
}
"""The groups of routes, in the order in which they are shown."""


class Scope(NamedTuple):
    """Scopes of which a request needs one, where they depend on the path.

    Attributes:
        text: for people.
        of: returns them for the path's parameter.
    """

    text: str
    of: Callable[[Context, str], Sequence[str]]


@dataclass(frozen=True)
class Route:
    """One method of a path.

    Attributes:
        method: of HTTP; GET is HEAD too.
        path: with `{…}` as the segment that is a parameter.
        handler: answers; the arguments are parsed before.
        scope: what a request needs; None: nothing.
        id: the `operationId`: the name of a function in clients that tools generate.
        tag: of `TAGS`.
        summary: what it does, in a line.
        answer: the schema of the body; None: there is none.
        status: of the answer.
        description: what the summary leaves out.
        parameter: of the path, where it has one.
        arguments: of the query, in the order in which they are checked.
        unknown: what becomes of others.
        headers: further parameters, for OpenAPI alone.
        body: the schema of the request's body, where it takes one.
        needs_body: whether it must have one.
        body_example: a body that it takes.
        errors: statuses of refusals, besides those that every route has.
        responses: by status, for OpenAPI alone: further ones, or whole ones in place of what is generated.
    """

    method: str
    path: str
    handler: Handler
    scope: str | Scope | None
    _: KW_ONLY
    id: str
    tag: str
    summary: str
    answer: Schema | None
    status: int = 200
    description: str = ""
    parameter: Argument[str] | None = None
    arguments: tuple[Argument[object], ...] = ()
    unknown: Unknown = Unknown.ADVISED
    headers: tuple[Schema, ...] = ()
    body: Schema | None = None
    needs_body: bool = False
    body_example: object = None
    errors: tuple[int, ...] = ()
    responses: Mapping[str, Schema] = field(default_factory=dict)

    def __post_init__(self) -> None:
        name = "" if self.parameter is None else self.parameter.name
        assert ("{" in self.path) == (f"{{{name}}}" in self.path), self.path
        assert self.parameter is None or self.parameter.in_path, self.path
        assert self.tag in TAGS, self.tag
        assert self.scope != "", f"{self.method} {self.path} needs a scope, or None"

    def parse(self, call: Call, context: Context) -> Call:
        """Return a request with the values of its arguments.

        Raises:
            Problem: one is missing, wrong or unknown.
        """
        given = parse(self.arguments, call.arguments, self.unknown, context.limits)
        if self.parameter is not None:
            given[self.parameter.key] = converted(self.parameter.name, call.parameter, self.parameter.take)
        return call._replace(given=given)

    def scopes(self, context: Context, parameter: str) -> Sequence[str]:
        """Return the scopes of which a request needs one."""
        match self.scope:
            case None:
                return ()
            case str(scope):
                return (scope,)
            case Scope():
                return self.scope.of(context, parameter)


def by_method(found: Iterable[tuple[str, T]]) -> Mapping[str, T]:
    """Return the handlers of a path by method, in the order of `Allow`; GET is HEAD too."""
    given = dict(found)
    if (get := given.get("GET")) is not None:
        given["HEAD"] = get
    return {method: given[method] for method in ORDER if method in given}


def chosen(handlers: Mapping[str, T], method: str) -> T | Answer:
    """Return the handler for a method, or the answer to a method without one."""
    if (found := handlers.get(method)) is not None:
        return found
    allow = f"Allow: {', '.join([*handlers, 'OPTIONS'])}\r\n".encode()
    return Answer(200, headers=allow) if method == "OPTIONS" else Answer(405, METHOD_REFUSED, allow)


class Resource(NamedTuple):
    """A path and its routes by method, in the order of `Allow`."""

    path: str
    routes: Mapping[str, Route]
