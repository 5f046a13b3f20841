"""An engine as the parts of a node meet it, and what each kind of engine is made with.

Part of the composition root.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from bigchaindb.access.writers import Writers
from bigchaindb.api.call import ElectionSource
from bigchaindb.config import Settings
from bigchaindb.engine.engine import Engine, NetworkFigures
from bigchaindb.engine.room import Room, usage_of
from bigchaindb.errors import StoreDamaged
from bigchaindb.ledger.ports import ProofSource
from bigchaindb.ledger.proven import Proven
from bigchaindb.store.store import Store
from bigchaindb.streams.hub import Hub


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


def proven_of(settings: Settings) -> Proven:
    """Return a memory for all transactions that are in the pool or being checked: the voter then finds each."""
    limits = settings.limits
    return Proven(count_max=2 * limits.pool_count_max, bytes_max=limits.pool_bytes_max + limits.admission_bytes_max)


def room_of(settings: Settings, store: Store) -> Room:
    """Return what watches the space that the ledger takes."""
    return Room(lambda: usage_of(store.directory.ledger), settings.limits, time.monotonic)
