"""Whether stored rows are what they must be, event by event: by their checksums, and by what needs none.

Bodies hash to their ids, columns repeat bodies, blocks hash to their ids, digests and sizes continue the event before,
spends are in both places. So rows of an older version, which have no checksums yet, are proven as well. Two use it:
`upgrading.py`, which then writes the checksums, and `checking.py`.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from zlib import crc32

import msgspec

from bigchaindb.errors import StoreDamaged, ValidationError
from bigchaindb.events import EventTypes
from bigchaindb.ledger.block import Block, block_id, block_text, event_body
from bigchaindb.ledger.effects import NO_DIGEST, log_digest
from bigchaindb.store.checksums import (
    BODY_OF_EVENT,
    BODY_SUM,
    EVENTS,
    NO_CHECKSUM,
    OUTPUTS,
    RECORDS,
    SPENDS,
    TRANSACTIONS,
    due_sum,
    envelope_sum,
    is_whole,
)
from bigchaindb.store.database import translated
from bigchaindb.store.event_rows import EventRow
from bigchaindb.store.keys import OUTPUT_BITS, OUTPUT_COUNT_MAX, key_of, output_number, owner_hash
from bigchaindb.store.pages import array_of
from bigchaindb.store.stored import block_of
from bigchaindb.transaction import Transaction, parse

Locate = Callable[[Iterable[str]], Mapping[str, int]]
"""Returns the seqs of those transactions that are there, by id."""

_EVENT: Final = f"""
SELECT {EVENTS.row}, {RECORDS.checksum}, {BODY_OF_EVENT}, e.head, e.tail, es.envelope_checksum, v.body,
    {due_sum("es.vote_checksum", "e.position", "position")}, coalesce(p.body, x''),
    {due_sum("es.proof_checksum", "e.position", "position")}
