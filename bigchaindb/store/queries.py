"""What the HTTP API asks. Lists come in pieces (`lists.py`), each one short read, up to the head at the first.

Look-ups ask the rows in memory first and the index tables second: `recent.py` explains why that misses nothing.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bigchaindb.errors import StoreDamaged
from bigchaindb.eventlog import token
from bigchaindb.eventlog.selection import Selection
from bigchaindb.ledger.block import Block
from bigchaindb.ledger.effects import LoggedEvent
from bigchaindb.ledger.ports import Decision, Part, Record
from bigchaindb.store.candidates import CANDIDATE_COUNT_MAX, COUNT_MAX, OWNER_COUNT_MAX, History, has_phrase
from bigchaindb.store.checksums import TRANSACTIONS, damaged, due_sum, expect_body, join_transaction
from bigchaindb.store.database import Readers
from bigchaindb.store.event_rows import first_at_height, read_entry, read_record, read_records, read_row
from bigchaindb.store.holding_questions import HoldingQuestions
from bigchaindb.store.keys import OUTPUT_BITS, id_bytes, key_of, owner_hash
from bigchaindb.store.lists import Bounds, Operation, OutputsOf, Search, Table, TransactionsOf, Walk, step
from bigchaindb.store.naming import is_complete
from bigchaindb.store.neighbours import FIRST, LAST, expect_neighbours
from bigchaindb.store.pages import bodies_of, position_of
from bigchaindb.store.recent import Located, Recent
from bigchaindb.store.stored import block_of, operation_of
from bigchaindb.store.tip import read_tip
from bigchaindb.store.views import indexed_transaction, locate
from bigchaindb.transaction.texts import id_of

_LAST_TRANSFER: Final = f"""
SELECT i.seq, {TRANSACTIONS.row} FROM asset_index AS i {join_transaction("i.seq")}
WHERE i.key = ? AND i.seq < ? ORDER BY i.seq DESC LIMIT 1
"""  # noqa: S608 - names of our own
_POSITIONS_OF_BLOCK: Final = "SELECT position FROM block_index WHERE key = ? ORDER BY position DESC"
_POSITION_AT_HEIGHT: Final = "SELECT position FROM events WHERE height = ? AND reason IS NULL"
_PROVING: Final = f"""
SELECT v.body, {due_sum("es.vote_checksum", "v.position", "position")},
    coalesce(p.body, x''), {due_sum("es.proof_checksum", "v.position", "position")}
