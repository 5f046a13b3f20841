"""What the HTTP API asks. Lists come in pages, each one short read, up to the head at the first.

Look-ups ask the rows in memory first and the index tables second: `recent.py` says why that misses nothing.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from bigchaindb.ledger.block import Block
from bigchaindb.ledger.effects import LoggedEvent
from bigchaindb.ledger.ports import Decision
from bigchaindb.store.database import Readers
from bigchaindb.store.keys import OUTPUT_BITS, OUTPUT_COUNT_MAX, id_bytes, key_of, owner_hash, owner_hashes
from bigchaindb.store.log import BODY_SQL, read_entry
from bigchaindb.store.pages import array_of, bodies_of, cut, hits, numbers
from bigchaindb.store.recent import Recent
from bigchaindb.store.search import match_expression, read_query
from bigchaindb.store.stored import asset_row, block_of, metadata_row, operation_of
from bigchaindb.transaction.model import OutputRef

_PLACE: Final = """
SELECT t.seq, t.position, t.asset IS NULL FROM transaction_index AS i CROSS JOIN transactions AS t ON t.seq = i.seq
WHERE i.key = ? AND t.id = ?
"""
_PLACE_OF_SEQ: Final = "SELECT seq, position, asset IS NULL FROM transactions WHERE seq = ?"
_TRANSFERS: Final = "SELECT seq FROM asset_index WHERE key = ? AND seq > ? AND seq < ? ORDER BY seq LIMIT ?"
_OF_ASSET: Final = """
SELECT t.seq FROM json_each(?) AS wanted CROSS JOIN transactions AS t ON t.seq = wanted.value
WHERE t.asset = ? ORDER BY t.seq
"""
_LAST_TRANSFER: Final = """
SELECT t.seq FROM asset_index AS i CROSS JOIN transactions AS t ON t.seq = i.seq
WHERE i.key = ? AND t.asset = ? ORDER BY i.seq DESC LIMIT 1
"""
_OWNED: Final = "SELECT output FROM owner_index WHERE key = ? AND output > ? AND output < ? ORDER BY output LIMIT ?"
_OUTPUTS: Final = """
SELECT o.output, o.owners, o.spent_by IS NOT NULL, t.id FROM json_each(?) AS wanted
CROSS JOIN outputs AS o ON o.output = wanted.value CROSS JOIN transactions AS t ON t.seq = wanted.value >> ?
ORDER BY o.output
"""
_POSITION_OF_BLOCK: Final = """
SELECT e.position FROM block_index AS i CROSS JOIN events AS e ON e.position = i.position
WHERE i.key = ? AND e.block_id = ? ORDER BY e.reason IS NULL DESC, e.position DESC LIMIT 1
"""
_POSITION_AT_HEIGHT: Final = "SELECT position FROM events WHERE height = ? AND reason IS NULL"
_BODY_AT: Final = f"SELECT {BODY_SQL} FROM events WHERE position = ?"  # noqa: S608 - names of our own
_DECISION: Final = f"""
SELECT {BODY_SQL}, (SELECT body FROM votes AS v WHERE v.position = e.position),
    coalesce((SELECT body FROM proofs AS p WHERE p.position = e.position), x'')
