"""What a node of a network knows for itself, in node.db: what it has promised its clients, and what it has rejected."""

import sqlite3
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Final

import msgspec

from bigchaindb.ledger.ports import RejectedRow
from bigchaindb.ledger.rejections import BODY_BYTES_MAX, Rejection
from bigchaindb.store import node_rows
from bigchaindb.store.node_db import NodeDb
from bigchaindb.store.node_rows import OUTBOX, REJECTIONS
from bigchaindb.store.rejected import RejectedWriter


class Outbox:
    """Transactions that clients were told are accepted, until they are decided. Belongs to one thread.

    Where each stands is known in memory: an index over ids would dirty a page for each.
    """

    def __init__(self, db: NodeDb, log: RejectedWriter | None = None) -> None:
        self._db = db
        self._log = log or RejectedWriter(db)
        self._seqs = {id_.hex(): seq for id_, seq in db.read("SELECT id, seq FROM outbox")}
        self._last = max(self._seqs.values(), default=0)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._seqs)

    def put(self, transactions: Iterable[tuple[str, bytes]]) -> None:
        """Write ids and bodies down that are not there yet, durably, in one fsync. Raises: as `NodeDb`."""
        rows = []
        for id_, body in transactions:
            if id_ not in self._seqs:
                self._last += 1
                self._seqs[id_] = self._last
                rows.append((self._last, bytes.fromhex(id_), body))
        with self._db.batch(sum(len(body) for *_, body in rows)) as connection:
            node_rows.put(connection, OUTBOX, rows)

    def drop(self, ids: Iterable[str]) -> None:
        """Forget what was decided."""
        with self._db.batch() as connection:
            self._delete(connection, ids)

    def reject(self, rejected: Sequence[RejectedRow], ids: Iterable[str]) -> int:
        """Record rejected transactions and forget `ids`, in one write (P21); return the last position of the record."""
        with self._db.batch(sum(len(one.body) for one in rejected)) as connection:
            self._delete(connection, ids)
            return self._log.insert(connection, rejected)

    def _delete(self, connection: sqlite3.Connection, ids: Iterable[str]) -> None:
        seqs = [(seq,) for id_ in ids if (seq := self._seqs.pop(id_, None)) is not None]
        connection.executemany("DELETE FROM outbox WHERE seq = ?", seqs)

    def all(self) -> list[tuple[str, bytes]]:
        """Return ids and bodies, oldest first; of damaged rows note is taken."""
        return [(id_.hex(), body) for _, id_, body in self._db.compared(OUTBOX, "ORDER BY seq").whole]


class Rejections:
    """Implements `bigchaindb.ledger.ports.OwnRejections`. A verdict is durable before it is given.

    One that is damaged is left out and noted: a validator that meets damage votes no more.

    Attributes:
        added_count: verdicts since it was opened.
    """

    def __init__(self, db: NodeDb) -> None:
        self._db = db
        self._lock = Lock()
        self.added_count = 0
        found = self._db.compared(REJECTIONS).whole
        self._bodies = {
            _record.decode(record): None if body is None else _body.decode(body) for _, _, record, body in found
        }

    def all(self) -> Sequence[Rejection]:
        """See `OwnRejections`."""
        with self._lock:
            return sorted(self._bodies)

    def body_of(self, rejection: Rejection) -> tuple[bytes, ...] | None:
        """See `OwnRejections`."""
        with self._lock:
            return self._bodies.get(rejection)

    def of(self, height: int, block: bytes) -> Rejection | None:
        """Return this node's verdict on a block of that hash, None if it has made none."""
        with self._lock:
            found = (one for one in self._bodies if one.height == height and one.block == block.hex())
            return next(found, None)

    def add(self, rejection: Rejection, body: tuple[bytes, ...]) -> None:
        """Write a verdict down, durably. Raises: as `NodeDb`."""
        carried = body if rejection.size <= BODY_BYTES_MAX else None
        encoded = None if carried is None else msgspec.json.encode(carried)
        row = (rejection.height, bytes.fromhex(rejection.block), msgspec.json.encode(rejection), encoded)
        with self._db.batch() as connection:
            node_rows.put(connection, REJECTIONS, [row], conflict="IGNORE")
        with self._lock:
            self._bodies[rejection] = carried
            self.added_count += 1

    def forget(self, height: int) -> None:
        """Forget those of this height and below: they are too old to be said."""
        with self._lock:
            old = [one for one in self._bodies if one.height <= height]
        if not old:
            return
        with self._db.batch() as connection:
            connection.execute("DELETE FROM rejections WHERE height <= ?", (height,))
        with self._lock:
            for one in old:
                del self._bodies[one]


_record: Final = msgspec.json.Decoder(Rejection)
_body: Final = msgspec.json.Decoder(tuple[bytes, ...])