FROM {EVENTS.tables} LEFT JOIN votes AS v ON v.position = e.position LEFT JOIN proofs AS p ON p.position = e.position
WHERE e.position = ?
"""  # noqa: S608 - names of our own
_TRANSACTIONS: Final = f"""
SELECT {TRANSACTIONS.row}, {BODY_SUM}, t.body FROM {TRANSACTIONS.tables} WHERE t.seq BETWEEN ? AND ? ORDER BY t.seq
"""  # noqa: S608 - as above
_OUTPUTS: Final = f"""
SELECT {OUTPUTS.row}, o.spent_by, {SPENDS.checksum} FROM {OUTPUTS.tables} WHERE o.output BETWEEN ? AND ?
ORDER BY o.output
"""  # noqa: S608 - as above
_LOCATE: Final = """
SELECT t.id, t.seq FROM json_each(?) AS wanted CROSS JOIN transaction_index AS i ON i.key = wanted.value
CROSS JOIN transactions AS t ON t.seq = i.seq
"""
_SPENT: Final = """
SELECT o.output, o.spent_by FROM json_each(?) AS wanted CROSS JOIN outputs AS o ON o.output = wanted.value
"""
_SPENDER: Final = "SELECT body FROM transactions WHERE seq = ?"


class Damage(NamedTuple):
    """A row that is not what it must be."""

    table: str
    row: str
    reason: str
    file: str = "ledger.db"

    def __str__(self) -> str:
        """Name it in one line."""
        return f"{self.file}: {self.table} {self.row}: {self.reason}"


@dataclass(slots=True)
class Walk:
    """Where a walk through the log stands, which the next event continues.

    Attributes:
        position: of the last event.
        seq: of the last transaction.
        digest: of the log there; None: its row is damaged, so that the next one cannot be compared.
        log_bytes: of all event bodies; None as `digest`.
        output_count: outputs so far.
        block_count: valid blocks so far.
    """

    position: int = 0
    seq: int = 0
    digest: bytes | None = NO_DIGEST
    log_bytes: int | None = 0
    output_count: int = 0
    block_count: int = 0


@dataclass(slots=True)
class Proved:
    """One event with its transactions: what is damaged, and the checksums of all, `NO_CHECKSUM` of what is damaged."""

    damages: list[Damage] = field(default_factory=list)
    event: list[tuple[int, ...]] = field(default_factory=list)
    transactions: list[tuple[int, int, int]] = field(default_factory=list)
    outputs: list[tuple[int, int]] = field(default_factory=list)
    spends: list[tuple[int, int]] = field(default_factory=list)
    body_bytes: int = 0
    parsed: list[tuple[int, Transaction]] = field(default_factory=list)

    def add(self, table: str, row: object, reason: str) -> None:
        """Note damage."""
        self.damages.append(Damage(table, str(row), reason))


class _Vote(msgspec.Struct):
    voting_for_block: str


class _SignedVote(msgspec.Struct):
    vote: _Vote


_decode_vote: Final = msgspec.json.Decoder(_SignedVote).decode


def prove(connection: sqlite3.Connection, walk: Walk, locate: Locate) -> Proved:
    """Prove the event behind `walk`, its transactions and their outputs, and move on to it.

    One that cannot even be read has no checksums, so that no read serves it.

    Args:
        connection: to the ledger.
        walk: where to go on.
        locate: finds the transactions whose outputs are spent.
    """
    try:
        with translated("ledger.db"):
            return _prove(connection, walk, locate)
    except StoreDamaged as error:
        walk.digest = walk.log_bytes = None
        return Proved([Damage("events", str(walk.position), f"cannot be read: {error}")])


def _prove(connection: sqlite3.Connection, walk: Walk, locate: Locate) -> Proved:
    proved = Proved()
    walk.position += 1
    rows = connection.execute(_EVENT, (walk.position,)).fetchall()
    if not rows:
        proved.add("events", walk.position, "is missing")
        walk.digest = walk.log_bytes = None
        return proved
    columns, (row_checksum, record_checksum, body, *envelope, envelope_checksum) = rows[0][:-10], rows[0][-10:-4]
    vote, vote_checksum, proof, proof_checksum = rows[0][-4:]
    row = EventRow(*columns)
    record = (row.position, row.type, row.height, row.timestamp, row.digest, body)
    columns_whole = is_whole(row_checksum, EVENTS.compute, *row)
    whole = (
        columns_whole
        and is_whole(record_checksum, RECORDS.compute, *record)
        and is_whole(envelope_checksum, envelope_sum, row.position, *envelope)
    )
    reason = next(_faults_of_event(walk, row, body), None) if whole else "is not what its checksum is of"
    if reason is not None:
        proved.add("events", walk.position, reason)
    sides = _prove_sides(proved, row, (vote, vote_checksum), (proof, proof_checksum))
    sums, last = (NO_CHECKSUM, NO_CHECKSUM), NO_CHECKSUM
    if reason is None:
        sums, last = (EVENTS.compute(*row), RECORDS.compute(*record)), envelope_sum(row.position, *envelope)
    proved.event.append((walk.position, *sums, *sides, last))
    # Of an event whose columns alone are whole the damage is in its body, perhaps in a transaction: which one?
    leads_on = reason is None or (columns_whole and row_checksum is not None)
    _go_on(walk, row, is_whole=leads_on)
    if leads_on:
        proved.body_bytes = len(body) if isinstance(body, bytes) else 0
        _prove_transactions(connection, proved, walk, row, locate)
    return proved


def locate_any(
    connection: sqlite3.Connection, in_memory: Callable[[bytes], int | None], ids: Iterable[str]
) -> dict[str, int]:
    """Find transactions by id, whatever else their rows are worth: each is proven where it stands itself.

    Args:
        connection: to the ledger.
        in_memory: gives the seq of a transaction that no index has yet.
        ids: of those that are wanted, each 64 hex digits.
    """
    found, keys = {}, []
    for text in ids:
        if (seq := in_memory(id_ := bytes.fromhex(text))) is not None:
            found[text] = seq
        else:
            keys.append(key_of(id_))
    for id_, seq in connection.execute(_LOCATE, (array_of(sorted(keys)),)).fetchall():
        if isinstance(id_, bytes):
            found[id_.hex()] = seq
    return found


def _go_on(walk: Walk, row: EventRow, *, is_whole: bool) -> None:
    walk.digest, walk.log_bytes = (row.digest, row.log_bytes) if is_whole else (None, None)
    if is_whole:
        walk.block_count += row.reason is None
        walk.seq = row.first_seq - 1


def _faults_of_event(walk: Walk, row: EventRow, body: Any) -> Iterator[str]:  # noqa: ANN401 - of a row
    try:
        block = block_of(body)
        yield from _contradictions(row, body, block)
        if walk.digest is not None and row.digest != log_digest(walk.digest, row.type, row.height, row.block_id.hex()):
            yield "its digest does not continue the log"
        if walk.log_bytes is not None and row.log_bytes != walk.log_bytes + len(body):
            yield "its size does not continue the log"
        if walk.digest is not None and row.first_seq != walk.seq + 1:
            yield "its transactions do not follow those before"
    except (StoreDamaged, TypeError, ValueError, AttributeError, OverflowError) as error:
        yield f"its columns or its body cannot be read: {error}"


def _contradictions(row: EventRow, body: bytes, block: Block) -> Iterator[str]:
    header = block.header
    is_valid = row.reason is None
    if row.type != (EventTypes.BLOCK_VALID if is_valid else EventTypes.BLOCK_INVALID):
        yield "its type contradicts its reason"
    if (header.id, header.height, header.timestamp) != (row.block_id.hex(), row.height, row.timestamp):
        yield "its columns contradict its body"
    if len(block.transactions) != row.transaction_count and is_valid:
        yield "its body holds another number of transactions"
    is_omitted = not is_valid and body == event_body(block, row.reason, body_omitted=True)
    if not is_omitted:
        if body != event_body(block, row.reason):
            yield "its body is not the one of its block"
        text = block_text(header.timestamp, block.transactions, header.node_pubkey, header.voters)
        if block_id(text) != header.id:
            yield "its block does not hash to its id"


def _prove_sides(
    proved: Proved, row: EventRow, vote: tuple[Any, int | None], proof: tuple[Any, int | None]
) -> tuple[int, int]:
    """Prove this node's vote on an event, and what proves it to others; return their checksums."""
    sums, reason = [NO_CHECKSUM, NO_CHECKSUM], None
    if not isinstance(vote[0], bytes):
        reason = "is missing, or no bytes"
    elif not is_whole(vote[1], crc32, vote[0]):
        reason = "is not what its checksum is of"
    elif not _is_vote_on(vote[0], row):
        reason = "is no vote on its block"
    if reason is None:
        sums[0] = crc32(vote[0])
    else:
        proved.add("votes", row.position, reason)
    if isinstance(proof[0], bytes) and is_whole(proof[1], crc32, proof[0]):
        sums[1] = crc32(proof[0])
    else:
        proved.add("proofs", row.position, "is not what its checksum is of")
    return sums[0], sums[1]


