"""node.db: what this node knows for itself, such as its lanes. Never part of what nodes agree on."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from threading import Lock
from typing import Any, Final

from bigchaindb.errors import RESTORE, StoreDamaged
from bigchaindb.store import node_rows
from bigchaindb.store.damages import Damages
from bigchaindb.store.database import batch, open_reader, open_writer, translated
from bigchaindb.store.kept import LaneRow, SubscriptionRow, TroubleRow
from bigchaindb.store.migrations import NODE_STEPS, migrate
from bigchaindb.store.node_rows import LANES, NODE, RAN, SEEKS, SUBSCRIPTIONS, TROUBLES, Compared, Damaged, Table

_CACHE_KIB: Final = 1024
_CHECKPOINT_COMMITS: Final = 100
"""Commits after which the write-ahead log is moved home: each is a page or two."""
_COMMIT_BYTES: Final = 8 * 1024
"""A commit of so many bytes counts as two, and so on."""

PARKED_COUNT: Final = 1_000
"""Parked events of one read by default."""


# An upsert, because REPLACE would delete the lane's parked events.
_PUT_LANE: Final = f"""
INSERT INTO lanes VALUES ({", ".join("?" * (len(LANES.columns) + 1))})
ON CONFLICT DO UPDATE SET {", ".join(f"{column} = excluded.{column}" for column in (*LANES.columns[1:], "checksum"))}
"""  # noqa: S608 - names of our own


class NodeDb:
    """The node's own knowledge; any thread may call it. Read-only in a process that does not own the directory.

    Attributes:
        is_new: whether it was made just now; where a ledger was before, the one that belonged to it is lost.
    """

    def __init__(self, path: Path, damages: Damages | None = None, *, read_only: bool = False) -> None:
        """Open node.db, and make it unless `read_only`.

        Args:
            path: of the file.
            damages: takes note of what reads find damaged.
            read_only: whether another process may own it.

        Raises:
            StoreError: it cannot be opened.
            SchemaTooNew: a later version wrote it.
        """
        self._lock = Lock()
        self._damages = damages or Damages()
        self._commits = 0
        self._damaged: dict[str, list[Damaged]] = {}
        self.is_new = False
        self._connection = open_reader(path) if read_only else open_writer(path, cache_kib=_CACHE_KIB)
        try:
            if read_only:
                with translated("node.db"):
                    node_rows.require_tables(self._connection)
            else:
                self._prepare()
        except BaseException:
            self._connection.close()
            raise

    @property
    def id(self) -> str:
        """Random, made with the file; ledger.db names the node.db that belongs to it."""
        return str(self.rows(NODE)[0][1])

    def lane(self, name: str, *, is_subscribed: bool = False) -> LaneRow | None:
        """Return the row of one lane, None if it is new.

        Args:
            name: of the lane.
            is_subscribed: it is a subscription's, whose row was written with the definition.

        Raises:
            StoreDamaged: its row is not what was written, or is gone; or it has none and may be the lane of such a row.
        """
        if rows := self.rows(LANES, "WHERE name = ?", name):
            return LaneRow(*rows[0])
        if damages := self._damages_in(LANES):
            raise damages[0].error
        if is_subscribed or self.has_run(name):
            raise StoreDamaged(f"node.db: the row of lane {name!r} is gone; {RESTORE}", table=LANES.name)
        return None

    def has_lane(self, name: str) -> bool:
        """Whether something is kept of a lane of this name."""
        return bool(self.read("SELECT 1 FROM lanes WHERE name = ?", name))

    def lane_names(self) -> list[str]:
        """Return the names of all lanes that were ever run and not forgotten, as they are stored."""
        return [node_rows.readable(name) for name in self.compared(LANES).first_columns()]

    def save_lanes(
        self,
        rows: Mapping[LaneRow, Sequence[TroubleRow]],
        *,
        counts: Mapping[str, Mapping[int, int]] | None = None,
        sought: Mapping[str, int] | None = None,
    ) -> None:
        """Write lanes down, durably and in one fsync, each with what it has in hand and failed.

        Args:
            rows: the lanes, and what each has in hand and failed.
            counts: deliveries so far of what is parked and came again, by lane and position.
            sought: lanes that a person sent to where they are, each with its number of seeks by now: what they have
                parked stays so, and what of it lies beyond is forgotten, as it comes again anyway.

        Raises:
            StoreFull: there was no room; nothing was written.
        """
        with self.batch() as connection:
            connection.executemany(_PUT_LANE, [node_rows.sealed(LANES, astuple(row)) for row in rows])
            in_hand = "DELETE FROM troubles WHERE lane = ? AND parked_at IS NULL"
            connection.executemany(in_hand, [(row.name,) for row in rows])
            for row in rows:
                if row.name in (sought or {}):
                    _keep_settled(connection, row)
            for name, count in (sought or {}).items():
                _count_seeks(connection, name, count)
            troubles = [astuple(one) for found in rows.values() for one in found]
            node_rows.put(connection, TROUBLES, troubles)
            for name, attempts in (counts or {}).items():
                _count(connection, name, attempts)

    def seek_count(self, name: str) -> int:
        """Return how often a person has sent a lane to another place.

        Raises:
            StoreDamaged: the row of the lane is not what was written, or one of no other lane.
        """
        if rows := self.rows(SEEKS, "WHERE lane = ?", name):
            return int(rows[0][1])
        strays = self._damages_in(SEEKS)  # a damaged key may be anywhere
        if strays and (damages := _damages_of(strays, name, self.lane_names())):
            raise damages[0].error
        return 0

    def has_run(self, name: str) -> bool:
        """Whether a lane's plugin was ready at least once; perhaps, where a row is damaged."""
        found = self.compared(RAN, "WHERE lane = ?", name)
        return bool(found.whole or found.damages or self._damages_in(RAN))

    def note_run(self, name: str) -> None:
        """Note that a lane's plugin was ready. Raises: as `save_lanes`."""
        with self.batch() as connection:
            node_rows.put(connection, RAN, [(name,)])

    def forget_lane(self, name: str) -> None:
        """Remove a lane and what it parked. Raises: as `save_lanes`."""
        with self.batch() as connection:
            _forget(connection, name)

    def subscriptions(self) -> list[SubscriptionRow]:
        """Return all subscriptions by name; of damaged rows note is taken."""
        if not self._has(SUBSCRIPTIONS):
            return []
        return [SubscriptionRow(*row) for row in self.compared(SUBSCRIPTIONS, "ORDER BY name").whole]

    def damaged_subscriptions(self) -> list[Damaged]:
        """Return each row of a subscription that is not what was written."""
        return self._damages_in(SUBSCRIPTIONS) if self._has(SUBSCRIPTIONS) else []

    def subscription(self, name: str) -> SubscriptionRow | None:
        """Return one subscription, None if there is none of that name.

        Raises:
            StoreDamaged: its row is not what was written.
        """
        if rows := self.rows(SUBSCRIPTIONS, "WHERE name = ?", name):
            return SubscriptionRow(*rows[0])
        for one in self._damages_in(SUBSCRIPTIONS):
            if one.is_of(name):
                raise one.error
        return None

    def put_subscription(self, row: SubscriptionRow, lane: LaneRow | None = None) -> None:
        """Write a subscription down, durably, and with a new one its lane, at the place where it begins.

        Raises:
            StoreDamaged: the row of that name is not what was written; it is not replaced.
            StoreFull: there was no room; nothing was written.
        """
        self.rows(SUBSCRIPTIONS, "WHERE name = ?", row.name)
        with self.batch() as connection:
            node_rows.put(connection, SUBSCRIPTIONS, [astuple(row)])
            if lane is not None:
                connection.execute(_PUT_LANE, node_rows.sealed(LANES, astuple(lane)))

    def delete_subscription(self, name: str) -> None:
        """Remove a subscription, a damaged one too, with its lane and what that parked. Raises: as `save_lanes`."""
        is_there = self.read("SELECT 1 FROM subscriptions WHERE name = ?", name)
        damages = [] if is_there else self._damages_in(SUBSCRIPTIONS)
        # Bytes: a damaged name may be no text.
        names = [name.encode(), *(one.row[0].encode(errors="surrogateescape") for one in damages if one.is_of(name))]
        with self.batch() as connection:
            connection.executemany("DELETE FROM subscriptions WHERE CAST(name AS BLOB) = ?", [(one,) for one in names])
            _forget(connection, name)

    def troubles(self, lane: str) -> list[TroubleRow]:
        """Return the events of a lane that failed and are in hand, and those that come back to it, by position.

        Raises:
            StoreDamaged: a row of the lane, parked ones included, is not what was written, or one of no other lane.
        """
        found = self.rows(TROUBLES, "WHERE lane = ? ORDER BY position", lane)
        strays = self._damages_in(TROUBLES)  # a damaged key may be anywhere
        if strays and (damages := _damages_of(strays, lane, self.lane_names())):
            raise damages[0].error
        rows = [TroubleRow(*row) for row in found]
        return [row for row in rows if row.parked_at is None or row.returns_in is not None]

    def parked(self, lane: str, *, after: int = 0, count_max: int = PARKED_COUNT) -> list[TroubleRow]:
        """Return the first events that a lane has parked beyond position `after`, ascending."""
        which = "WHERE lane = ? AND parked_at IS NOT NULL AND position > ? ORDER BY position LIMIT ?"
        return [TroubleRow(*row) for row in self.rows(TROUBLES, which, lane, after, count_max)]

    def parked_among(self, lane: str, positions: Sequence[int]) -> set[int]:
        """Return those of a window's positions that are parked and not asked for again."""
        marks = ", ".join("?" * len(positions))
        found = self.rows(TROUBLES, f"WHERE lane = ? AND position IN ({marks})", lane, *positions)
        rows = [TroubleRow(*row) for row in found]
        return {row.position for row in rows if row.parked_at is not None and row.returns_in is None}

    def parked_count(self, lane: str) -> int:
        """Count the events that a lane has parked."""
        ((count,),) = self.read("SELECT count(*) FROM troubles WHERE lane = ? AND parked_at IS NOT NULL", lane)
        return int(count)

    def park(self, *rows: TroubleRow) -> None:
        """Write down, durably, that events were set aside; the lane must be saved already. Raises: as `save_lanes`."""
        with self.batch() as connection:
            node_rows.put(connection, TROUBLES, [astuple(row) for row in rows])

    def let_return(self, lane: str, positions: Iterable[int], epoch: int) -> None:
        """Note, durably, that parked events come again from `epoch` on. Raises: as `save_lanes`."""
        which = "WHERE lane = ? AND position = ? AND parked_at IS NOT NULL"
        rows = [row for position in positions for row in self.rows(TROUBLES, which, lane, position)]
        with self.batch() as connection:
            node_rows.put(connection, TROUBLES, [(*row[:-1], epoch) for row in rows])

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
            node_rows.require_tables(self._connection)
            self._connection.execute("PRAGMA foreign_keys = ON")
            ((version,),) = self._connection.execute("PRAGMA user_version").fetchall()
            with batch(self._connection):
                # As the start barrier of the ledger: a kill may have left frames that were never synced, and none of
                # them may be acted on before this commit's sync. Rows that stay as they are would write nothing.
                self._connection.execute(f"PRAGMA user_version = {version}")
                found = node_rows.compare(self._connection, NODE)
                self.is_new = not found.whole and not found.damages
                if not found.whole:  # a damaged id is replaced: the ledger knows another, and no lane goes on (P8)
                    node_rows.renew_id(self._connection)
        for one in found.damages:
            self._damages.note(one.error)

    def _has(self, table: Table) -> bool:
        """Whether the file has a table; one that an older version wrote may lack it."""
        with self._lock, translated("node.db"):
            return table in node_rows.summed_tables(self._connection)

    def _damages_in(self, table: Table) -> list[Damaged]:
        """Return the damaged rows of a table, whose keys may be damaged as well.

        All rows are read once, and again only after a write that may have mended one: else a start with a thousand
        lanes would read them a thousand times.
        """
        if (known := self._damaged.get(table.name)) is None:
            known = self._damaged[table.name] = self.compared(table).damages
        return known

    def rows(self, table: Table, where: str = "", *arguments: object) -> list[tuple[Any, ...]]:
        """Return the rows of a table.

        Raises:
            StoreDamaged: one of them is not what was written.
        """
        found = self.compared(table, where, *arguments)
        if found.damages:
            raise found.damages[0].error
        return found.whole

    def compared(self, table: Table, where: str = "", *arguments: object) -> Compared:
        """Return the rows of a table, damaged ones apart: they are noted."""
        with self._lock, translated("node.db"):
            found = node_rows.compare(self._connection, table, where, arguments)
        for one in found.damages:
            self._damages.note(one.error)
        return found

    def read(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Return all rows that a statement finds."""
        with self._lock, translated("node.db"):
            return self._connection.execute(sql, arguments).fetchall()

    @contextmanager
    def batch(self, bytes_count: int = 0) -> Iterator[sqlite3.Connection]:
        """Write what happens inside durably and in one fsync, or not at all; `bytes_count` is about what is written.

        Raises:
            StoreFull: there was no room; nothing was written.
        """
        with self._lock, translated("node.db"):
            with batch(self._connection):
                yield self._connection
            self._damaged = {name: damages for name, damages in self._damaged.items() if not damages}
            self._commits += 1 + bytes_count // _COMMIT_BYTES
            if self._commits >= _CHECKPOINT_COMMITS:
                self._commits = 0
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _count(connection: sqlite3.Connection, lane: str, attempts: Mapping[int, int]) -> None:
    """Count the deliveries of what is parked and came again; the rest of such a row is that of the park."""
    which = "WHERE lane = ? AND position = ? AND attempts < ? AND parked_at IS NOT NULL"
    for position, count in attempts.items():
        found = node_rows.compare(connection, TROUBLES, which, (lane, position, count))
        node_rows.put(connection, TROUBLES, [(lane, position, count, *row[3:]) for row in found.whole])


def _keep_settled(connection: sqlite3.Connection, row: LaneRow) -> None:
    """Forget what a lane has parked beyond its cursor, and damaged rows: the person who sought knows of them."""
    found = node_rows.compare(connection, TROUBLES)
    kept = [(*one[:-1], None) for one in found.whole if one[0] == row.name and one[1] <= row.acked]
    damages = _damages_of(found.damages, row.name, node_rows.compare(connection, LANES).first_columns())
    connection.execute("DELETE FROM troubles WHERE lane = ?", (row.name,))
    # The key is not searched: a damaged one stands where it would not be found, and may be no text.
    gone = [(one.row[0].encode(errors="surrogateescape"), one.row[1]) for one in damages]
    connection.executemany("DELETE FROM troubles WHERE CAST(lane AS BLOB) = ? AND +position = ?", gone)
    node_rows.put(connection, TROUBLES, kept)


def _count_seeks(connection: sqlite3.Connection, lane: str, count: int) -> None:
    """Note how often a lane was sought, and forget damaged rows, as `_keep_settled` does."""
    names = node_rows.compare(connection, LANES).first_columns()
    damages = _damages_of(node_rows.compare(connection, SEEKS).damages, lane, names)
    gone = [(one.row[0].encode(errors="surrogateescape"),) for one in damages]
    connection.executemany("DELETE FROM seeks WHERE CAST(lane AS BLOB) = ?", gone)
    node_rows.put(connection, SEEKS, [(lane, count)])


def _forget(connection: sqlite3.Connection, lane: str) -> None:
    connection.execute("DELETE FROM lanes WHERE name = ?", (lane,))
    for table in (RAN, TROUBLES, SEEKS):  # of a lane whose name is damaged
        connection.execute(f"DELETE FROM {table.name} WHERE lane = ?", (lane,))  # noqa: S608 - as above


def _damages_of(found: Iterable[Damaged], lane: str, names: Iterable[str]) -> list[Damaged]:
    """Return the damaged rows that may be of a lane: all but those that are proven to be another's."""
    others = [name for name in names if name != lane]
    return [
        one for one in found if one.is_of(lane) or not any(name == one.row[0] or one.is_of(name) for name in others)
    ]
