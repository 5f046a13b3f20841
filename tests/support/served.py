"""The node's inside in the test's own process: real store, solo engine, both servers on free ports."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bigchaindb.access.addresses import Proxies
from bigchaindb.access.book import KeyBook
from bigchaindb.access.exchange import Exchange
from bigchaindb.access.exposure import LOCAL
from bigchaindb.access.gate import Gate
from bigchaindb.access.origins import Origins
from bigchaindb.access.rates import Rates
from bigchaindb.access.scopes import Scopes
from bigchaindb.api.call import ElectionSource, NodeInfo
from bigchaindb.api.page_files import Page
from bigchaindb.api.reads import Reads
from bigchaindb.api.server import HttpApi
from bigchaindb.api.standing import NodeState
from bigchaindb.api.upgrades import WebSocketRoute
from bigchaindb.config import Access, Limits, WebSocketServer
from bigchaindb.engine.deciding import Proposer
from bigchaindb.engine.engine import Mode
from bigchaindb.engine.rejected import Record
from bigchaindb.engine.room import Room, usage_of
from bigchaindb.engine.solo import SoloEngine
from bigchaindb.errors import DoubleSpend, ValidationError
from bigchaindb.ledger.application import Ledger
from bigchaindb.ledger.checking import BlockLimits
from bigchaindb.ledger.proven import Proven
from bigchaindb.reader.reader import Reader
from bigchaindb.store.store import Store
from bigchaindb.streams.hub import Hub
from bigchaindb.streams.shared_log import LogSource
from bigchaindb.streams.websocket import StreamServer
from bigchaindb.subscribers.consuming import Desks
from bigchaindb.subscribers.lane_status import LaneStatus
from bigchaindb.subscribers.lanes import rejected_source
from bigchaindb.subscribers.supervisor import Supervisor
from bigchaindb.transaction import Transaction
from bigchaindb.transaction.build import create
from bigchaindb.transaction.keys import KeyPair
from tests.support import made_secrets
from tests.support.engines import running
from tests.support.http import Answer
from tests.support.raw import ask, until

CHAIN_ID = "solo-0123456789abcdef0123456789abcdef"
KEY = KeyPair.from_seed(bytes(range(32)))
SHORT = Limits(body_read_s_max=0.3, stream_stall_s_max=0.3)
POST = "/api/v1/transactions?mode=commit"
STREAM_URL = "ws://advertised:9985/api/v1/streams/valid_transactions"
INFO = NodeInfo(
    version="3.0.0",
    public_key=KEY.public_key,
    keyring=(),
    stream_url=lambda _: STREAM_URL,
    docs_url=lambda _: "http://localhost:9984/docs",
)


@dataclass
class Served:
    """A running node without its command line."""

    store: Store
    hub: Hub
    engine: SoloEngine
    api: HttpApi
    stream: StreamServer
    gate: Gate
    book: KeyBook
    supervisor: Supervisor
    rejected_hub: Hub
    exchange: Exchange

    @property
    def url(self) -> str:
        """The HTTP API's address, without path."""
        return f"http://127.0.0.1:{self.api.port}"

    @property
    def stream_url(self) -> str:
        """The address of the stream."""
        return f"ws://127.0.0.1:{self.stream.port}/api/v1/streams/valid_transactions"

    def new_key(self, scopes: str, expires: int | None = None) -> tuple[str, str]:
        """Make an access key; return its id and its text."""
        made, text = self.book.new("test", Scopes.parse(scopes, "scopes"), expires, time.time())
        return made.id, made_secrets.remember(text)

    def revoke(self, id_: str) -> None:
        """Revoke an access key."""
        self.book.revoke(id_, time.time())
        self.gate.change()

    async def reject(self, transaction: Transaction, error: ValidationError | None = None) -> int:
        """Reject a transaction as an engine does, and wait until it is in the log; return its position."""
        head = self.rejected_hub.head
        self.engine._rejected.add(transaction, error or DoubleSpend("input `x` was already spent"))
        return await self.rejected_hub.wait_beyond(head)

    async def commit(self, count: int = 1, *, text: str = "an asset") -> list[str]:
        """Commit so many CREATEs, each another; return their ids in the order they were posted in."""
        tag = time.monotonic_ns()
        made = [create([KEY], data={"message": text, "tag": f"{tag}-{number}"}) for number in range(count)]
        await asyncio.gather(*(self.engine.submit(one.body, Mode.COMMIT) for one in made))
        return [one.id for one in made]


