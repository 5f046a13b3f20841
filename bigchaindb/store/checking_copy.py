"""Whether a copy of a data directory is whole: what a backup asks before it is one, and a restore before it counts."""

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress

from bigchaindb.errors import StoreDamaged
from bigchaindb.store.checking import Checked, check_directory
from bigchaindb.store.database import Progress, open_copy, translated
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.migrations import CHAIN_VERSION


def check_copy(copy: DataDirectory, chain_id: str, progress: Progress) -> tuple[Checked, Sequence[str]]:
    """Check a copy as `bigchaindb check` does, and its chain.

    Args:
        copy: nobody has its files open.
        chain_id: that stands beside the ledger.
        progress: is told how far the ledger is.

    Returns:
        What the ledger holds, and a line for each damage.

    Raises:
        StoreError: a file cannot be read; damage is no error here.
    """
    checked = check_directory(copy, progress, is_copy=True)
    return checked, [*map(str, checked.damages), *_foreign(copy, chain_id)]


def _foreign(copy: DataDirectory, chain_id: str) -> Iterator[str]:
    rows = []
    with suppress(StoreDamaged), closing(open_copy(copy.ledger)) as connection, translated(copy.ledger.name):
        ((version,),) = connection.execute("PRAGMA user_version").fetchall()
        if version >= CHAIN_VERSION:
            rows = connection.execute("SELECT chain_id FROM local").fetchall()
    for (known,) in rows:
        if known not in {None, chain_id}:
            yield f"chain_id: is {chain_id}, and the ledger is of chain {known}"
