"""Where the chain and its log stand, and the network's state: tables of one row, each compared with its checksum."""

import sqlite3
from typing import Any, Final

from bigchaindb.ledger.effects import Tip
from bigchaindb.store.checksums import checksum_of, read_one
from bigchaindb.store.rows import Counts

_SET_TIP: Final = """
UPDATE tip SET height = ?, block_id = ?, timestamp = ?, app_hash = ?, position = ?, digest = ?,
    block_count = ?, transaction_count = ?, output_count = ?, log_bytes = ?, checksum = ? WHERE one = 1
"""
# With its key named, SQLite makes no table of the rows to change: 5 µs instead of 27.


def read_tip(connection: sqlite3.Connection) -> tuple[Tip, Counts]:
    """Read where the chain and its log stand, and how many rows of each kind there are.

    Raises:
        StoreDamaged: it is not what was written.
    """
    columns: tuple[Any, ...] = read_one(connection, "tip")
    height, block_id, timestamp, app_hash, position, digest, *counts = columns
    return Tip(height, block_id.hex(), timestamp, app_hash, position, digest), Counts(*counts)


def write_tip(connection: sqlite3.Connection, tip: Tip, counts: Counts) -> None:
    """Write where they stand after a commit, within its batch."""
    row = (tip.height, bytes.fromhex(tip.block_id), tip.timestamp, tip.app_hash, tip.position, tip.digest, *counts)
    connection.execute(_SET_TIP, (*row, checksum_of(*row)))


def read_network(connection: sqlite3.Connection) -> bytes | None:
    """Read the network's state as the ledger encodes it; None where there is none. Raises: as `read_tip`."""
    state: Any
    (state,) = read_one(connection, "network")
    return None if state is None else bytes(state)


def write_network(connection: sqlite3.Connection, state: bytes) -> None:
    """Write the network's state after a commit, within its batch."""
    connection.execute("UPDATE network SET state = ?, checksum = ? WHERE one = 1", (state, checksum_of(state)))
