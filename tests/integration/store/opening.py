"""Opens a ledger, reports it, and obeys its input; run under strace by `tracing.py`."""

import sys
from contextlib import suppress
from pathlib import Path

from bigchaindb.errors import StoreFull
from bigchaindb.store import Store
from tests.support.decisions import Chain, made


def commit(store: Store) -> None:
    """Commit one block."""
    store.writer.commit(Chain(store.writer.tip()).valid(made(store.run)))
    print("COMMITTED", store.writer.tip().position, flush=True)


def insist(store: Store) -> None:
    """Commit 20 blocks, each again and again as long as the disk is full."""
    chain = Chain(store.writer.tip())
    for serial in range(20):
        effects = chain.valid(*(made(100 * serial + number) for number in range(50)))
        while True:
            try:
                store.writer.commit(effects)
                break
            except StoreFull:
                print("FULL", store.writer.tip().position, store.log_reader().head(), flush=True)
        with suppress(StoreFull):
            store.writer.tidy()
    print("COMMITTED", store.writer.tip().position, flush=True)


if __name__ == "__main__":
    store = Store(Path(sys.argv[1]))
    print("OPEN", store.run, store.writer.tip().position, flush=True)
    match sys.argv[2]:
        case "commit":
            commit(store)
        case "insist":
            insist(store)
    sys.stdin.read()