FROM votes AS v LEFT JOIN proofs AS p ON p.position = v.position
LEFT JOIN event_checksums AS es ON es.position = v.position WHERE v.position = ?
"""  # noqa: S608 - as above


class LedgerQueries:
    """Implements `bigchaindb.ledger.ports.Queries`; any thread may call it.

    Attributes:
        holdings: what owners hold, and who holds an asset.
    """

    def __init__(self, readers: Readers, recent: Recent, ledger: Path) -> None:
        self._readers = readers
        self._recent = recent
        self._ledger = ledger
        self.holdings = HoldingQuestions(readers, recent, self._located)

    def transaction(self, transaction_id: str) -> bytes | None:
        """See `Queries`."""
        with self._readers.connection() as connection:
            if (place := self._place(connection, transaction_id)) is None:
                return None
            (body,) = bodies_of(connection, [place.seq])
            if id_of(body, transaction_id) != transaction_id:
                raise damaged("transactions", place.seq, f"does not hash to its id {transaction_id}")
            return body

    def last_of_asset(self, asset_id: str, operation: Operation | None) -> bytes | None:
        """See `Queries`."""
        if (create := self._create_of(asset_id)) is None:
            return None
        if operation != "CREATE" and (last := self._last_transfer(create.asset, operation)) is not None:
            return last
        with self._readers.connection() as connection:
            return None if operation == "TRANSFER" else _only(operation, bodies_of(connection, [create.seq]))

    def transactions_of_asset(self, asset_id: str, operation: Operation | None) -> Walk:
        """Begin the list of an asset's transactions, oldest first."""
        if (create := self._create_of(asset_id)) is None:
            return Walk(None, self._recent)
        request = TransactionsOf(create.asset, self._end(), create_seq=create.seq, operation=operation)
        return Walk(request, self._recent)

    def outputs(self, public_key: str, *, spent: bool | None) -> Walk:
        """Begin the list of a key's outputs in commit order. Source: http-api.md, section 7."""
        return Walk(OutputsOf(owner_hash(public_key), self._end() << OUTPUT_BITS, spent=spent), self._recent)

    def history_for(self, selection: Selection | None, before: str | None, head: int) -> History | None:
        """Return the history that a walk down the log needs for a selection; None: it does without one.

        Where memory may lack a row, the walk scans: it finds what is whole, down to the damage that it names.
        """
        if selection is None:
            return None
        try:
            if selection.asset is not None:
                return self.history(selection.asset, before, head)
            if selection.owner is not None and not has_phrase(selection):
                return self.history_of_owner(selection.owner, before, head)
        except StoreDamaged:
            return None
        return None

    def history(self, asset_id: str, before: str | None, head: int) -> History:
        """Return where an asset's transactions before a token stand; None is the end of the log, at `head`."""
        if (create := self._create_of(asset_id)) is None or (bounds := self._bounds_before(before, head)) is None:
            return History()
        end, count = bounds
        return History(create.seq, self._recent.last_transfers(create.asset, end, count + CANDIDATE_COUNT_MAX))

    def history_of_owner(self, public_key: str, before: str | None, head: int) -> History | None:
        """Return the same of the transactions that name a key; None until all of an older version are indexed."""
        with self._readers.connection() as connection:
            if not is_complete(connection):
                return None
        if (bounds := self._bounds_before(before, head)) is None:
            return History()
        end, count = bounds
        recent = self._recent.last_of_owner(owner_hash(public_key), end, count + OWNER_COUNT_MAX)
        is_cut = len(recent) == count + OWNER_COUNT_MAX
        return History(recent=recent, count_max=OWNER_COUNT_MAX if is_cut else CANDIDATE_COUNT_MAX)

    def _bounds_before(self, before: str | None, head: int) -> tuple[int, int] | None:
        """Return the seq behind a place, and how many seqs from there a walk takes more than it may; None: no place."""
        position, skip = (head, 0) if before is None else token.unpacked(before).place
        if position > head:  # no place of this log: who reads it says so
            return None
        with self._readers.connection() as connection:
            end, count = read_tip(connection)[1].transactions + 1, COUNT_MAX + 1  # no later: a commit may come between
            first, behind = read_row(connection, position), read_row(connection, position + 1)
        if first is not None:
            count += first.transaction_count  # who asks for blocks looks at all of the first one
        if behind is not None:
            skip = min(skip, behind.transaction_count)
            end, count = behind.first_seq + skip, count + skip  # and passes over what is skipped
        return end, count

    def search(self, table: Table, text: str, limit: int) -> Walk:
        """Begin the list of the rows that match, best first, as JSON objects; `limit` 0 is all. Source: section 8.

        For a text of more words than rows can be ranked by: in commit order.
        """
        return Walk(Search(table, text, limit), self._recent)

    def step(self, walk: Walk, bounds: Bounds) -> bytes:
        """Return the next elements of a list, perhaps none: see `lists`."""
        if walk.is_over:
            return b""
        request = walk.ask(bounds.row_count_max)
        with self._readers.connection() as connection:
            return walk.take(step(connection, request, bounds))

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

    def event_at(self, position: int) -> Part | None:
        """See `Queries`."""
        with self._readers.connection() as connection:
            entry = read_entry(connection, position)
            return None if entry is None else Part(read_record(connection, position))

    def event_of_transaction(self, transaction_id: str) -> Part | None:
        """See `Queries`."""
        with self._readers.connection() as connection:
            if (place := self._place(connection, transaction_id)) is None:
                return None
            position = position_of(connection, place.seq)
            if (row := read_row(connection, position)) is None:
                raise damaged("events", position, "is missing")
            (body,) = bodies_of(connection, [place.seq])
        index = place.seq - row.first_seq
        record = Record(position, row.type, row.height, row.timestamp, row.digest, body)
        return Part(record, index, is_last=index + 1 == row.transaction_count)

    def entry(self, position: int) -> LoggedEvent | None:
        """Return the log row of a position."""
        with self._readers.connection() as connection:
            return read_entry(connection, position)

    def entry_of_block(self, block_id: str) -> LoggedEvent | None:
        """See `Queries`."""
        with self._readers.connection() as connection:
            return self._entry_of_block(connection, block_id)

    def entry_at_height(self, height: int) -> LoggedEvent | None:
        """See `Queries`."""
        with self._readers.connection() as connection:
            return _entry_at_height(connection, height)

    def blocks_of_transaction(self, transaction_id: str) -> list[LoggedEvent]:
        """See `Queries`."""
        with self._readers.connection() as connection:
            if (place := self._place(connection, transaction_id)) is None:
                return []
            entry = read_entry(connection, position_of(connection, place.seq))
            return [] if entry is None else [entry]

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
            "last_block_at": tip.timestamp or None,
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

    def _end(self) -> int:
        """Return the seq beyond the last transaction."""
        with self._readers.connection() as connection:
            return read_tip(connection)[1].transactions + 1

    def _located(self, transaction_id: str) -> Located | None:
        with self._readers.connection() as connection:
            return self._place(connection, transaction_id)

    def _create_of(self, asset_id: str) -> Located | None:
        create = self._located(asset_id)
        return create if create is not None and create.asset.hex() == asset_id else None

    def _last_transfer(self, asset: bytes, operation: str | None) -> bytes | None:
        """Find the last transaction behind a CREATE, of one operation perhaps: few assets have votes as well."""
        recent, key = self._recent.transfers(asset), key_of(asset)
        with self._readers.connection() as connection:
            end = read_tip(connection)[1].transactions + 1
            for seq in reversed([seq for seq in recent if seq < end]):
                if found := _only(operation, bodies_of(connection, [seq])):
                    return found
            end = min([end, *recent[:1]])
            expect_neighbours(connection, "asset_index", key, end - 1)
            while rows := connection.execute(_LAST_TRANSFER, (key, end)).fetchall():
                end = int(rows[0][0])
                if indexed_transaction("asset_index", key, end, rows[0][1:])[1] != asset:
                    continue
                if found := _only(operation, bodies_of(connection, [end])):
                    return found
        return None


def _only(operation: str | None, bodies: Sequence[bytes]) -> bytes | None:
    """Return a transaction unless it is of another operation; elections and votes lie where transfers do."""
    (body,) = bodies
    return body if operation is None or operation_of(body) == operation else None


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
