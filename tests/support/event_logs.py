"""Event logs for tests: events written straight into a store, and a log that is a list."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

import msgspec

from bigchaindb.eventlog.selection import ALL, Selection
from bigchaindb.events import EventTypes
from bigchaindb.ledger.block import Block, Header, event_body
from bigchaindb.ledger.effects import NO_DIGEST, Effects, Logged, LoggedEvent, log_digest
from bigchaindb.ledger.ports import Announcement, LedgerStore, Record
from bigchaindb.ledger.summaries import summary_of_event
from bigchaindb.transaction.model import Transaction

BODY_BYTES = 64

LOOK_COUNT = 3
"""Events that one call of `ListLog.selected` looks at."""


def passes(record: Record, selection: Selection | None) -> bool:
    """Whether an event matches, by reading all of it."""
    transactions = msgspec.json.decode(record.body)["block"]["transactions"]
    return (
        selection is None
        or selection == ALL
        or any(isinstance(one, dict) and selection.matches(one) for one in transactions)
    )


class LogWriter:
    """Commits decisions of any size without keys or rules: what reads the log does not look at those."""

    def __init__(self, store: LedgerStore) -> None:
        self._store = store

    def valid(self, transaction_count: int, body_bytes: int = BODY_BYTES) -> int:
        """Commit a valid block; return its position."""
        position = self._store.tip().position + 1
        ids = [sha256(f"{position} {index}".encode()).hexdigest() for index in range(transaction_count)]
        return self._commit(EventTypes.BLOCK_VALID, [transaction(id_, body_bytes) for id_ in ids])

    def invalid(self) -> int:
        """Commit a rejected proposal; return its position."""
        return self._commit(EventTypes.BLOCK_INVALID, [transaction("ab" * 32, BODY_BYTES)])

    def _commit(self, event_type: int, transactions: Sequence[Transaction]) -> int:
        tip = self._store.tip()
        position, height = tip.position + 1, tip.height + 1
        block_id = sha256(str(position).encode()).hexdigest()
        digest = log_digest(tip.digest, event_type, height, block_id)
        header = Header(block_id, height, 1_700_000_000 + height, "node", ("node",), None)
        valid = event_type == EventTypes.BLOCK_VALID
        reason = None if valid else "InvalidSignature at transactions[0]"
        block = Block(header, tuple(one.body for one in transactions))
        after = replace(tip, position=position, digest=digest)
        if valid:
            after = replace(after, height=height, block_id=block_id, timestamp=header.timestamp)
        event = LoggedEvent(position, event_type, height, block_id, reason, digest)
        self._store.commit(Effects(after, (Logged(event, block, b"{}"),), tuple(transactions) if valid else ()))
        return position


def transaction(id_: str, body_bytes: int) -> Transaction:
    """Make something that the store takes for a transaction, with a body of that size or a little more."""
    padding = "x" * max(0, body_bytes - 130)
    body = f'{{"asset":{{"data":null}},"id":"{id_}","metadata":null,"padding":"{padding}"}}'.encode()
    return Transaction(
        id=id_,
        version="2.0",
        operation="CREATE",
        asset_id=id_,
        inputs=(),
        outputs=(),
        body=body,
    )


class ListLog:
    """A `LogReader` over a list that tests append to."""

    def __init__(self, types: Sequence[int] = (), body_bytes: int = 0) -> None:
        self.all: list[Record] = []
        self.reads: list[tuple[int, int]] = []
        for event_type in types:
            self.append(event_type, body_bytes)

    def append(self, event_type: int = EventTypes.BLOCK_VALID, body_bytes: int = 0) -> None:
        position = len(self.all) + 1
        header = Header(f"{position:064x}", position, 1_700_000_000 + position, "node", ("node",), None)
        body = event_body(Block(header, (b'"' + b"x" * body_bytes + b'"',)))
        self.all.append(Record(position, event_type, position, header.timestamp, NO_DIGEST, body))

    def head(self) -> int:
        return len(self.all)

    def records(self, after: int, through: int, *, count_max: int, bytes_max: int) -> list[Record]:
        self.reads.append((after, through))
        taken: list[Record] = []
        for record in self.all[after : min(through, after + count_max)]:
            if taken and sum(len(one.body) for one in [*taken, record]) > bytes_max:
                break
            taken.append(record)
        return taken

    def selected(
        self,
        after: int,
        through: int,
        selection: Selection | None,
        *,
        types: int = -1,
        count_max: int,
        bytes_max: int,
    ) -> tuple[list[Record], int]:
        """Read `LOOK_COUNT` events in one call, so that some calls find none and get on all the same."""
        self.reads.append((after, through))
        looked = self.all[after : min(through, after + LOOK_COUNT)]
        taken: list[Record] = []
        for record in looked:
            if not (record.type & types and passes(record, selection)):
                continue
            if len(taken) == count_max or (taken and sum(len(one.body) for one in [*taken, record]) > bytes_max):
                return taken, record.position - 1
            taken.append(record)
        return taken, looked[-1].position if looked else after

    def summaries(
        self, after: int, through: int, *, types: int = -1, count_max: int, bytes_max: int
    ) -> tuple[list[Record], int]:
        records, reached = self.selected(after, through, None, types=types, count_max=count_max, bytes_max=bytes_max)
        return [one._replace(body=summary_of_event(one.body)) for one in records], reached

    def first_at(self, *, height: int | None = None, time: int | None = None) -> int:
        for record in self.all:
            if (height is None or record.height >= height) and (time is None or record.time >= time):
                return record.position
        return len(self.all) + 1

    def close(self) -> None:
        raise NotImplementedError

    def announcements(self, position: int) -> list[Announcement]:
        raise NotImplementedError

    def entry(self, position: int) -> LoggedEvent | None:
        raise NotImplementedError