def _is_vote_on(vote: bytes, row: EventRow) -> bool:
    try:
        return _decode_vote(vote).vote.voting_for_block == row.block_id.hex()
    except (msgspec.MsgspecError, AttributeError):
        return False


def _prove_transactions(
    connection: sqlite3.Connection, proved: Proved, walk: Walk, row: EventRow, locate: Locate
) -> None:
    if row.reason is not None:
        return
    first, last = row.first_seq, row.first_seq + row.transaction_count - 1
    found = {one[0]: one for one in connection.execute(_TRANSACTIONS, (first, last)).fetchall()}
    outputs = _by_transaction(connection.execute(_OUTPUTS, (first << OUTPUT_BITS, (last + 1 << OUTPUT_BITS) - 1)))
    for seq in range(first, last + 1):
        if seq not in found:
            proved.add("transactions", seq, "is missing")
        elif (transaction := _prove_transaction(proved, found[seq], row.position)) is not None:
            proved.parsed.append((seq, transaction))
            _prove_outputs(connection, proved, seq, transaction, outputs.get(seq, []))
            walk.output_count += len(transaction.outputs)
    walk.seq = last
    _prove_spends(connection, proved, locate)


def _by_transaction(rows: Iterable[tuple[Any, ...]]) -> dict[int, list[tuple[Any, ...]]]:
    found: dict[int, list[tuple[Any, ...]]] = {}
    for row in rows:
        found.setdefault(row[0] >> OUTPUT_BITS, []).append(row)
    return found


