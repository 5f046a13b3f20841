"""Makes the engine of a node of a network: CometBFT, its files, and what speaks with it.

Part of the composition root. Imported by nodes of networks alone: it takes as long as the rest of a node.
"""

import logging
import secrets
import time
from typing import Final

from bigchaindb.config import Settings
from bigchaindb.engine.cometbft import binary, files
from bigchaindb.engine.cometbft.abci_server import AbciServer
from bigchaindb.engine.cometbft.engine import CometBftEngine
from bigchaindb.engine.cometbft.genesis import NetworkGenesis
from bigchaindb.engine.cometbft.handlers import Parts
from bigchaindb.engine.cometbft.own import Own
from bigchaindb.engine.cometbft.process import CometBft
from bigchaindb.engine.cometbft.proof_source import CometBftProofs
from bigchaindb.engine.cometbft.reading import ReadingEngine
from bigchaindb.engine.cometbft.rpc import CometBftRpc
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.engine.cometbft.signer import complaint, must_be_held
from bigchaindb.errors import StartupError
from bigchaindb.ledger import network
from bigchaindb.ledger.network_ledger import NetworkLedger
from bigchaindb.store.own import Outbox, Rejections
from bigchaindb.store.store import Store
from bigchaindb.transaction.keys import KEY_BYTES, KeyPair
from bigchaindb.wired import Hubs, Wired, proven_of, room_of

_log: Final = logging.getLogger(__name__)

TRANSACTION_BYTES_MAX: Final = 1024 * 1024
"""Longest transaction of CometBFT's mempool. A rule of the network: a block may hold no longer one."""


def network_engine(settings: Settings, store: Store, key: KeyPair, hubs: Hubs, chain_id: str) -> Wired:
    """Make the engine, and write the files that CometBFT reads.

    Raises:
        StartupError: CometBFT or the files for it are not in order.
    """
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
    proven, own = proven_of(settings), Rejections(store.node)
    ledger = NetworkLedger(
        store.writer, chain_id=chain_id, key=key, body_bytes_max=TRANSACTION_BYTES_MAX, proven=proven, own=own
    )
    rpc, outbox = CometBftRpc(layout.rpc), Outbox(store.node, store.rejected_writer(limits))
    engine = CometBftEngine(
        Parts(ledger, store.writer, own, outbox, room_of(settings, store), hubs.rejected.announce),
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
