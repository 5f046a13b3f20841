"""Holds a whole ledger file against the invariants, with SQL of its own: nothing of the store helps it to read."""

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha3_256, sha256
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from bigchaindb.events import EventTypes
from bigchaindb.ledger.block import NO_BLOCK_ID
from bigchaindb.ledger.effects import NO_DIGEST, log_digest
from bigchaindb.ledger.voting import is_signed, signed_by
from bigchaindb.transaction.model import OutputRef, Transaction
from bigchaindb.transaction.parsing import parse

OUTPUT_BITS = 20


@dataclass(frozen=True)
class Audited:
    """What a ledger that holds together holds.

    Attributes:
        block_ids: v1 ids of the valid blocks by height, from 1; a solo node's log has nothing else.
        bodies: of the transactions, by id.
    """

    block_ids: Sequence[str]
    bodies: Mapping[str, bytes]


class Event(NamedTuple):
    """A row of the log."""

    position: int
    type: int
    height: int
    first_seq: int
    transaction_count: int
    digest: bytes
    block_id: bytes
    reason: str | None
    tail: bytes
    head: bytes


def audit(ledger: Path) -> Audited:
    """Read all of a solo node's ledger, of which no process has hold, and check all that must be true of it."""
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = connection.execute("SELECT seq, position, id, body FROM transactions ORDER BY seq").fetchall()
        transactions = [parse(body) for *_, body in rows]
        assert [seq for seq, *_ in rows] == list(range(1, len(rows) + 1))
        assert [id_.hex() for _, _, id_, _ in rows] == [transaction.id for transaction in transactions]
        assert len({transaction.id for transaction in transactions}) == len(transactions), "twice in the ledger"
        block_ids = _check_log(connection, [(position, body) for _, position, _, body in rows])
        assert _outputs(connection) == _check_spends(transactions)
    return Audited(block_ids, {transaction.id: transaction.body for transaction in transactions})


def _check_log(connection: sqlite3.Connection, transactions: Sequence[tuple[int, bytes]]) -> list[str]:
    """Recompute every block's id, the chain of digests, the votes and the tip from the bytes; return the ids."""
    columns = ", ".join(Event._fields)
    events = [Event(*row) for row in connection.execute(f"SELECT {columns} FROM events ORDER BY position")]
    votes = connection.execute("SELECT position, body FROM votes ORDER BY position").fetchall()
    assert [position for position, _ in votes] == [event.position for event in events]
    digest, app_hash, ids, seq = NO_DIGEST, NO_DIGEST, [NO_BLOCK_ID], 1
    for position, event in enumerate(events, 1):
        assert event[:3] == (position, EventTypes.BLOCK_VALID, position), event  # E2: no gap, in log and chain
        assert event.reason is None
        assert event.first_seq == seq
        seq += event.transaction_count
        of_block = transactions[event.first_seq - 1 : seq - 1]
        assert {place for place, _ in of_block} == {position}  # E1: event and block point to each other
        bodies = [body for _, body in of_block]
        ids.append(_check_block(event, bodies))
        _check_vote(orjson.loads(votes[position - 1][1]), ids)
        digest = log_digest(digest, event.type, event.height, ids[-1])
        assert event.digest == digest
        of_ids = b"".join(bytes.fromhex(parse(body).id) for body in bodies)
        app_hash = sha256(app_hash + sha256(digest + position.to_bytes(8, "big") + of_ids).digest()).digest()  # L3
    assert seq == len(transactions) + 1, "transactions without a block"
    (tip,) = connection.execute("SELECT height, position, block_id, digest, app_hash FROM tip").fetchall()
    assert tip == (len(events), len(events), bytes.fromhex(ids[-1]), digest, app_hash)
    return ids[1:]


def _check_block(event: Event, bodies: Sequence[bytes]) -> str:
    """Put the event's body together and take the block's id from its bytes."""
    body = event.head + b",".join(bodies) + event.tail
    text = body.removeprefix(b'{"block":').rpartition(b',"height":')[0]
    document = orjson.loads(body)
    assert document["height"] == event.height
    assert document["id"] == sha3_256(text).hexdigest() == event.block_id.hex()
    assert signed_by(document["block"]["node_pubkey"], text, document["signature"])
    assert document["block"]["transactions"]
    return str(document["id"])


def _check_vote(vote: Mapping[str, Any], ids: Sequence[str]) -> None:
    content = vote["vote"]
    assert (content["voting_for_block"], content["previous_block"]) == (ids[-1], ids[-2])
    assert content["is_block_valid"]
    assert is_signed(vote)


def _check_spends(transactions: Sequence[Transaction]) -> dict[int, tuple[int, int | None]]:
    """Spend everything again, in order; return amount and spender of each output by its number."""
    unspent: dict[OutputRef, tuple[int, int, str]] = {}
    outputs: dict[int, tuple[int, int | None]] = {}
    created: Counter[str] = Counter()
    for seq, transaction in enumerate(transactions, 1):
        passed_on = 0
        for ref in (input_.fulfills for input_ in transaction.inputs):
            if ref is not None:
                number, amount, asset = unspent.pop(ref)  # L1: neither before it exists nor twice
                assert asset == transaction.asset_id
                outputs[number] = amount, seq
                passed_on += amount
        total = sum(output.amount for output in transaction.outputs)
        if transaction.operation == "CREATE":
            created[transaction.asset_id] += total
        else:
            assert passed_on == total
        for index, output in enumerate(transaction.outputs):
            number = seq << OUTPUT_BITS | index
            unspent[OutputRef(transaction.id, index)] = number, output.amount, transaction.asset_id
            outputs[number] = output.amount, None
    held: Counter[str] = Counter()
    for _, amount, asset in unspent.values():
        held[asset] += amount
    assert held == created  # L2
    return outputs


def _outputs(connection: sqlite3.Connection) -> dict[int, tuple[int, int | None]]:
    rows = connection.execute("SELECT output, amount, spent_by FROM outputs")
    return {number: (amount, spent_by) for number, amount, spent_by in rows}