def _prove_transaction(proved: Proved, row: Sequence[Any], position: int) -> Transaction | None:
    seq, id_, asset, stored_position, row_checksum, body_checksum, body = row
    columns = (seq, id_, asset, stored_position)
    reason, transaction = None, None
    if not is_whole(row_checksum, TRANSACTIONS.compute, *columns) or not is_whole(body_checksum, crc32, body):
        reason = "is not what its checksum is of"
    else:
        try:
            transaction = parse(body, elections=True, committed=True)
        except (ValidationError, TypeError, ValueError) as error:
            reason = f"its body is no transaction: {type(error).__name__}"
        else:
            asset_id = None if transaction.asset_id == transaction.id else bytes.fromhex(transaction.asset_id)
            expected = (seq, bytes.fromhex(transaction.id), asset_id, position)
            if transaction.body != body or expected != columns:
                reason, transaction = "its columns contradict its body", None
    if reason is not None:
        proved.add("transactions", seq, reason)
        proved.transactions.append((seq, NO_CHECKSUM, NO_CHECKSUM))
    else:
        proved.transactions.append((seq, TRANSACTIONS.compute(*columns), crc32(body)))
    return transaction


def _prove_outputs(
    connection: sqlite3.Connection, proved: Proved, seq: int, transaction: Transaction, rows: Sequence[tuple[Any, ...]]
) -> None:
    stored = {row[0]: row for row in rows}
    id_ = bytes.fromhex(transaction.id)
    for index, output in enumerate(transaction.outputs):
        number = output_number(seq, index)
        expected = (number, output.amount, output.fingerprint, b"".join(map(owner_hash, output.owners)))
        if number not in stored:
            proved.add("outputs", number, "is missing")
            continue
        *columns, checksum, spent_by, spent_checksum = stored[number]
        if not is_whole(checksum, OUTPUTS.compute, *columns, id_) or tuple(columns) != expected:
            proved.add("outputs", number, "is not what its transaction says")
            proved.outputs.append((NO_CHECKSUM, number))
        else:
            proved.outputs.append((OUTPUTS.compute(*expected, id_), number))
        if spent_by is None and spent_checksum is None:
            continue
        if is_whole(spent_checksum, SPENDS.compute, number, spent_by) and _names(
            connection, spent_by, transaction.id, index
        ):
            proved.spends.append((SPENDS.compute(number, spent_by), number))
        else:
            proved.add("outputs", number, "its spender does not name it")
            proved.spends.append((NO_CHECKSUM, number))


def _names(connection: sqlite3.Connection, spender: object, transaction_id: str, index: int) -> bool:
    link = b'"output_index":%d,"transaction_id":"%b"' % (index, transaction_id.encode())
    return any(
        isinstance(body, bytes) and link in body for (body,) in connection.execute(_SPENDER, (spender,)).fetchall()
    )


def _prove_spends(connection: sqlite3.Connection, proved: Proved, locate: Locate) -> None:
    """Prove that each output that an input names says so itself."""
    links = [(seq, one.fulfills) for seq, t in proved.parsed for one in t.inputs if one.fulfills is not None]
    places = locate({ref.transaction_id for _, ref in links})
    spends: dict[int, int] = {}
    for seq, ref in links:
        if ref.transaction_id not in places or not 0 <= ref.output_index < OUTPUT_COUNT_MAX:
            proved.add("transactions", seq, f"it spends of {ref.transaction_id}, which is not found")
        else:
            spends[output_number(places[ref.transaction_id], ref.output_index)] = seq
    said = dict(connection.execute(_SPENT, (array_of(sorted(spends)),)).fetchall())
    for number, seq in spends.items():
        if said.get(number) != seq:
            proved.add("outputs", number, f"it is not spent by transaction {seq}, which names it")
