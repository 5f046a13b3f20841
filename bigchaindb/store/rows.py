"""From the effects of a decision to the rows that are written. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple
from zlib import crc32

from bigchaindb.ledger.block import event_body
from bigchaindb.ledger.effects import Effects, Logged
from bigchaindb.store.checksums import checksum_of, envelope_sum, output_sum, record_sum, spent_sum, transaction_sum
from bigchaindb.store.keys import OUTPUT_BITS, output_number, owner_hash
from bigchaindb.store.naming import named_by, named_sum
from bigchaindb.store.search import text_of
from bigchaindb.store.stored import contents_of
from bigchaindb.transaction.model import Transaction

_MARK: Final = b'"transactions":['


class Counts(NamedTuple):
    """How many rows of each kind there are; as the columns stand in `tip`."""

    blocks: int
    transactions: int
    outputs: int
    log_bytes: int


@dataclass(slots=True)
class Rows:
    """What one commit inserts, table by table, in the order of the tables' columns."""

    counts: Counts
    events: list[tuple[Any, ...]] = field(default_factory=list)
    event_checksums: list[tuple[int, ...]] = field(default_factory=list)
    votes: list[tuple[int, bytes]] = field(default_factory=list)
    proofs: list[tuple[int, bytes]] = field(default_factory=list)
    transactions: list[tuple[int, bytes, bytes | None, int, bytes]] = field(default_factory=list)
    transaction_checksums: list[tuple[int, int, int]] = field(default_factory=list)
    outputs: list[tuple[int, int, bytes, bytes, int]] = field(default_factory=list)
    named: list[tuple[int, bytes, int]] = field(default_factory=list)
    spends: list[tuple[int, int, int]] = field(default_factory=list)
    asset_texts: list[tuple[int, str]] = field(default_factory=list)
    metadata_texts: list[tuple[int, str]] = field(default_factory=list)


def rows_of(effects: Effects, counts: Counts, places: Mapping[str, int]) -> Rows:
    """Compute all rows of a decision.

    Args:
        effects: of the decision.
        counts: before it.
        places: seq of each transaction outside the block of which an output is spent.
    """
    rows = Rows(counts)
    for one in effects.logged:
        _log(rows, one, effects.transactions if one.event.reason is None else ())
    seqs = dict(places)
    for seq, transaction in enumerate(effects.transactions, counts.transactions + 1):
        seqs[transaction.id] = seq
        _add(rows, seq, transaction, effects.last.event.position, seqs)
    rows.counts = rows.counts._replace(
        transactions=counts.transactions + len(effects.transactions), outputs=counts.outputs + len(rows.outputs)
    )
    return rows


def _log(rows: Rows, logged: Logged, transactions: Sequence[Transaction]) -> None:
    event, counts = logged.event, rows.counts
    head, tail = envelope(logged)
    body = b"".join((head, b",".join([t.body for t in transactions]), tail))
    rows.counts = counts = counts._replace(
        blocks=counts.blocks + (event.reason is None), log_bytes=counts.log_bytes + len(body)
    )
    columns = (
        *(event.position, event.type, event.height, logged.block.header.timestamp, counts.log_bytes),
        *(counts.transactions + 1, len(transactions), event.digest, bytes.fromhex(event.block_id), event.reason),
    )
    rows.events.append((*columns, tail, head))
    whole = record_sum(event.position, event.type, event.height, logged.block.header.timestamp, event.digest, body)
    whole_envelope = envelope_sum(event.position, head, tail)
    sums = (checksum_of(*columns), whole, crc32(logged.vote), crc32(logged.proof), whole_envelope)
    rows.event_checksums.append((event.position, *sums))
    rows.votes.append((event.position, logged.vote))
    if logged.proof:
        rows.proofs.append((event.position, logged.proof))


def envelope(logged: Logged) -> tuple[bytes, bytes]:
    """Return what stands before and behind the transactions in an event's body; of a rejected proposal all of it."""
    if logged.event.reason is not None:
        return event_body(logged.block, logged.event.reason, body_omitted=logged.body_omitted), b""
    head, mark, tail = event_body(replace(logged.block, transactions=())).partition(_MARK)
    assert mark, head
    return head + mark, tail


def _add(rows: Rows, seq: int, transaction: Transaction, position: int, seqs: Mapping[str, int]) -> None:
    asset = None if transaction.asset_id == transaction.id else bytes.fromhex(transaction.asset_id)
    id_ = bytes.fromhex(transaction.id)
    columns = (seq, id_, asset, position)
    rows.transactions.append((*columns, transaction.body))
    rows.transaction_checksums.append((seq, transaction_sum(*columns), crc32(transaction.body)))
    for number, output in enumerate(transaction.outputs, output_number(seq, 0)):
        owned = (number, output.amount, output.fingerprint, b"".join(map(owner_hash, output.owners)))
        rows.outputs.append((*owned, output_sum(*owned, id_)))
    if keys := named_by(transaction):
        rows.named.append((seq, keys, named_sum(seq, keys)))
    for input_ in transaction.inputs:
        if (ref := input_.fulfills) is not None:
            spent = seqs[ref.transaction_id] << OUTPUT_BITS | ref.output_index
            rows.spends.append((seq, spent_sum(spent, seq), spent))
    data, metadata = contents_of(transaction.body)
    if data is not None and transaction.operation != "VALIDATOR_ELECTION":  # transactions.md, section 7
        rows.asset_texts.append((seq, text_of(data, transaction.id)))
    if metadata is not None:
        rows.metadata_texts.append((seq, text_of(metadata, transaction.id)))
