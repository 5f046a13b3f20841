"""What a handler is given: one request, and what all of them need."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from bigchaindb.api.answers import Answer, Reply
from bigchaindb.api.arguments import Arguments, parse_query
from bigchaindb.api.reads import Reads
from bigchaindb.engine.engine import Engine
from bigchaindb.ledger.ports import Queries


class Call(NamedTuple):
    """One request, as far as handlers care.

    Attributes:
        parameter: the last segment of the path where the route has one, decoded; else empty.
        query: the query string as sent.
        body: reads the body, within the limits.
    """

    parameter: str
    query: str
    body: Callable[[], Awaitable[bytes]]

    @property
    def arguments(self) -> Arguments:
        """The query arguments; the first of equal names counts."""
        return parse_query(self.query)


@dataclass(frozen=True, kw_only=True)
class Context:
    """What all handlers share; `root`, `index` and `validators` are answers that never change."""

    engine: Engine
    queries: Queries
    reads: Reads
    root: Answer
    index: Answer
    validators: Answer


Handler = Callable[[Context, Call], Awaitable[Reply]]
