"""Makes the engine of a node: the embedded one, or CometBFT where the data directory belongs to a network.

Part of the composition root: here the engines get their ledger, store and settings.
"""

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple

from bigchaindb.access.writers import Writers
from bigchaindb.api.call import ElectionSource
from bigchaindb.api.standing import NodeState
from bigchaindb.config import Limits, Settings
from bigchaindb.engine.cometbft import binary, files
from bigchaindb.engine.cometbft.abci_server import AbciServer
from bigchaindb.engine.cometbft.engine import CometBftEngine
from bigchaindb.engine.cometbft.genesis import NetworkGenesis, genesis_hash
from bigchaindb.engine.cometbft.handlers import Parts
from bigchaindb.engine.cometbft.own import Own
from bigchaindb.engine.cometbft.process import CometBft
from bigchaindb.engine.cometbft.proof_source import CometBftProofs
from bigchaindb.engine.cometbft.reading import ReadingEngine
from bigchaindb.engine.cometbft.rpc import CometBftRpc
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.engine.cometbft.signer import complaint, must_be_held
from bigchaindb.engine.engine import Engine, NetworkFigures
from bigchaindb.engine.rejected import Record
from bigchaindb.engine.room import Room, usage_of
from bigchaindb.engine.solo import SoloEngine
from bigchaindb.errors import ConfigurationError, StartupError, StoreDamaged
from bigchaindb.ledger import network
from bigchaindb.ledger.application import Ledger
from bigchaindb.ledger.checking import BlockLimits
from bigchaindb.ledger.network_ledger import NetworkLedger
from bigchaindb.ledger.ports import ProofSource
from bigchaindb.ledger.proven import Proven
from bigchaindb.store.own import Outbox, Rejections
from bigchaindb.store.store import Store
from bigchaindb.streams.hub import Hub
from bigchaindb.transaction.keys import KEY_BYTES, KeyPair

_log: Final = logging.getLogger(__name__)

TRANSACTION_BYTES_MAX: Final = 1024 * 1024
"""Longest transaction of CometBFT's mempool. A rule of the network: a block may hold no longer one."""

NO_WRITERS: Final = (
    "access.writers: this node is part of a network, whose other nodes take every valid transaction: a list of one "
    "node would bind none of them; remove the setting"
)


@dataclass(frozen=True, slots=True)
class Wired:
    """An engine, and its parts that the API reads.

    Attributes:
        elections: see `HttpApi`.
        proofs: see `HttpApi`.
        network: returns the figures of the network; None on a node on its own.
        damaged: is called, on the loop, with each damage of the store.
        writers: who may create assets; None: everybody.
    """

    engine: Engine
    elections: ElectionSource
    proofs: ProofSource | None
    network: Callable[[], NetworkFigures | None]
    damaged: Callable[[StoreDamaged], None] = lambda _: None
    writers: Writers | None = None


class Hubs(NamedTuple):
    """The logs of a node, whose heads an engine announces.

    Attributes:
        events: the event log.
        rejected: the node's log of rejected transactions.
    """

    events: Hub
    rejected: Hub


def engine_of(settings: Settings, store: Store, key: KeyPair, hubs: Hubs, chain_id: str) -> Wired:
    """Make the engine that the data directory is for.

    Raises:
        StartupError: it belongs to a network, and CometBFT or the files for it are not in order.
        ConfigurationError: the list of writers cannot be read, or the node belongs to a network.
    """
    writers = settings.access.writers
    if files.is_network(settings.database.path):
        if writers is not None:
            raise ConfigurationError(NO_WRITERS)
        return _network_engine(settings, store, key, hubs, chain_id)
    listed = None if writers is None else Writers(writers)
    return Wired(_solo_engine(settings, store, key, hubs, listed), lambda: None, None, lambda: None, writers=listed)


def state_of(store: Store, wired: Wired, limits: Limits, chain_id: str, failed: Sequence[str]) -> NodeState:
    """Return what the API shows of the node itself; `failed` are works beside it that have failed."""
    path = store.directory.path
    return NodeState(
        chain_id=chain_id,
        ledger=store.directory.ledger,
        disk_free_bytes_min=limits.disk_free_bytes_min,
        genesis_hash=genesis_hash(files.read_bounded(files.Layout(path).genesis)) if files.is_network(path) else None,
        network=wired.network,
        damage=lambda: store.damages.first,
        failed=failed,
    )


