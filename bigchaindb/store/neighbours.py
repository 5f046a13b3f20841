"""Whether a flipped bit in the key of an index row hides it, so that a search misses what is there.

A row whose key is damaged still stands where it stood. So a search that it leads astray, or that looks for it, ends
beside it: the rows on both sides of where a search ended are compared with those that they lead to. Decision: 0069.
"""

import sqlite3
from typing import Any, Final

from bigchaindb.store.checksums import damaged
from bigchaindb.store.keys import NAMED, key_of, keys_of, owner_hashes

INDEXES: Final = {"transaction_index": "seq", "asset_index": "seq", "owner_index": "output", "block_index": "position"}
"""Of each index the column that numbers its rows."""
FIRST: Final = -1
LAST: Final = (1 << 63) - 1
"""Numbers below and above all that rows have."""
_HASHES: Final = {
    "transaction_index": ("t.id", "transactions AS t ON t.seq = i.seq"),
    "asset_index": ("t.asset", "transactions AS t ON t.seq = i.seq"),
    "owner_index": (
        "coalesce(o.owners, n.keys)",
        f"outputs AS o ON o.output = i.output LEFT JOIN named AS n ON n.seq = i.output - {NAMED}",
    ),
    "block_index": ("e.block_id", "events AS e ON e.position = i.position"),
}
"""Of each index the hash that a row is of, and how it leads there."""


def rows_from(index: str) -> str:
    """Return the SQL for the rows of an index: key, number and the hash, NULL where it leads nowhere."""
    hash_, joined = _HASHES[index]
    return f"SELECT i.key, i.{INDEXES[index]}, {hash_} FROM {index} AS i LEFT JOIN {joined}"  # noqa: S608 - names of our own


def leads_on(key: int, number: int, hash_: object) -> bool:
    """Whether an index row has the key of the hash that it leads to, or of one of the owners or of the keys named."""
    parts = owner_hashes if number < NAMED else keys_of
    return isinstance(hash_, bytes) and key in map(key_of, parts(hash_))


def _sides(index: str) -> str:
    at = f"(i.key, i.{INDEXES[index]})"
    before = f"{rows_from(index)} WHERE {at} <= (:key, :number) ORDER BY i.key DESC, i.{INDEXES[index]} DESC LIMIT 1"
    behind = f"{rows_from(index)} WHERE {at} > (:key, :number) ORDER BY i.key, i.{INDEXES[index]} LIMIT 1"
    return f"SELECT * FROM ({before}) UNION ALL SELECT * FROM ({behind})"  # noqa: S608 - as above


_SIDES: Final = {index: _sides(index) for index in INDEXES}


def expect_neighbours(connection: sqlite3.Connection, index: str, key: int, number: int) -> None:
    """Compare the rows on both sides of the place where a search for a key and a number ends.

    Raises:
        StoreDamaged: one of them leads to no row of its hash.
    """
    rows: list[tuple[Any, ...]] = connection.execute(_SIDES[index], {"key": key, "number": number}).fetchall()
    for found, leads_to, hash_ in rows:
        if not leads_on(found, leads_to, hash_):
            raise damaged(index, f"{found}, {leads_to}", "leads to no row of that hash")
