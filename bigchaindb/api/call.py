"""The arguments of a handler: one request, and what all handlers share."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, Protocol, TypeVar

from bigchaindb.access.exchange import Exchange
from bigchaindb.access.gate import Gate, Principal, Visitor
from bigchaindb.api.answers import Answer, Reply
from bigchaindb.api.arguments import Arguments, parse_query
from bigchaindb.api.page_files import Page
from bigchaindb.api.reads import Reads
from bigchaindb.api.standing import NodeState
from bigchaindb.config import Limits
from bigchaindb.engine.engine import Engine
from bigchaindb.eventlog.orders import Order
from bigchaindb.eventlog.subscription import Subscription
from bigchaindb.ledger.elections import Elections
from bigchaindb.ledger.ports import ProofSource
from bigchaindb.store import TroubleRow
from bigchaindb.store.queries import LedgerQueries
from bigchaindb.store.rejected import RejectedLog
from bigchaindb.streams.sse import EventStreams
from bigchaindb.subscribers.lane_status import LaneStatus

T = TypeVar("T")


class WhileThere(Protocol):
    """Waits for something for as long as the client is there."""

    def __call__(self, work: Awaitable[T], /) -> Awaitable[T]:
        """Return what came of it.

        Raises:
            ConnectionError: the client is gone; the work is cancelled.
        """
        ...


async def regardless(work: Awaitable[T], /) -> T:
    """Wait for something, whoever asked for it."""
    return await work


class ReadBody(Protocol):
    """Reads the body of a request."""

    def __call__(self, bytes_max: int | None = None, /) -> Awaitable[bytes]:
        """Return it; refuse one of more bytes than so many, and than any body may have."""
        ...


class Call(NamedTuple):
    """One request, reduced to what handlers use.

    Attributes:
        parameter: the route's parameter, decoded; empty for routes without one.
        query: the query string as sent.
        body: reads the body, within the limits.
        accept: the header `Accept`.
        given: the arguments of the route as values, by name; see `Argument.of`.
        accept_encoding: the header `Accept-Encoding`.
        last_event_id: the header `Last-Event-ID`.
        host: the header `Host` as sent.
        visitor: what the request shows of who sent it.
        principal: who asks; None where no gate stands in front.
        while_there: waits for something for as long as the client is there.
    """

    parameter: str
    query: str
    body: ReadBody
    accept: str = ""
    last_event_id: str = ""
    host: str = ""
    principal: Principal | None = None
    while_there: WhileThere = regardless
    accept_encoding: str = ""
    given: Mapping[str, object] = MappingProxyType({})
    visitor: Visitor | None = None

    @property
    def arguments(self) -> Arguments:
        """The query arguments; the first of equal names counts."""
        return parse_query(self.query)


class Lanes(Protocol):
    """The lanes of a node, as clients see and order them; the `Supervisor` has them."""

    @property
    def subscriptions(self) -> Mapping[str, Subscription]:
        """The subscriptions in force, by name."""
        ...

    def names(self) -> Sequence[str]:
        """See `Supervisor.names`."""
        ...

    def status_of(self, name: str) -> LaneStatus | None:
        """See `Supervisor.status_of`."""
        ...

    async def order(self, name: str, order: Order) -> LaneStatus:
        """See `Supervisor.order`."""
        ...

    async def create(self, subscription: Subscription, *, is_change: bool = False) -> bool:
        """See `Supervisor.create`."""
        ...

    async def delete(self, name: str) -> None:
        """See `Supervisor.delete`."""
        ...

    async def parked(self, name: str, after: int, count_max: int) -> Sequence[TroubleRow]:
        """See `Supervisor.parked`."""
        ...

    def token(self, name: str) -> str:
        """See `Supervisor.token`."""
        ...


ElectionSource = Callable[[], Elections | None]
"""Returns the present elections; None on a network of one node."""


@dataclass(frozen=True, kw_only=True)
class NodeInfo:
    """What a node publishes about itself.

    Attributes:
        public_key: base58, None without an identity.
        keyring: the other nodes' keys, base58.
        stream_url: returns the URL of the WebSocket stream for a request with this header `Host`.
        docs_url: returns that of the documentation, likewise.
    """

    version: str
    public_key: str | None
    keyring: tuple[str, ...]
    stream_url: Callable[[str], str]
    docs_url: Callable[[str], str]


class Rejected(NamedTuple):
    """The node's log of rejected transactions.

    Attributes:
        log: any thread may read it.
        name: of the log.
        streams: of its clients.
    """

    log: RejectedLog
    name: str
    streams: EventStreams


@dataclass(frozen=True, kw_only=True)
class Context:
    """What all handlers share.

    `proofs` is None on a network of one node, whose events are proven by that node's signatures alone.
    `pull` answers a pull of a subscription. `page` is None where there is none, and then so is
    `exchange`, which has the codes for it.
    """

    engine: Engine
    queries: LedgerQueries
    reads: Reads
    streams: EventStreams
    lanes: Lanes
    rejected: Rejected
    elections: ElectionSource
    limits: Limits
    proofs: ProofSource | None
    node: NodeInfo
    state: NodeState
    gate: Gate
    pull: Callable[[Call], Awaitable[Answer]]
    page: Page | None = None
    exchange: Exchange | None = None


Handler = Callable[[Context, Call], Awaitable[Reply]]
