"""node.db: what this node knows for itself, such as its lanes. Never part of what nodes agree on."""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from threading import Lock
from typing import Any, Final

from bigchaindb.store.database import batch, open_reader, open_writer, translated
from bigchaindb.store.migrations import NODE_STEPS, migrate

_CACHE_KIB: Final = 1024
_CHECKPOINT_COMMITS: Final = 100
"""Commits after which the write-ahead log is moved home: each is a page or two."""


@dataclass(frozen=True, slots=True)
class LaneRow:
    """What is kept of a lane besides its page.

    Attributes:
        epoch: number of its owner; its page is `lanes/NAME.EPOCH`.
        start_position: the position that this epoch began after.
        acked: as of the page's last sync; never above what the page said.
        acked_digest: of the log at `acked`, 32 bytes; must agree with the log at start (P8).
        state: a state of `bigchaindb.eventlog`'s table, by name.
        state_since: Unix seconds.
        attempts: of the event that stands first, so far.
        updated_at: Unix seconds.
    """

    name: str
    epoch: int
    start_position: int
    acked: int
    acked_digest: bytes
    state: str
    state_since: float
    attempts: int
    last_error: str | None
    updated_at: float


@dataclass(frozen=True, slots=True)
class ParkedRow:
    """An event that was set aside for a person to look at."""

    lane: str
    position: int
    attempts: int
    error: str
    parked_at: float


_LANES: Final = f"SELECT {', '.join(f.name for f in fields(LaneRow))} FROM lanes"  # noqa: S608 - names of our own
_PARKED: Final = f"SELECT {', '.join(f.name for f in fields(ParkedRow))} FROM parked"  # noqa: S608 - names of our own


class NodeDb:
    """The node's own knowledge; any thread may call it. Read-only for whoever does not own the directory."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open node.db, and make it unless `read_only`.

        Raises:
            StoreError: it cannot be opened.
            SchemaTooNew: a later version wrote it.
        """
        self._lock = Lock()
        self._commits = 0
        if read_only:
            self._connection = open_reader(path)
        else:
            self._connection = open_writer(path, cache_kib=_CACHE_KIB)
            self._prepare()

    @property
    def id(self) -> str:
        """Random, made with the file; ledger.db names the node.db that belongs to it."""
        return str(self._read("SELECT id FROM node")[0][0])

    def lane(self, name: str) -> LaneRow | None:
        """Give what is kept of one lane."""
        rows = self._read(f"{_LANES} WHERE name = ?", name)
        return LaneRow(*rows[0]) if rows else None

    def lanes(self) -> list[LaneRow]:
        """Give all lanes that were ever run and not forgotten, by name."""
        return [LaneRow(*row) for row in self._read(f"{_LANES} ORDER BY name")]

    def save_lane(self, row: LaneRow) -> None:
        """Write a lane down, durably.

        Raises:
            StoreFull: there was no room; nothing was written.
        """
        self.save_lanes([row])

    def save_lanes(self, rows: list[LaneRow]) -> None:
        """Write several lanes down in one fsync. Raises: as `save_lane`."""
        columns = [f.name for f in fields(LaneRow)]
        update = ", ".join(f"{c} = excluded.{c}" for c in columns[1:])
        # S608: names of our own. An upsert, because REPLACE would delete the lane's parked events.
        upsert = f"INSERT INTO lanes VALUES ({', '.join('?' * len(columns))}) ON CONFLICT DO UPDATE SET {update}"  # noqa: S608
        with self._batch() as connection:
            connection.executemany(upsert, [astuple(row) for row in rows])

    def forget_lane(self, name: str) -> None:
        """Remove a lane and what it parked."""
        with self._batch() as connection:
            connection.execute("DELETE FROM lanes WHERE name = ?", (name,))

    def parked(self, lane: str) -> list[ParkedRow]:
        """Give the events that a lane has parked, in ascending position."""
        return [ParkedRow(*row) for row in self._read(f"{_PARKED} WHERE lane = ? ORDER BY position", lane)]

    def park(self, row: ParkedRow) -> None:
        """Write down that an event was set aside; the lane must be saved already. Raises: as `save_lane`."""
        with self._batch() as connection:
            connection.execute("INSERT OR REPLACE INTO parked VALUES (?, ?, ?, ?, ?)", astuple(row))

    def unpark(self, lane: str, position: int) -> None:
        """Forget that an event was parked: it was delivered again, or discarded."""
        with self._batch() as connection:
            connection.execute("DELETE FROM parked WHERE lane = ? AND position = ?", (lane, position))

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    def _prepare(self) -> None:
        with translated("node.db"):
            migrate(self._connection, "node.db", NODE_STEPS)
            self._connection.execute("PRAGMA foreign_keys = ON")
            with batch(self._connection):
                self._connection.execute("INSERT OR IGNORE INTO node VALUES (1, ?)", (secrets.token_hex(16),))

    def _read(self, sql: str, *arguments: str) -> list[tuple[Any, ...]]:
        with self._lock, translated("node.db"):
            return self._connection.execute(sql, arguments).fetchall()

    @contextmanager
    def _batch(self) -> Iterator[sqlite3.Connection]:
        with self._lock, translated("node.db"):
            with batch(self._connection):
                yield self._connection
            self._commits += 1
            if self._commits % _CHECKPOINT_COMMITS == 0:
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
