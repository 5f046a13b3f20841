"""node.db: what this node knows for itself, such as its lanes. Never part of what nodes agree on."""

import secrets
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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

PARKED_COUNT: Final = 1_000
"""Parked events of one read by default."""


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
        updated_at: Unix seconds.
    """

    name: str
    epoch: int
    start_position: int
    acked: int
    acked_digest: bytes
    state: str
    state_since: float
    last_error: str | None
    updated_at: float


@dataclass(frozen=True, slots=True)
class TroubleRow:
    """An event of a lane that failed.

    Attributes:
        attempts: deliveries so far.
        failures: those that were its own fault.
        since: of the first of these, Unix seconds.
        parked_at: when it was set aside, Unix seconds; None: it is in hand.
        returns_in: the first epoch whose page holds it again, at a person's wish; None: it stays parked.
    """

    lane: str
    position: int
    attempts: int
    failures: int
    since: float
    error: str
    parked_at: float | None = None
    returns_in: int | None = None


_LANES: Final = f"SELECT {', '.join(f.name for f in fields(LaneRow))} FROM lanes"  # noqa: S608 - names of our own
_TROUBLES: Final = f"SELECT {', '.join(f.name for f in fields(TroubleRow))} FROM troubles"  # noqa: S608 - as above
_PUT_TROUBLE: Final = f"INSERT OR REPLACE INTO troubles VALUES ({', '.join('?' * len(fields(TroubleRow)))})"  # noqa: S608


class NodeDb:
    """The node's own knowledge; any thread may call it. Read-only in a process that does not own the directory.

    Attributes:
        is_new: whether it was made just now; where a ledger was before, the one that belonged to it is lost.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open node.db, and make it unless `read_only`.

        Raises:
            StoreError: it cannot be opened.
            SchemaTooNew: a later version wrote it.
        """
        self._lock = Lock()
        self._commits = 0
        self.is_new = False
        if read_only:
            self._connection = open_reader(path)
        else:
            self._connection = open_writer(path, cache_kib=_CACHE_KIB)
            self._prepare()

    @property
    def id(self) -> str:
        """Random, made with the file; ledger.db names the node.db that belongs to it."""
        return str(self.read("SELECT id FROM node")[0][0])

    def lane(self, name: str) -> LaneRow | None:
        """Return the row of one lane, None if it has none."""
        rows = self.read(f"{_LANES} WHERE name = ?", name)
        return LaneRow(*rows[0]) if rows else None

    def lanes(self) -> list[LaneRow]:
        """Return all lanes that were ever run and not forgotten, by name."""
        return [LaneRow(*row) for row in self.read(f"{_LANES} ORDER BY name")]

    def save_lanes(self, rows: Mapping[LaneRow, Sequence[TroubleRow]], *, sought: Collection[str] = ()) -> None:
        """Write lanes down, durably and in one fsync, each with what it has in hand and failed.

        Args:
            rows: the lanes, and what each has in hand and failed.
            sought: lanes that a person sent to where they are: what they have parked stays so, and what of it lies
                beyond is forgotten, as it comes again anyway.

        Raises:
            StoreFull: there was no room; nothing was written.
        """
        columns = [f.name for f in fields(LaneRow)]
        update = ", ".join(f"{c} = excluded.{c}" for c in columns[1:])
        # S608: names of our own. An upsert, because REPLACE would delete the lane's parked events.
        upsert = f"INSERT INTO lanes VALUES ({', '.join('?' * len(columns))}) ON CONFLICT DO UPDATE SET {update}"  # noqa: S608
        with self.batch() as connection:
            connection.executemany(upsert, [astuple(row) for row in rows])
            in_hand = "DELETE FROM troubles WHERE lane = ? AND parked_at IS NULL"
            connection.executemany(in_hand, [(row.name,) for row in rows])
            for row in rows:
                if row.name in sought:
                    connection.execute("DELETE FROM troubles WHERE lane = ? AND position > ?", (row.name, row.acked))
                    connection.execute("UPDATE troubles SET returns_in = NULL WHERE lane = ?", (row.name,))
            connection.executemany(_PUT_TROUBLE, [astuple(one) for found in rows.values() for one in found])

    def has_run(self, name: str) -> bool:
        """Whether a lane's plugin was ready at least once."""
        return bool(self.read("SELECT 1 FROM ran WHERE lane = ?", name))

    def note_run(self, name: str) -> None:
        """Note that a lane's plugin was ready. Raises: as `save_lanes`."""
        with self.batch() as connection:
            connection.execute("INSERT OR IGNORE INTO ran VALUES (?)", (name,))

    def forget_lane(self, name: str) -> None:
        """Remove a lane and what it parked. Raises: as `save_lanes`."""
        with self.batch() as connection:
            connection.execute("DELETE FROM lanes WHERE name = ?", (name,))

    def troubles(self, lane: str) -> list[TroubleRow]:
        """Return the events of a lane that failed and are in hand, and those that come back to it, by position."""
        which = "WHERE lane = ? AND (parked_at IS NULL OR returns_in IS NOT NULL) ORDER BY position"
        return [TroubleRow(*row) for row in self.read(f"{_TROUBLES} {which}", lane)]

    def parked(self, lane: str, *, after: int = 0, count_max: int = PARKED_COUNT) -> list[TroubleRow]:
        """Return the first events that a lane has parked beyond position `after`, ascending."""
        which = "WHERE lane = ? AND parked_at IS NOT NULL AND position > ? ORDER BY position LIMIT ?"
        return [TroubleRow(*row) for row in self.read(f"{_TROUBLES} {which}", lane, after, count_max)]

    def parked_among(self, lane: str, positions: Sequence[int]) -> set[int]:
        """Return those of a window's positions that are parked and not asked for again."""
        marks = ", ".join("?" * len(positions))
        which = f"lane = ? AND position IN ({marks}) AND parked_at IS NOT NULL AND returns_in IS NULL"
        found = self.read(f"SELECT position FROM troubles WHERE {which}", lane, *positions)  # noqa: S608 - marks alone
        return {position for (position,) in found}

    def parked_count(self, lane: str) -> int:
        """Count the events that a lane has parked."""
        ((count,),) = self.read("SELECT count(*) FROM troubles WHERE lane = ? AND parked_at IS NOT NULL", lane)
        return int(count)

    def park(self, row: TroubleRow) -> None:
        """Write down, durably, that an event was set aside; the lane must be saved already. Raises: as `save_lanes`."""
        with self.batch() as connection:
            connection.execute(_PUT_TROUBLE, astuple(row))

    def let_return(self, lane: str, positions: Iterable[int], epoch: int) -> None:
        """Note, durably, that parked events come again from `epoch` on. Raises: as `save_lanes`."""
        with self.batch() as connection:
            connection.executemany(
                "UPDATE troubles SET returns_in = ? WHERE lane = ? AND position = ? AND parked_at IS NOT NULL",
                [(epoch, lane, position) for position in positions],
            )

    def unpark(self, lane: str, positions: Iterable[int]) -> None:
        """Forget that events were parked: they were settled, or discarded. Raises: as `save_lanes`."""
        with self.batch() as connection:
            connection.executemany(
                "DELETE FROM troubles WHERE lane = ? AND position = ?", [(lane, position) for position in positions]
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _prepare(self) -> None:
        with translated("node.db"):
            migrate(self._connection, "node.db", NODE_STEPS)
            self._connection.execute("PRAGMA foreign_keys = ON")
            ((version,),) = self._connection.execute("PRAGMA user_version").fetchall()
            with batch(self._connection):
                # As the start barrier of the ledger: a kill may have left frames that were never synced, and none of
                # them may be acted on before this commit's sync. Rows that stay as they are would write nothing.
                self._connection.execute(f"PRAGMA user_version = {version}")
                made = self._connection.execute("INSERT OR IGNORE INTO node VALUES (1, ?)", (secrets.token_hex(16),))
                self.is_new = made.rowcount == 1

    def read(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Return all rows that a statement finds."""
        with self._lock, translated("node.db"):
            return self._connection.execute(sql, arguments).fetchall()

    @contextmanager
    def batch(self) -> Iterator[sqlite3.Connection]:
        """Write what happens inside durably and in one fsync, or not at all.

        Raises:
            StoreFull: there was no room; nothing was written.
        """
        with self._lock, translated("node.db"):
            with batch(self._connection):
                yield self._connection
            self._commits += 1
            if self._commits % _CHECKPOINT_COMMITS == 0:
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