FROM events AS e WHERE position = ?
"""  # noqa: S608 - as above
_STATISTICS: Final = "SELECT height, position, block_count, transaction_count, output_count, log_bytes FROM tip"


class _Place(NamedTuple):
    seq: int
    position: int
    is_create: bool


class LedgerQueries:
    """Implements `bigchaindb.ledger.ports.Queries`; any thread may call it, and iterate what it gives."""

    def __init__(self, readers: Readers, recent: Recent, ledger: Path, *, page_count_max: int) -> None:
        self._readers = readers
        self._recent = recent
        self._ledger = ledger
        self._page_count_max = page_count_max

    def transaction(self, transaction_id: str) -> bytes | None:
        """See `Queries`."""
        with self._readers.connection() as connection:
            place = self._place(connection, transaction_id)
            return None if place is None else bodies_of(connection, [place.seq])[0]

    def transactions_of_asset(
        self, asset_id: str, operation: Literal["CREATE", "TRANSFER"] | None, *, last_only: bool
    ) -> Iterator[Sequence[bytes]]:
        """See `Queries`."""
        with self._readers.connection() as connection:
            create = self._place(connection, asset_id)
        if create is None or not create.is_create:
            return
        asset = bytes.fromhex(asset_id)
        if last_only and operation != "CREATE" and (last := self._last_body(asset, operation)):
            yield last
            return
        if operation != "TRANSFER":
            yield from _only(operation, self._bodies([create.seq]))
        if operation != "CREATE" and not last_only:
            for seqs in self._transfers(asset):
                yield from _only(operation, self._bodies(seqs))

    def outputs(self, public_key: str, *, spent: bool | None) -> Iterator[Sequence[OutputRef]]:
        """See `Queries`."""
        owner = owner_hash(public_key)
        recent = self._recent.outputs(owner)
        end = (self._last_seq() + 1) << OUTPUT_BITS
        for page in numbers(self._readers, _OWNED, key_of(owner), recent, end, self._page_count_max):
            with self._readers.connection() as connection:
                rows = connection.execute(_OUTPUTS, (array_of(page), OUTPUT_BITS)).fetchall()
            yield [
                OutputRef(id_.hex(), number % OUTPUT_COUNT_MAX)
                for number, owners, is_spent, id_ in rows
                if (spent is None or is_spent == spent) and owner in owner_hashes(owners)
            ]

    def search(self, table: Literal["assets", "metadata"], text: str, limit: int) -> Iterator[Sequence[bytes]]:
        """See `Queries`. What matches is ranked in one read and kept as 8 bytes each; rows are read page by page."""
        query = read_query(text)
        if (expression := match_expression(query)) is None:
            return
        row = asset_row if table == "assets" else metadata_row
        with self._readers.connection() as connection:
            seqs = hits(connection, f"{table}_search", expression, limit, ranked=query.is_ranked)
        for start in range(0, len(seqs), self._page_count_max):
            for bodies in self._bodies(seqs[start : start + self._page_count_max]):
                yield list(map(row, bodies))

    def block(self, height: int) -> Block | None:
        """See `Queries`."""
        with self._readers.connection() as connection:
            rows = connection.execute(_POSITION_AT_HEIGHT, (height,)).fetchall()
            return _block(connection, rows[0][0]) if rows else None

    def block_by_id(self, block_id: str) -> tuple[Block, LoggedEvent] | None:
        """See `Queries`. Of a proposal that was rejected once and decided valid once, the latter."""
        with self._readers.connection() as connection:
            entry = self._entry_of_block(connection, block_id)
            return None if entry is None else (_block(connection, entry.position), entry)

    def vote(self, block_id: str) -> bytes | None:
        """See `Queries`."""
        with self._readers.connection() as connection:
            if (entry := self._entry_of_block(connection, block_id)) is None:
                return None
            ((vote,),) = connection.execute("SELECT body FROM votes WHERE position = ?", (entry.position,)).fetchall()
        return bytes(vote)

    def decision(self, block: int | str) -> Decision | None:
        """See `Queries`."""
        with self._readers.connection() as connection:
            if isinstance(block, str):
                entry = self._entry_of_block(connection, block)
            else:
                rows = connection.execute(_POSITION_AT_HEIGHT, (block,)).fetchall()
                entry = read_entry(connection, rows[0][0]) if rows else None
            return None if entry is None else _decision(connection, entry)

    def decision_at(self, position: int) -> Decision | None:
        """See `Queries`."""
        with self._readers.connection() as connection:
            entry = read_entry(connection, position)
            return None if entry is None else _decision(connection, entry)

    def blocks_of_transaction(self, transaction_id: str) -> list[LoggedEvent]:
        """See `Queries`."""
        with self._readers.connection() as connection:
            place = self._place(connection, transaction_id)
            entry = None if place is None else read_entry(connection, place.position)
        return [] if entry is None else [entry]

    def height(self) -> int:
        """See `Queries`."""
        with self._readers.connection() as connection:
            ((height,),) = connection.execute("SELECT height FROM tip").fetchall()
        return int(height)

    def statistics(self) -> dict[str, Any]:
        """See `Queries`."""
        with self._readers.connection() as connection:
            ((height, position, blocks, transactions, outputs, log_bytes),) = connection.execute(_STATISTICS).fetchall()
        return {
            "height": height,
            "events": position,
            "blocks": blocks,
            "transactions": transactions,
            "outputs": outputs,
            "event_bytes": log_bytes,
            "ledger_bytes": _file_bytes(self._ledger),
            "wal_bytes": _file_bytes(self._ledger.with_name(self._ledger.name + "-wal")),
        }

    def interrupt(self) -> bool:
        """See `Queries`."""
        return self._readers.interrupt()

    def _place(self, connection: sqlite3.Connection, transaction_id: str) -> _Place | None:
        if (id_ := id_bytes(transaction_id)) is None:
            return None
        if (recent := self._recent.place(id_)) is not None:
            rows = connection.execute(_PLACE_OF_SEQ, (recent.seq,)).fetchall()  # none: not committed yet
        else:
            rows = connection.execute(_PLACE, (key_of(id_), id_)).fetchall()
        return _Place(*rows[0]) if rows else None

    def _entry_of_block(self, connection: sqlite3.Connection, block_id: str) -> LoggedEvent | None:
        if (id_ := id_bytes(block_id)) is None:
            return None
        recent = self._recent.blocks(id_)  # first: its rows may move into the table meanwhile
        indexed = connection.execute(_POSITION_OF_BLOCK, (key_of(id_), id_)).fetchall()
        positions = [*recent, *(position for (position,) in indexed)]
        entries = [entry for one in positions if (entry := read_entry(connection, one)) is not None]
        return min(entries, key=lambda entry: entry.reason is not None, default=None)

    def _transfers(self, asset: bytes) -> Iterator[list[int]]:
        recent = self._recent.transfers(asset)
        end = self._last_seq() + 1
        for page in numbers(self._readers, _TRANSFERS, key_of(asset), recent, end, self._page_count_max):
            with self._readers.connection() as connection:
                rows = connection.execute(_OF_ASSET, (array_of(page), asset)).fetchall()
            yield [seq for (seq,) in rows]

    def _last_body(self, asset: bytes, operation: str | None) -> Sequence[bytes]:
        last = self._last_transfer(asset)
        found = [] if last is None else next(_only(operation, self._bodies([last])), [])
        if last is not None and not found:  # a VOTE where a TRANSFER is asked for: few assets have both
            for seqs in self._transfers(asset):
                for piece in _only(operation, self._bodies(seqs)):
                    found = piece[-1:] or found
        return found

    def _last_transfer(self, asset: bytes) -> int | None:
        recent = self._recent.transfers(asset)
        end = self._last_seq() + 1
        if committed := [seq for seq in recent if seq < end]:
            return committed[-1]
        with self._readers.connection() as connection:
            rows = connection.execute(_LAST_TRANSFER, (key_of(asset), asset)).fetchall()
        return int(rows[0][0]) if rows else None

    def _last_seq(self) -> int:
        with self._readers.connection() as connection:
            return int(connection.execute("SELECT transaction_count FROM tip").fetchall()[0][0])

    def _bodies(self, seqs: Sequence[int]) -> Iterator[list[bytes]]:
        for page in cut(self._readers, seqs):
            with self._readers.connection() as connection:
                bodies = bodies_of(connection, page)
            yield bodies


def _only(operation: str | None, pieces: Iterable[list[bytes]]) -> Iterator[list[bytes]]:
    """Leave out what is of another operation; elections and votes lie where assets and their transfers do."""
    for piece in pieces:
        yield [body for body in piece if operation is None or operation_of(body) == operation]


def _decision(connection: sqlite3.Connection, entry: LoggedEvent) -> Decision:
    ((body, vote, proof),) = connection.execute(_DECISION, (entry.position,)).fetchall()
    return Decision(entry, bytes(body), bytes(vote), bytes(proof))


def _block(connection: sqlite3.Connection, position: int) -> Block:
    ((body,),) = connection.execute(_BODY_AT, (position,)).fetchall()
    return block_of(body)


def _file_bytes(path: Path) -> int:
    try:
        return path.stat().st_size  # never open it: that would drop SQLite's locks
    except FileNotFoundError:
        return 0
