"""Ledgers over the real store, for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bigchaindb.config import Limits
from bigchaindb.ledger.application import Ledger
from bigchaindb.ledger.block import Block
from bigchaindb.ledger.checking import BlockLimits
from bigchaindb.ledger.effects import Effects
from bigchaindb.ledger.ports import LedgerStore
from bigchaindb.ledger.proposal import sign_proposal
from bigchaindb.ledger.proven import Proven
from bigchaindb.store import Store
from bigchaindb.transaction import KeyPair, Transaction
from tests.support.chains import NODE


@contextmanager
def open_store(path: Path) -> Iterator[Store]:
    """Open the real store."""
    store = Store(path)
    try:
        yield store
    finally:
        store.close()


def ledger_over(store: LedgerStore, *, limits: Limits | None = None, key: KeyPair = NODE) -> Ledger:
    """Make the ledger of a node that votes alone."""
    limits = limits or Limits()
    return Ledger(
        store,
        key=key,
        voters=[key.public_key],
        block=BlockLimits(limits.block_count_max, limits.block_bytes_max),
        proven=Proven(count_max=limits.pool_count_max, bytes_max=limits.pool_bytes_max),
    )


def propose(store: LedgerStore, *transactions: Transaction | bytes, timestamp: int = 1_700_000_000) -> Block:
    """Sign a block for the next height, whatever is in it."""
    bodies = [one if isinstance(one, bytes) else one.body for one in transactions]
    height = store.tip().height + 1
    return sign_proposal(bodies, height=height, timestamp=timestamp, voters=[NODE.public_key], key=NODE)


def decide(ledger: Ledger, proposal: Block) -> Effects:
    """Vote on a proposal and commit what comes of it."""
    effects = ledger.finalize(ledger.accepts(proposal))
    ledger.commit(effects)
    return effects


def wal_bytes(data: Path) -> int:
    return (data / "ledger.db-wal").stat().st_size
