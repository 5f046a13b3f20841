"""Reads of a data directory by another process than its owner, beside the running node or without one."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from bigchaindb.errors import StoreDamaged, StoreError
from bigchaindb.ledger.effects import Tip
from bigchaindb.ledger.rejections import Rejection
from bigchaindb.store.checksums import read_one
from bigchaindb.store.damages import Damages
from bigchaindb.store.database import open_copy, open_reader, snapshot, translated
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.keys import id_bytes, key_of
from bigchaindb.store.migrations import CHAIN_VERSION, CHECKSUM_VERSION, open_ledger, schema_of
from bigchaindb.store.node_db import NodeDb
from bigchaindb.store.own import Rejections
from bigchaindb.store.tip import read_network, read_tip

# The index ends at `done_seq`; what came later is in the node's memory, and few rows here.
_POSITION: Final = """
SELECT t.position FROM transaction_index AS i JOIN transactions AS t ON t.seq = i.seq WHERE i.key = ? AND t.id = ?
UNION ALL
SELECT position FROM transactions WHERE seq > (SELECT done_seq FROM indexing) AND id = ?
"""


class StoredNode(NamedTuple):
    """A node's files at one moment each.

    Attributes:
        tip: where chain and log stand.
        invalid_count: blocks of the log that were voted invalid.
        network: the network's state as `bigchaindb.ledger.network` encodes it; None before its first block.
        outbox_count: transactions that were accepted and may be undecided.
        rejections: the proposals that this node voted against, ascending.
    """

    tip: Tip
    invalid_count: int
    network: bytes | None
    outbox_count: int
    rejections: Sequence[Rejection]


def read_node(directory: DataDirectory) -> StoredNode | None:
    """Read where a node stands; None: there is no ledger yet.

    Raises:
        StoreError: a file cannot be read; a note is the way on where a backup is none.
    """
    if not directory.ledger.exists():
        return None
    with closing(open_ledger(directory.ledger)) as reader, translated(directory.ledger.name), snapshot(reader):
        tip, counts = read_tip(reader)
        network = read_network(reader)
    require_node_db(directory)
    damages = Damages()
    with closing(NodeDb(directory.node, damages, read_only=True)) as node:
        ((outbox_count,),) = node.read("SELECT count(*) FROM outbox")
        rejections = Rejections(node).all()
    if damages.first is not None:
        raise damages.first
    return StoredNode(tip, tip.position - counts.blocks, network, outbox_count, rejections)


def require_node_db(directory: DataDirectory) -> None:
    """Require that `node.db` is there beside a ledger: a start without it makes an empty one.

    Raises:
        StoreError: it is missing, empty, or cannot be read; a note is the way on where a backup is none.
    """
    if directory.node.exists() and schema_of(directory.node):
        return
    error = StoreError(
        "node.db is missing or empty; it held the access keys, and where plugins and subscriptions are: these wait as "
        "GAPPED after a start without it"
    )
    error.add_note("put node.db back, or start without it and seek each: a backup takes the ledger back as well")
    raise error


def knows(directory: DataDirectory, node: NodeDb) -> bool:
    """Whether the ledger was last used with this `node.db`: a start takes any other for one that was put to it.

    Raises:
        StoreError: the ledger cannot be read.
    """
    with closing(open_reader(directory.ledger)) as reader, translated(directory.ledger.name), snapshot(reader):
        ((known_id,),) = reader.execute("SELECT node_id FROM local").fetchall()
    try:
        return known_id in {None, node.id}
    except StoreDamaged:  # a start replaces it by another
        return False


def is_blank(directory: DataDirectory) -> bool:
    """Whether `ledger.db` is a database without a ledger, as a start leaves it that was killed at once.

    Raises:
        StoreError: the file cannot be read.
    """
    if not directory.has_ledger:
        return False
    with closing(open_reader(directory.ledger)) as reader, translated(directory.ledger.name), snapshot(reader):
        ((version, tables),) = reader.execute(
            "SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version"
        ).fetchall()
    return (version, tables) == (0, 0)


def known_chain(directory: DataDirectory, *, is_copy: bool = False) -> str | None:
    """Return the chain id that the ledger holds; None where there is no ledger, or it holds none yet.

    Args:
        directory: of a node, running or not, or a copy of one.
        is_copy: nobody has the files open.

    Raises:
        StoreError: the file cannot be read; StoreDamaged: a row is not what was written.
    """
    if not directory.has_ledger:
        return None
    opened = (open_copy if is_copy else open_reader)(directory.ledger)
    with closing(opened) as reader, translated(directory.ledger.name), snapshot(reader):
        ((version,),) = reader.execute("PRAGMA user_version").fetchall()
        if version < CHAIN_VERSION:
            return None
        if version >= CHECKSUM_VERSION:
            read_one(reader, "local")
        ((chain_id,),) = reader.execute("SELECT chain_id FROM local").fetchall()
    return None if chain_id is None else str(chain_id)


def position_of(ledger: Path, transaction_id: str) -> int | None:
    """Return the position of the event whose block holds a transaction; None if no block does, or it is no id.

    It is a hint: the event there shows whether the transaction is in it.

    Raises:
        StoreError: the file cannot be read.
    """
    if (id_ := id_bytes(transaction_id)) is None:
        return None
    with closing(open_ledger(ledger)) as reader, translated(ledger.name):
        rows = reader.execute(_POSITION, (key_of(id_), id_, id_)).fetchall()
    return int(rows[0][0]) if rows else None
