"""What the HTTP API asks. Lists come in pages, each one short read, up to the head at the first.

Look-ups ask the rows in memory first and the index tables second: `recent.py` explains why that misses nothing.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from bigchaindb.ledger.block import Block
from bigchaindb.ledger.effects import LoggedEvent
from bigchaindb.ledger.ports import Decision
from bigchaindb.store.checksums import (
    OUTPUTS,
    SPENDS,
    TRANSACTIONS,
    damaged,
    due_sum,
    expect_body,
    join_transaction,
)
from bigchaindb.store.database import Readers
from bigchaindb.store.event_rows import first_at_height, read_entry, read_records
from bigchaindb.store.keys import OUTPUT_BITS, OUTPUT_COUNT_MAX, id_bytes, key_of, owner_hash, owner_hashes
from bigchaindb.store.neighbours import FIRST, LAST, expect_neighbours
from bigchaindb.store.pages import array_of, bodies_of, cut, hits, numbers
from bigchaindb.store.recent import Located, Recent
from bigchaindb.store.search import match_expression, read_query
from bigchaindb.store.stored import asset_row, block_of, metadata_row, operation_of
from bigchaindb.store.tip import read_tip
from bigchaindb.store.views import indexed_transaction, locate
from bigchaindb.transaction.model import OutputRef
from bigchaindb.transaction.texts import id_of

_TRANSACTION: Final = f"SELECT {TRANSACTIONS.row} FROM {TRANSACTIONS.tables} WHERE t.seq = ?"  # noqa: S608 - names of our own
_OF_ASSET: Final = f"""
SELECT wanted.value, {TRANSACTIONS.row} FROM json_each(?) AS wanted {join_transaction("wanted.value")}
ORDER BY wanted.value
"""  # noqa: S608 - as above
_LAST_TRANSFER: Final = f"""
SELECT i.seq, {TRANSACTIONS.row} FROM asset_index AS i {join_transaction("i.seq")}
WHERE i.key = ? AND i.seq < ? ORDER BY i.seq DESC LIMIT 1
"""  # noqa: S608 - as above
_OUTPUTS: Final = f"""
SELECT wanted.value, {OUTPUTS.columns}, t.id, {OUTPUTS.checksum}, o.spent_by, {SPENDS.checksum}
FROM json_each(?) AS wanted LEFT JOIN outputs AS o ON o.output = wanted.value
LEFT JOIN transactions AS t ON t.seq = wanted.value >> {OUTPUT_BITS} ORDER BY wanted.value
"""  # noqa: S608 - as above
_POSITIONS_OF_BLOCK: Final = "SELECT position FROM block_index WHERE key = ? ORDER BY position DESC"
_POSITION_AT_HEIGHT: Final = "SELECT position FROM events WHERE height = ? AND reason IS NULL"
_PROVING: Final = f"""
SELECT v.body, {due_sum("es.vote_checksum", "v.position", "position")},
    coalesce(p.body, x''), {due_sum("es.proof_checksum", "v.position", "position")}
