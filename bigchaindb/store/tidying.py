"""What the writer does between blocks, after the announcement: merge search segments, move the log's frames home.

Within a commit, both would delay its clients. It is done in pieces, so that a commit waits for one of them at most.
Figures: docs/decisions/0006 and 0087.
"""

import sqlite3
from pathlib import Path
from typing import Final

from bigchaindb.store.checksums import damaged
from bigchaindb.store.database import batch

CHECKPOINT_FRAMES: Final = 1_000
"""Frames of the write-ahead log from which they are moved: SQLite's own default."""
PAGE_BYTES: Final = 4096
MERGE_COMMITS: Final = 8
"""Commits, each a segment a table, after which segments are merged."""
MERGE_PAGES: Final = 64
"""Pages written by one merge: a few milliseconds."""
SEGMENTS_MAX: Final = 16
"""Segments of one table above which it is merged more than once in a turn."""
MERGES_MAX: Final = 8
"""Merges of one table in one turn, each a piece."""
STRUCTURE: Final = 10
"""The row of FTS5's data with its segments: https://www.sqlite.org/fts5.html, section 8, "FTS5 Data Structures"."""
SEARCH_TABLES: Final = ("assets_search", "metadata_search")


class Tidying:
    """Counts what commits leave behind and clears it away. Belongs to the writer's thread."""

    def __init__(self, connection: sqlite3.Connection, path: Path, *, wal_bytes_max: int) -> None:
        self._connection = connection
        self._wal = path.with_name(path.name + "-wal")
        self._wal_bytes_max = wal_bytes_max
        self._commits = 0
        self._merges_due = dict.fromkeys(SEARCH_TABLES, 0)
        self._frames = self._checkpoint_at = CHECKPOINT_FRAMES  # unknown: what a crash left is moved at once

    def committed(self, transaction_count: int, body_bytes: int) -> None:
        """Note a commit. Frames are an estimate, as Python's module does not tell them: twice what bodies fill."""
        self._commits += 1
        self._frames += 16 + 2 * transaction_count + 2 * body_bytes // PAGE_BYTES
        if self._commits >= MERGE_COMMITS:
            self._commits = 0
            self._merges_due = dict.fromkeys(SEARCH_TABLES, MERGES_MAX)

    def wrote(self, row_count: int) -> None:
        """Note rows that were written between commits, at worst one a page."""
        self._frames += row_count

    def tidy(self) -> bool:
        """Do one piece of what is due; return whether another one is."""
        if self._frames >= self._checkpoint_at:
            self._checkpoint()
        elif (table := self._to_merge()) is not None:
            self._merge(table)
        return self._to_merge() is not None

    def _to_merge(self) -> str | None:
        """Return the table that most is due of: one after the other, the first alone may take all pieces."""
        table = max(self._merges_due, key=self._merges_due.__getitem__)
        return table if self._merges_due[table] else None

    def _merge(self, table: str) -> None:
        before = self._connection.total_changes
        with batch(self._connection):
            self._connection.execute(f"INSERT INTO {table} ({table}, rank) VALUES ('merge', ?)", (MERGE_PAGES,))  # noqa: S608
        self._merges_due[table] -= 1
        if self._connection.total_changes - before < 2:  # noqa: PLR2004 - FTS5's sign that nothing was left to do
            self._merges_due[table] = 0
            return
        self._frames += MERGE_PAGES
        if self.segment_count(table) <= SEGMENTS_MAX:
            self._merges_due[table] = 0

    def segment_count(self, table: str) -> int:
        """Read how many segments a search table has from FTS5's structure record.

        Raises:
            StoreDamaged: there is none, or it is none.
        """
        rows = self._connection.execute(f"SELECT block FROM {table}_data WHERE id = {STRUCTURE}").fetchall()  # noqa: S608
        try:
            _, at = varint(rows[0][0], 4)
            return varint(rows[0][0], at)[0]
        except (IndexError, TypeError) as error:
            raise damaged(f"{table}_data", STRUCTURE, "does not list its segments") from error

    def _checkpoint(self) -> None:
        # TRUNCATE waits for readers, so it is for a log that readers kept from starting over; the timeout is 0 (S1).
        mode = "TRUNCATE" if self._wal.stat().st_size > self._wal_bytes_max else "PASSIVE"
        ((_, frames, moved),) = self._connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
        self._frames = frames - moved
        self._checkpoint_at = self._frames + CHECKPOINT_FRAMES  # what a reader still needs is not tried at each piece


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of FTS5's records; return it, and where the next one begins."""
    value = 0
    while True:
        byte = data[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:  # noqa: PLR2004 - the last byte's high bit is clear
            return value, at