def _solo_engine(settings: Settings, store: Store, key: KeyPair, hubs: Hubs, writers: Writers | None) -> SoloEngine:
    limits = settings.limits
    _warn_of_another_key(store, key)
    ledger = Ledger(
        store.writer,
        key=key,
        voters=[key.public_key],
        block=BlockLimits(limits.block_count_max, limits.block_bytes_max),
        proven=_proven(settings),
    )
    engine = SoloEngine(
        ledger,
        store.writer,
        key=key,
        limits=limits,
        announce=hubs.events.committed,
        now=time.time,
        room=_room(settings, store),
        record=Record(store.rejected_writer(limits).add, hubs.rejected.announce),
        workers=settings.server.workers,
    )
    if writers is not None:
        engine.require_writer(writers.require)
    engine.heed(store.damages.halting, store.damages.halt)
    return engine


def _warn_of_another_key(store: Store, key: KeyPair) -> None:
    """Warn if another key signed the last block: the node's own may have been lost."""
    height, last = store.writer.tip().height, None
    with suppress(StoreDamaged):  # the listener for damage has been called
        last = store.queries().block(height)
    if last is not None and last.header.node_pubkey != key.public_key:
        _log.warning(
            "this node signs with another key than that of its last block: it was changed in the configuration or in "
            "keypair.json; put the former pair back unless it was changed on purpose",
            extra={"last_public": last.header.node_pubkey, "height": height, "public": key.public_key},
        )


def _network_engine(settings: Settings, store: Store, key: KeyPair, hubs: Hubs, chain_id: str) -> Wired:
    """Make the engine, and write the files that CometBFT reads."""
    layout, limits = files.Layout(settings.database.path), settings.limits
    state = store.writer.network()
    genesis = files.read_genesis(layout, rules_version=RULES_VERSION, may_be_older=state is not None)
    if genesis.chain_id != chain_id:
        raise StartupError(f"`{layout.genesis}` is of chain {genesis.chain_id}, and the ledger is of chain {chain_id}")
    if state is not None and genesis.rules_version < RULES_VERSION:
        return _reading_engine(store, layout, genesis, state, key)
    program = binary.find(settings.network.cometbft)
    if (missing := complaint(layout, key, state)) is not None:
        raise StartupError(missing)
    if (wait_s := genesis.begin_s - time.time()) > 0:
        _log.warning(
            "this machine's clock is behind the genesis time: CometBFT waits until then; set the clock",
            extra={"genesis_time": genesis.genesis_time, "behind_s": round(wait_s)},
        )
    sizes = files.Sizes(
        validator_count=len(genesis.validator_set.powers if state is None else network.decode(state).elected.powers),
        pool_count_max=limits.pool_count_max,
        pool_bytes_max=limits.pool_bytes_max,
        transaction_bytes_max=TRANSACTION_BYTES_MAX,
    )
    peers = files.others_of(settings.network, key)
    is_held = must_be_held(layout, key, genesis, state, has_peers=bool(peers))
    if is_held:
        _log.info(
            "there is no record of what this node's key has signed: it votes once its peers have shown the chain",
            extra={"peers": len(peers)},
        )
    signer = KeyPair.from_seed(secrets.token_bytes(KEY_BYTES)) if is_held else key
    files.write(layout, key=key, settings=settings.network, sizes=sizes, signer=signer)
    proven, own = _proven(settings), Rejections(store.node)
    ledger = NetworkLedger(
        store.writer, chain_id=chain_id, key=key, body_bytes_max=TRANSACTION_BYTES_MAX, proven=proven, own=own
    )
    rpc, outbox = CometBftRpc(layout.rpc), Outbox(store.node, store.rejected_writer(limits))
    engine = CometBftEngine(
        Parts(ledger, store.writer, own, outbox, _room(settings, store), hubs.rejected.announce),
        chain_id=chain_id,
        limits=limits,
        announce=hubs.events.committed,
        rpc=rpc,
        serve=lambda handlers, failed: AbciServer(layout.abci, handlers, failed),
        process=CometBft(program, layout),
        own=Own(key, layout, peers, sizes, is_held),
        workers=settings.server.workers,
    )
    return Wired(engine, engine.elections, CometBftProofs(rpc, chain_id), engine.network, engine.damaged)


def _reading_engine(store: Store, layout: files.Layout, genesis: NetworkGenesis, state: bytes, key: KeyPair) -> Wired:
    rpc = CometBftRpc(layout.rpc)
    height, outbox_count = store.writer.tip().height, Outbox(store.node).count
    engine = ReadingEngine(genesis, network.decode(state), height, rpc, key.public_key, outbox_count=outbox_count)
    return Wired(engine, engine.elections, CometBftProofs(rpc, genesis.chain_id), engine.network)


def _proven(settings: Settings) -> Proven:
    """Make a memory for all transactions that are in the pool or being checked: the voter then finds each."""
    limits = settings.limits
    return Proven(count_max=2 * limits.pool_count_max, bytes_max=limits.pool_bytes_max + limits.admission_bytes_max)


def _room(settings: Settings, store: Store) -> Room:
    return Room(lambda: usage_of(store.directory.ledger), settings.limits, time.monotonic)