FROM votes AS v LEFT JOIN proofs AS p ON p.position = v.position
LEFT JOIN event_checksums AS es ON es.position = v.position WHERE v.position = ?
"""  # noqa: S608 - as above


class LedgerQueries:
    """Implements `bigchaindb.ledger.ports.Queries`; any thread may call it, and iterate its results."""

    def __init__(self, readers: Readers, recent: Recent, ledger: Path, *, page_count_max: int) -> None:
        self._readers = readers
        self._recent = recent
        self._ledger = ledger
        self._page_count_max = page_count_max

    def transaction(self, transaction_id: str) -> bytes | None:
        """See `Queries`."""
        with self._readers.connection() as connection:
            if (place := self._place(connection, transaction_id)) is None:
                return None
            (body,) = bodies_of(connection, [place.seq])
            if id_of(body, transaction_id) != transaction_id:
                raise damaged("transactions", place.seq, f"does not hash to its id {transaction_id}")
            return body

    def transactions_of_asset(
        self, asset_id: str, operation: Literal["CREATE", "TRANSFER"] | None, *, last_only: bool
    ) -> Iterator[Sequence[bytes]]:
        """See `Queries`."""
        with self._readers.connection() as connection:
            create = self._place(connection, asset_id)
        if create is None or create.asset.hex() != asset_id:
            return
        asset = create.asset
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
        for page in numbers(self._readers, "owner_index", key_of(owner), recent, end, self._page_count_max):
            with self._readers.connection() as connection:
                rows = connection.execute(_OUTPUTS, (array_of(page),)).fetchall()
                found = [_output_of(owner, *row) for row in rows]
            yield [one.ref for one in found if one is not None and (spent is None or one.is_spent == spent)]

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
            entry = _entry_at_height(connection, height)
            return None if entry is None else _block(connection, entry.position)

    def block_by_id(self, block_id: str) -> tuple[Block, LoggedEvent] | None:
        """See `Queries`. Of a proposal that was rejected once and decided valid once, the latter."""
        with self._readers.connection() as connection:
            entry = self._entry_of_block(connection, block_id)
            return None if entry is None else (_block(connection, entry.position), entry)

    def vote(self, block_id: str) -> bytes | None:
        """See `Queries`."""
        with self._readers.connection() as connection:
            entry = self._entry_of_block(connection, block_id)
            return None if entry is None else _proving(connection, entry.position)[0]

    def decision(self, block: int | str) -> Decision | None:
        """See `Queries`."""
        with self._readers.connection() as connection:
            if isinstance(block, str):
                entry = self._entry_of_block(connection, block)
            else:
                entry = _entry_at_height(connection, block)
            return None if entry is None else _decision(connection, entry)

    def decision_at(self, position: int) -> Decision | None:
        """See `Queries`."""
        with self._readers.connection() as connection:
            entry = read_entry(connection, position)
            return None if entry is None else _decision(connection, entry)

    def blocks_of_transaction(self, transaction_id: str) -> list[LoggedEvent]:
        """See `Queries`."""
        with self._readers.connection() as connection:
            if (place := self._place(connection, transaction_id)) is None:
                return []
            for *columns, position, checksum in connection.execute(_TRANSACTION, (place.seq,)).fetchall():
                TRANSACTIONS.expect(*columns, position, checksum)
                entry = read_entry(connection, position)
                return [] if entry is None else [entry]
            raise damaged("transactions", place.seq, "is missing")

    def height(self) -> int:
        """See `Queries`."""
        with self._readers.connection() as connection:
            return read_tip(connection)[0].height

    def statistics(self) -> dict[str, Any]:
        """See `Queries`."""
        with self._readers.connection() as connection:
            tip, counts = read_tip(connection)
        return {
            "height": tip.height,
            "events": tip.position,
            "blocks": counts.blocks,
            "transactions": counts.transactions,
            "outputs": counts.outputs,
            "event_bytes": counts.log_bytes,
            "ledger_bytes": _file_bytes(self._ledger),
            "wal_bytes": _file_bytes(self._ledger.with_name(self._ledger.name + "-wal")),
        }

    def interrupt(self) -> bool:
        """See `Queries`."""
        return self._readers.interrupt()

    def _place(self, connection: sqlite3.Connection, transaction_id: str) -> Located | None:
        if (id_ := id_bytes(transaction_id)) is None:
            return None
        if (recent := self._recent.place(id_)) is not None:
            is_committed = recent.seq <= read_tip(connection)[1].transactions
            return recent if is_committed else None
        if (place := locate(connection, (), [transaction_id]).get(transaction_id)) is None:
            expect_neighbours(connection, "transaction_index", key_of(id_), FIRST)
        return place

    def _entry_of_block(self, connection: sqlite3.Connection, block_id: str) -> LoggedEvent | None:
        if (id_ := id_bytes(block_id)) is None:
            return None
        recent = self._recent.blocks(id_)  # first: its rows may move into the table meanwhile
        entries = [entry for one in recent if (entry := read_entry(connection, one)) is not None]
        key = key_of(id_)
        for (position,) in connection.execute(_POSITIONS_OF_BLOCK, (key,)).fetchall():
            entry = read_entry(connection, position)
            if entry is None or key_of(bytes.fromhex(entry.block_id)) != key:
                raise damaged("block_index", f"{key}, {position}", "leads to another block")
            if entry.block_id == block_id:
                entries.append(entry)
        if not entries:
            expect_neighbours(connection, "block_index", key, LAST)
        return min(entries, key=lambda entry: entry.reason is not None, default=None)

    def _transfers(self, asset: bytes) -> Iterator[list[int]]:
        recent = self._recent.transfers(asset)
        end = self._last_seq() + 1
        key = key_of(asset)
        for page in numbers(self._readers, "asset_index", key, recent, end, self._page_count_max):
            with self._readers.connection() as connection:
                rows = connection.execute(_OF_ASSET, (array_of(page),)).fetchall()
                found = [(seq, indexed_transaction("asset_index", key, seq, row)) for seq, *row in rows]
            yield [seq for seq, (_, of_asset) in found if of_asset == asset]

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
        key = key_of(asset)
        with self._readers.connection() as connection:
            expect_neighbours(connection, "asset_index", key, end - 1)
            while rows := connection.execute(_LAST_TRANSFER, (key, end)).fetchall():
                end = int(rows[0][0])
                if indexed_transaction("asset_index", key, end, rows[0][1:])[1] == asset:
                    return end
        return None

    def _last_seq(self) -> int:
        with self._readers.connection() as connection:
            return read_tip(connection)[1].transactions

    def _bodies(self, seqs: Sequence[int]) -> Iterator[list[bytes]]:
        for page in cut(self._readers, seqs):
            with self._readers.connection() as connection:
                bodies = bodies_of(connection, page)
            yield bodies


def _only(operation: str | None, pieces: Iterable[list[bytes]]) -> Iterator[list[bytes]]:
    """Leave out what is of another operation; elections and votes lie where assets and their transfers do."""
    for piece in pieces:
        yield [body for body in piece if operation is None or operation_of(body) == operation]


class _Owned(NamedTuple):
    ref: OutputRef
    is_spent: bool


def _output_of(owner: bytes, number: int, *row: Any) -> _Owned | None:  # noqa: ANN401 - a row
    """Return the output that a row of `owner_index` leads to; None if it is of an owner whose key is the same."""
    output, _, _, owners, id_, _, spent_by, spent_checksum = row
    if output is None:
        raise damaged("owner_index", f"{key_of(owner)}, {number}", "leads to no output")
    OUTPUTS.expect(*row[:6])
    SPENDS.expect(output, spent_by, spent_checksum)
    hashes = owner_hashes(owners)
    if owner in hashes:
        return _Owned(OutputRef(id_.hex(), number % OUTPUT_COUNT_MAX), spent_by is not None)
    if key_of(owner) not in map(key_of, hashes):
        raise damaged("owner_index", f"{key_of(owner)}, {number}", "leads to another's output")
    return None


def _entry_at_height(connection: sqlite3.Connection, height: int) -> LoggedEvent | None:
    """Find the valid block of a height.

    Raises:
        StoreDamaged: it is not what was written.
    """
    for (position,) in connection.execute(_POSITION_AT_HEIGHT, (height,)).fetchall():
        entry = read_entry(connection, position)
        if entry is None or entry.height != height or entry.reason is not None:
            raise damaged("events", position, "is not what its index says")
        return entry
    tip, _ = read_tip(connection)
    if 0 < height <= tip.height:  # empty to clients, or damaged: the search reads the row that would be that one
        first_at_height(connection, height, tip.position)
    return None


def _decision(connection: sqlite3.Connection, entry: LoggedEvent) -> Decision:
    vote, proof = _proving(connection, entry.position)
    return Decision(entry, _body_at(connection, entry.position), vote, proof)


def _proving(connection: sqlite3.Connection, position: int) -> tuple[bytes, bytes]:
    """Read this node's vote on an event, and what proves it to others."""
    for vote, vote_sum, proof, proof_sum in connection.execute(_PROVING, (position,)).fetchall():
        return expect_body("votes", position, vote_sum, vote), expect_body("proofs", position, proof_sum, proof)
    raise damaged("votes", position, "is missing")


def _block(connection: sqlite3.Connection, position: int) -> Block:
    return block_of(_body_at(connection, position))


def _body_at(connection: sqlite3.Connection, position: int) -> bytes:
    for record in read_records(connection, position - 1, position, 0):
        return record.body
    raise damaged("events", position, "is missing")


def _file_bytes(path: Path) -> int:
    try:
        return path.stat().st_size  # never open it: that would drop SQLite's locks
    except FileNotFoundError:
        return 0