class ShownLanes(Supervisor):
    """The subscriptions of a node without plugins, whose status shows further lanes."""

    def __init__(
        self, hub: Hub, store: Store, limits: Limits, shown: Sequence[LaneStatus], rejected: LogSource
    ) -> None:
        super().__init__(hub=hub, store=store, chain_id=CHAIN_ID, plugins={}, limits=limits, rejected=rejected)
        self._shown = shown

    def names(self) -> Sequence[str]:
        """See `Supervisor`."""
        return [*(one.name for one in self._shown), *super().names()]

    def status_of(self, name: str) -> LaneStatus | None:
        """See `Supervisor`."""
        return next((one for one in self._shown if one.name == name), super().status_of(name))


def _engine(store: Store, limits: Limits, hub: Hub, rejected: LogSource, propose: Proposer | None) -> SoloEngine:
    proven = Proven(count_max=limits.pool_count_max, bytes_max=limits.pool_bytes_max)
    block = BlockLimits(limits.block_count_max, limits.block_bytes_max)
    return SoloEngine(
        Ledger(store.writer, key=KEY, voters=[KEY.public_key], block=block, proven=proven),
        store.writer,
        key=KEY,
        limits=limits,
        announce=hub.committed,
        now=time.time,
        room=Room(lambda: usage_of(store.directory.ledger), limits, time.monotonic),
        record=Record(store.rejected_writer(limits).add, rejected.hub.announce),
        propose=propose,
    )


def _state(store: Store, limits: Limits, failed: Sequence[str]) -> NodeState:
    return NodeState(
        chain_id=CHAIN_ID,
        ledger=store.directory.ledger,
        disk_free_bytes_min=limits.disk_free_bytes_min,
        damage=lambda: store.damages.first,
        failed=failed,
    )


@asynccontextmanager
async def serving(  # noqa: PLR0913 - all but one by keyword
    folder: Path,
    *,
    limits: Limits | None = None,
    heartbeat_s: float = 0.0,
    propose: Proposer | None = None,
    plugins: Sequence[LaneStatus] = (),
    sse_heartbeat_s: float = 15.0,
    elections: ElectionSource = lambda: None,
    access: Access | None = None,
    desks: Desks | None = None,
    websockets: Sequence[WebSocketRoute] = (),
    page: Page | None = None,
    failed: Sequence[str] = (),
) -> AsyncIterator[Served]:
    """Run a node's inside below `folder`; it is stopped in the order of a real one."""
    limits, access = limits or Limits(), access or Access()
    store = Store(folder / "data")
    hub = Hub(store.writer.tip().position)
    rejected = rejected_source(store, CHAIN_ID)
    engine = _engine(store, limits, hub, rejected, propose)
    source = LogSource(hub, store.log_reader, CHAIN_ID)
    book = KeyBook(store.node, limits.access_key_count_max)
    scopes = LOCAL if access.anonymous is None else Scopes.parse(access.anonymous, "anonymous")
    origins, proxies = Origins(access.origins), Proxies(access.proxies)
    gate = Gate(scopes, book, origins=origins, rates=Rates(access, limits.bucket_count_max))
    supervisor = ShownLanes(hub, store, limits, plugins, rejected)
    exchange = Exchange(book, gate)
    api = HttpApi(
        engine,
        Reads(limits, store.queries(), Reader(store.directory.ledger, store.damages, limits, CHAIN_ID)),
        INFO,
        _state(store, limits, failed),
        limits,
        gate,
        log=source,
        lanes=supervisor,
        rejected=rejected,
        rejected_log=store.rejected_log(),
        elections=elections,
        heartbeat_s=sse_heartbeat_s,
        desks=desks or supervisor,
        websockets=websockets,
        origins=origins,
        proxies=proxies,
        page=page,
        exchange=exchange,
    )
    wsserver = WebSocketServer(heartbeat=heartbeat_s)
    stream = StreamServer(source, limits, wsserver, gate, origins=origins, proxies=proxies)
    async with AsyncExitStack() as ending:  # the last first, and all of it even if one fails
        ending.callback(store.close)
        ending.push_async_callback(stream.stop)
        await ending.enter_async_context(running(engine))
        ending.push_async_callback(supervisor.stop)
        await supervisor.start()
        ending.push_async_callback(api.stop)
        await api.start("localhost", 0)
        await stream.start("localhost", 0)
        yield Served(store, hub, engine, api, stream, gate, book, supervisor, rejected.hub, exchange)


async def until_closed(served: Served) -> None:
    """Wait until the server holds no connection."""
    await until(lambda: served.api.connection_count == 0, "all connections closed")


async def get(served: Served, target: str) -> Answer:
    return await ask(served.api.port, "GET", f"/api/v1/{target}")
