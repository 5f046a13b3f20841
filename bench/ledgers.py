"""Ledgers of any size, made through the ledger's `finalize` and the store's own commit.

Their transactions are bare (`bench.documents`): the signatures are noise, which neither of the two looks at. Sizes,
keys, spends and search texts are those of signed ones, so storing and reading cost what they cost a node.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from bench.documents import Documents
from bench.measure import Scale
from bigchaindb.identity import make_chain_id
from bigchaindb.ledger import proposal, transition
from bigchaindb.store import Store
from bigchaindb.transaction.keys import KeyPair
from bigchaindb.transaction.model import Transaction

KEY: Final = KeyPair.from_seed(bytes(range(32)))
TIMESTAMP: Final = 1_700_000_000
OWNER_COUNT: Final = 50_000
"""Different owners: their index must not profit from few keys that come again and again."""

Transactions = tuple[Transaction, ...]


class Spent(NamedTuple):
    """Time for one block, in seconds.

    Attributes:
        commit_s: until it was durable.
        cpu_s: of this thread, for commit and tidying.
        whole_s: for commit and tidying.
    """

    commit_s: float
    cpu_s: float
    whole_s: float


class Growing:
    """An open ledger and an endless supply of transactions for it."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        self._documents = Documents(1 + self.store.writer.tip().position, OWNER_COUNT)
        self._blocks: dict[int, Iterator[Transactions]] = {}

    def blocks(self, size: int, count: int) -> list[Transactions]:
        """Make the transactions of `count` blocks; add them in this order."""
        supply = self._blocks.setdefault(size, self._documents.bare_blocks(size))
        return [next(supply) for _ in range(count)]

    def add(self, transactions: Transactions, on_durable: Callable[[int], object] | None = None) -> Spent:
        """Commit one block and tidy up; `on_durable` gets its position in between, as the node's loop does."""
        writer = self.store.writer
        tip = writer.tip()
        bodies = [transaction.body for transaction in transactions]
        voters = (KEY.public_key,)
        block = proposal.sign_proposal(bodies, height=tip.height + 1, timestamp=TIMESTAMP, voters=voters, key=KEY)
        effects = transition.finalize(proposal.Verdict(block, transactions, None), tip, KEY)
        used, begin = time.thread_time(), time.perf_counter()
        writer.commit(effects)
        durable = time.perf_counter()
        if on_durable is not None:
            on_durable(effects.tip.position)
        while writer.tidy():
            pass
        return Spent(durable - begin, time.thread_time() - used, time.perf_counter() - begin)

    def close(self) -> None:
        self.store.close()


def cached(scale: Scale, block_size: int, block_count: int) -> Path:
    """Return a folder of this run with a data directory `data`: a ledger of equal blocks, made now or found."""
    name = f"{block_count}x{block_size}"
    kept = scale.cache / f"ledger-{_fingerprint()}-{name}"
    if not kept.exists():
        _forget_older(scale.cache)
        made = scale.folder / f"made-{name}"
        with closing(Growing(made)) as ledger:
            make_chain_id(made)  # so that a node takes it for one of its own
            for _ in range(block_count):
                (block,) = ledger.blocks(block_size, 1)
                ledger.add(block)
        made.rename(kept)
    copy = scale.folder / f"ledger-{name}"
    if not copy.exists():
        copy.mkdir()
        shutil.copytree(kept, copy / "data")
        os.sync()  # what the copy left to write would be paid by the first commits
    return copy


def _forget_older(cache: Path) -> None:
    """Remove ledgers that other code made: they are of 1 GB and more."""
    for folder in cache.glob("ledger-*"):
        if not folder.name.startswith(f"ledger-{_fingerprint()}-"):
            shutil.rmtree(folder)


def _fingerprint() -> str:
    """Return a digest of the code that makes ledgers: other code makes other ones."""
    folders = (Path("bigchaindb/store"), Path("bigchaindb/ledger"))
    sources = [Path("bench/documents.py"), *(path for folder in folders for path in folder.iterdir() if path.is_file())]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sorted(sources))).hexdigest()[:12]
