"""From the effects of a decision to the rows that are written. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from bigchaindb.ledger.block import event_body
from bigchaindb.ledger.effects import Effects, Logged
from bigchaindb.store.keys import OUTPUT_BITS, output_number, owner_hash
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
    votes: list[tuple[int, bytes]] = field(default_factory=list)
    proofs: list[tuple[int, bytes]] = field(default_factory=list)
    transactions: list[tuple[int, bytes, bytes | None, int, bytes]] = field(default_factory=list)
    outputs: list[tuple[int, int, bytes, bytes]] = field(default_factory=list)
    spends: list[tuple[int, int]] = field(default_factory=list)
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
    size = len(head) + len(tail) + sum(len(t.body) for t in transactions) + max(0, len(transactions) - 1)
    rows.counts = counts = counts._replace(
        blocks=counts.blocks + (event.reason is None), log_bytes=counts.log_bytes + size
    )
    rows.events.append(
        (
            *(event.position, event.type, event.height, logged.block.header.timestamp, counts.log_bytes),
            *(counts.transactions + 1, len(transactions), event.digest, bytes.fromhex(event.block_id)),
            *(event.reason, tail, head),
        )
    )
    rows.votes.append((event.position, logged.vote))
    if logged.proof:
        rows.proofs.append((event.position, logged.proof))


def envelope(logged: Logged) -> tuple[bytes, bytes]:
    """Give what stands before and behind the transactions in an event's body; of a rejected proposal the whole body."""
    if logged.event.reason is not None:
        return event_body(logged.block, logged.event.reason, body_omitted=logged.body_omitted), b""
    head, mark, tail = event_body(replace(logged.block, transactions=())).partition(_MARK)
    assert mark, head
    return head + mark, tail


def _add(rows: Rows, seq: int, transaction: Transaction, position: int, seqs: Mapping[str, int]) -> None:
    asset = None if transaction.asset_id == transaction.id else bytes.fromhex(transaction.asset_id)
    rows.transactions.append((seq, bytes.fromhex(transaction.id), asset, position, transaction.body))
    for number, output in enumerate(transaction.outputs, output_number(seq, 0)):
        rows.outputs.append((number, output.amount, output.fingerprint, b"".join(map(owner_hash, output.owners))))
    for input_ in transaction.inputs:
        if (ref := input_.fulfills) is not None:
            rows.spends.append((seq, seqs[ref.transaction_id] << OUTPUT_BITS | ref.output_index))
    data, metadata = contents_of(transaction.body)
    if data is not None and transaction.operation != "VALIDATOR_ELECTION":  # transactions.md, section 7
        rows.asset_texts.append((seq, text_of(data, transaction.id)))
    if metadata is not None:
        rows.metadata_texts.append((seq, text_of(metadata, transaction.id)))
