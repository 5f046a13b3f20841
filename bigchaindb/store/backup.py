"""Copies of the two databases, made by a process of its own while the node's goes on writing. Decision: 0023.

The process that owns the directory must not call this: see `bigchaindb.store.database`.
"""

from contextlib import closing
from pathlib import Path
from typing import Final

from bigchaindb.ledger.effects import Tip
from bigchaindb.store.database import Progress, backup, batch, open_copy, open_reader, open_writer, snapshot, translated
from bigchaindb.store.node_rows import ACCESS_KEYS, renew_id, summed_tables
from bigchaindb.store.older import cover
from bigchaindb.store.tip import read_tip

_CACHE_KIB: Final = 1024


def back_up_ledger(source: Path, target: Path, progress: Progress) -> Tip:
    """Copy ledger.db as of one moment; return where chain and log stood.

    Raises:
        StoreFull: there is no room for the copy.
        StoreError: one of the files cannot be used.
    """
    with closing(open_reader(source)) as reader, translated(source.name), snapshot(reader):
        cover(reader)
        tip, _ = read_tip(reader)
        backup(reader, target, progress)
    return tip


def has_access_keys(node: Path) -> bool:
    """Whether a copy of node.db, which nobody has open, holds access keys: a restore holds them."""
    with closing(open_copy(node)) as connection, translated(node.name):
        is_there = ACCESS_KEYS in summed_tables(connection)
        return is_there and bool(connection.execute("SELECT count(*) FROM access_keys").fetchone()[0])


def back_up_node(source: Path, target: Path) -> None:
    """Copy node.db as of one moment, with another id: ledger.db does not know it, so a restore is noticed (P8).

    Raises: as `back_up_ledger`.
    """
    with closing(open_reader(source)) as reader, translated(source.name), snapshot(reader):
        reader.execute("SELECT id FROM node").fetchall()  # takes the snapshot
        backup(reader, target, lambda _copied, _total: None)
    with closing(open_writer(target, cache_kib=_CACHE_KIB)) as writer, translated(target.name), batch(writer):
        renew_id(writer)
