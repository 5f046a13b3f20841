"""The engine of a network over the real store, with CometBFT played by the test."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast

from bigchaindb.config import Limits
from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft.abci_server import AbciServer
from bigchaindb.engine.cometbft.engine import CometBftEngine
from bigchaindb.engine.cometbft.files import Layout, Sizes
from bigchaindb.engine.cometbft.handlers import LedgerHandlers, Parts
from bigchaindb.engine.cometbft.own import Own
from bigchaindb.engine.cometbft.rpc import CometBftRpc
from bigchaindb.engine.cometbft.rpc_answers import (
    CommitAnswer,
    ConsensusState,
    NetInfo,
    NodeInfo,
    NodeStatus,
    OwnRoundState,
    SyncInfo,
    Versions,
)
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.engine.engine import Mode
from bigchaindb.engine.room import Room, Usage
from bigchaindb.errors import CometBftUnavailable
from bigchaindb.ledger.bundle import unbundled
from bigchaindb.ledger.network_ledger import NetworkLedger
from bigchaindb.ledger.proven import Proven
from bigchaindb.store import Store
from bigchaindb.store.own import Outbox, Rejections
from bigchaindb.transaction import Transaction
from bigchaindb.transaction.keys import KeyPair
from tests.support.engines import until
from tests.support.networks import CHAIN, KEYS, TIME, address, raw

PEERS = [f"{'7f' * 20}@one.example:26656"]
POWERS = dict.fromkeys(KEYS[:4], 10)
STATUS = NodeStatus(
    node=NodeInfo(id="7f" * 20, version="0.38.26", moniker="one", versions=Versions(app=RULES_VERSION)),
    sync=SyncInfo(height=1, time=datetime.fromtimestamp(TIME, UTC), is_catching_up=False),
)


class CometBft:
    """The process, its RPC and the server that it would connect to."""

    def __init__(self) -> None:
        self.handlers: LedgerHandlers | None = None
        self.submitted: list[bytes] = []
        self.carried: list[bytes] = []
        self.dialled: list[Sequence[str]] = []
        self.is_away = False
        self.start_count = 1
        self.is_served = False
        self.run_count = 0
        self._ended = asyncio.Event()

    def serve(self, handlers: LedgerHandlers, _: Callable[[BaseException], None]) -> AbciServer:
        self.handlers = handlers
        return cast("AbciServer", self)

    async def start(self) -> None:
        self.is_served = True

    @property
    def is_ended(self) -> bool:
        return self._ended.is_set()

    async def run(self) -> None:
        self.run_count += 1
        await self._ended.wait()

    async def restart(self) -> None:
        self.start_count += 1

    async def stop(self) -> None:
        self._ended.set()

    async def close(self) -> None:
        pass

    async def status(self) -> NodeStatus:
        return STATUS

    async def consensus_state(self) -> ConsensusState:
        return ConsensusState(round_state=OwnRoundState(height=2, round=0))

    async def commit(self, _: int) -> CommitAnswer:
        raise CometBftUnavailable("commit: no answer")

    async def net_info(self) -> NetInfo:
        return NetInfo(peers=())

    async def flush_mempool(self) -> None:
        pass

    async def dial_peers(self, peers: Sequence[str]) -> None:
        self.dialled.append(peers)
        if self.is_away:
            raise CometBftUnavailable("dial_peers: no answer")

    async def broadcast_many(self, transactions: Sequence[bytes]) -> list[str | None]:
        self.submitted += unbundled(transactions)
        self.carried += transactions
        return [None] * len(transactions)


class Node:
    """A running engine and its CometBFT."""

    def __init__(self, store: Store, limits: Limits) -> None:
        sizes = Sizes(
            validator_count=1,
            pool_count_max=limits.pool_count_max,
            pool_bytes_max=1 << 26,
            transaction_bytes_max=1 << 20,
        )
        proven, own = Proven(count_max=100, bytes_max=1_000_000), Rejections(store.node)
        self.store = store
        self.ledger = NetworkLedger(
            store.writer, chain_id=CHAIN, key=KEYS[0], body_bytes_max=1_000_000, proven=proven, own=own
        )
        self.cometbft = CometBft()
        self.recorded: list[int] = []
        room = Room(lambda: Usage(1 << 40, 0), limits, itertools.count().__next__)
        self.engine = CometBftEngine(
            Parts(self.ledger, store.writer, own, Outbox(store.node), room, self.recorded.append),
            chain_id=CHAIN,
            limits=limits,
            announce=lambda _: None,
            rpc=cast("CometBftRpc", self.cometbft),
            serve=self.cometbft.serve,
            process=self.cometbft,
            own=Own(KEYS[0], Layout(store.directory.path), PEERS, sizes),
        )

    async def begin(self, count: int = 4) -> None:
        validators = [pb.ValidatorUpdate(pub_key=pb.PublicKey(ed25519=raw(key)), power=10) for key in KEYS[:count]]
        assert self.cometbft.handlers is not None
        await self.cometbft.handlers.init_chain(
            pb.RequestInitChain(chain_id=CHAIN, initial_height=1, validators=validators)
        )

    async def decide(self, *transactions: Transaction, proposer: KeyPair = KEYS[1]) -> None:
        handlers = self.cometbft.handlers
        assert handlers is not None
        about: dict[str, Any] = {
            "height": self.store.writer.tip().height + 1,
            "txs": [one.body for one in transactions],
            "hash": bytes(32),
            "time": pb.Timestamp(seconds=TIME),
            "proposer_address": bytes.fromhex(address(proposer)),
        }
        await handlers.finalize_block(pb.RequestFinalizeBlock(**about))
        await handlers.commit(pb.RequestCommit())

    async def submit(self, one: Transaction) -> None:
        await until(lambda: self.engine.network().is_following)
        await self.engine.submit(one.body, Mode.SYNC)


@asynccontextmanager
async def running(store: Store, limits: Limits | None = None, *, begun: bool = True) -> AsyncIterator[Node]:
    node = Node(store, limits or Limits())
    task = asyncio.create_task(node.engine.run())
    try:
        if begun:
            await until(lambda: node.cometbft.is_served)  # before that CometBFT decides nothing
        if begun and not node.ledger.has_begun:
            await node.begin()
            await node.decide()
        yield node
    finally:
        node.engine.stop()
        await task


async def begin(store: Store) -> None:
    """Run until the network has decided its first block."""
    async with running(store):
        pass


def keep(store: Store, transactions: Iterable[Transaction]) -> None:
    """Store these as accepted by a former run."""
    Outbox(store.node).put([(one.id, one.body) for one in transactions])


def kept(store: Store) -> list[str]:
    return [id_ for id_, _ in Outbox(store.node).all()]


async def rejected(node: Node, one: Transaction) -> str:
    """Wait until the log's first row is announced, of this transaction; return the class of the error."""
    await until(lambda: node.recorded == [1])
    found = node.store.rejected_log().of(one.id)
    assert found is not None
    assert (found.asset, found.body) == (one.asset_id, one.body)
    return found.error
