"""The arguments of a handler: one request, and what all handlers share."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from bigchaindb.api.answers import Reply
from bigchaindb.api.arguments import Arguments, parse_query
from bigchaindb.api.reads import Reads
from bigchaindb.config import Limits
from bigchaindb.engine.engine import Engine
from bigchaindb.ledger.elections import Elections
from bigchaindb.ledger.ports import ProofSource, Queries
from bigchaindb.streams.pages import Pages
from bigchaindb.streams.sse import EventStreams


class Call(NamedTuple):
    """One request, reduced to what handlers use.

    Attributes:
        parameter: the route's parameter, decoded; empty for routes without one.
        query: the query string as sent.
        body: reads the body, within the limits.
        accept: the header `Accept`.
        last_event_id: the header `Last-Event-ID`.
        host: the header `Host` as sent.
    """

    parameter: str
    query: str
    body: Callable[[], Awaitable[bytes]]
    accept: str = ""
    last_event_id: str = ""
    host: str = ""

    @property
    def arguments(self) -> Arguments:
        """The query arguments; the first of equal names counts."""
        return parse_query(self.query)


class PluginStatus(Protocol):
    """The status of one plugin as the API reads it."""

    @property
    def name(self) -> str:
        """The name of its entry point."""
        ...

    @property
    def state(self) -> str:
        """The state of its lane: docs/reference/lane-states.md."""
        ...

    @property
    def lag(self) -> int:
        """Events of the log that are not settled."""
        ...

    @property
    def attempts(self) -> int:
        """Deliveries so far of the event in hand that has failed most often; 0 if none has."""
        ...

    @property
    def parked_count(self) -> int:
        """Events set aside for a person."""
        ...

    @property
    def error(self) -> str:
        """`Class: message`, a sentence, or nothing."""
        ...

    @property
    def is_error_past(self) -> bool:
        """Whether an event was settled since that error."""
        ...


PluginStatuses = Callable[[], Sequence[PluginStatus]]
"""Returns the status of each plugin, in the order of the configuration."""


ElectionSource = Callable[[], Elections | None]
"""Returns the present elections; None on a network of one node."""


@dataclass(frozen=True, kw_only=True)
class NodeInfo:
    """What a node publishes about itself.

    Attributes:
        public_key: base58, None without an identity.
        keyring: the other nodes' keys, base58.
        stream_url: returns the URL of the WebSocket stream for a request with this header `Host`.
    """

    version: str
    public_key: str | None
    keyring: tuple[str, ...]
    stream_url: Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Context:
    """What all handlers share.

    `proofs` is None on a network of one node, whose events are proven by that node's signatures alone.
    """

    engine: Engine
    queries: Queries
    reads: Reads
    pages: Pages
    streams: EventStreams
    plugins: PluginStatuses
    elections: ElectionSource
    limits: Limits
    proofs: ProofSource | None
    node: NodeInfo


Handler = Callable[[Context, Call], Awaitable[Reply]]
