"""Makes the engine of a node: the embedded one, or CometBFT where the data directory belongs to a network.

Part of the composition root: here the engines get their ledger, store and settings.
"""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from bigchaindb.access.writers import Writers
from bigchaindb.api.standing import NodeState
from bigchaindb.config import Limits, Settings
from bigchaindb.engine.cometbft import files
from bigchaindb.engine.cometbft.genesis import genesis_hash
from bigchaindb.engine.rejected import Record
from bigchaindb.engine.solo import SoloEngine
from bigchaindb.errors import ConfigurationError, StoreDamaged
from bigchaindb.ledger.application import Ledger
from bigchaindb.ledger.checking import BlockLimits
from bigchaindb.store.store import Store
from bigchaindb.transaction.keys import KeyPair
from bigchaindb.wired import Hubs, Wired, proven_of, room_of

_log: Final = logging.getLogger(__name__)

NO_WRITERS: Final = (
    "access.writers: this node is part of a network, whose other nodes take every valid transaction: a list of one "
    "node would bind none of them; remove the setting"
)


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
        from bigchaindb.network_engine import network_engine  # half of a node's start

        return network_engine(settings, store, key, hubs, chain_id)
    listed = None if writers is None else Writers(writers)
    return Wired(_solo_engine(settings, store, key, hubs, listed), lambda: None, None, lambda: None, writers=listed)


def state_of(store: Store, wired: Wired, limits: Limits, chain_id: str, failed: Sequence[str]) -> NodeState:
    """Return what the API shows of the node itself; `failed` are its background tasks that have failed."""
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
        proven=proven_of(settings),
    )
    engine = SoloEngine(
        ledger,
        store.writer,
        key=key,
        limits=limits,
        announce=hubs.events.committed,
        now=time.time,
        room=room_of(settings, store),
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
