"""Pages of a log from its newest event down, and the same by brute force."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

from bigchaindb.eventlog.selection import from_query
from bigchaindb.events import EventTypes
from bigchaindb.reader.frames import NOW, EventPage
from bigchaindb.reader.newest import read_newest
from bigchaindb.store.log import Log
from bigchaindb.store.store import Store
from bigchaindb.streams.cloud_events import Choice, Item, read_piece
from bigchaindb.streams.shared_log import Place
from bigchaindb.transaction import Transaction, build, parse
from bigchaindb.transaction.conditions import details_of
from tests.support.chains import ALICE, BOB, Coin, create, transfer
from tests.support.event_logs import LogWriter

CHAIN = "solo-1"
Asked = tuple[dict[str, str], Choice]
TEXTS = ("red", "dark red", "red dark", "R\u00e9d", "red, dark", "\ue000 red", "red\0dark", "\u2026", "", '"red"', "5")
"""Words that the tokenizer joins, parts and loses."""
SIZES = (3, 0, 1, 7, 0, 0, 2, 1, 12, 1, 0)
"""Transactions of each block; 0 is a rejected proposal."""
BEGINNING = Place(0)
HEAD_MAX = 2 * len(SIZES)
"""Events after which a log does not grow any more."""


class Ledger(NamedTuple):
    """A log, and what writes to it."""

    store: Store
    log: Log
    writer: LogWriter
    draw: random.Random
    made: list[Transaction]

    @property
    def head(self) -> int:
        return self.store.writer.tip().position

    def grow(self, size: int) -> None:
        if not size:
            self.invalid()
            return
        block: list[Transaction] = []
        for _ in range(size):
            unspent = [one for one in self.made if one.operation == "CREATE" and one not in block]
            if unspent and self.draw.random() < 0.5:
                spent = self.draw.choice(unspent)
                block.append(transfer(Coin(spent), note=self.draw.randrange(3)))
                self.made.remove(spent)
            else:
                block.append(self.create())
        self.made.extend(block)
        self.writer._commit(EventTypes.BLOCK_VALID, block)

    def create(self) -> Transaction:
        payments = [build.Payment(details_of([ALICE.public_key]), 1)] * self.draw.randint(1, 2)
        data = {"serial": self.draw.randrange(1 << 40), "colour": {"name": self.draw.choice(TEXTS)}}
        signers = [self.draw.choice((ALICE, BOB))]  # who signs alone owns nothing of it
        made = build.create(signers, payments, data=data, metadata={"words": self.draw.choice(TEXTS), "note": 7})
        return parse(made.body)

    def invalid(self) -> None:
        """Log a rejected proposal of a transaction that is in the ledger, too."""
        self.writer._commit(EventTypes.BLOCK_INVALID, [self.draw.choice(self.made)] if self.made else [create(1)])


def choices(ledger: Ledger) -> Iterator[Asked]:
    asset = ledger.made[0].asset_id
    members: Sequence[dict[str, str]] = (
        {},
        {"operation": "CREATE"},
        {"operation": "TRANSFER"},
        {"asset": asset},
        {"owner": ALICE.public_key},
        {"owner": BOB.public_key},
        {"owner": BOB.public_key, "metadata.note": "1"},
        {"owner": BOB.public_key, "asset": asset},
        {"owner": BOB.public_key, "metadata.words": TEXTS[0]},
        {"metadata.note[gte]": "1", "data.serial[exists]": "false"},
        {"data.serial[lt]": str(1 << 39)},
        *({"data.colour.name": text} for text in TEXTS),
        {"metadata.words": TEXTS[0], "operation": "CREATE"},
        {"metadata.words": TEXTS[1], "asset": asset},
    )
    masks = (EventTypes.ALL, EventTypes.BLOCK_VALID, EventTypes.BLOCK_INVALID)
    for each, mask, is_summary in product(members, masks, (False, True)):
        yield each, Choice(from_query(each), mask, each_transaction=False, is_summary=is_summary)
    for each, is_summary in product(members, (False, True)):
        yield each, Choice(from_query(each), EventTypes.BLOCK_VALID, each_transaction=True, is_summary=is_summary)


def forward(log: Log, choice: Choice, head: int, after: Place = BEGINNING) -> list[Item]:
    found: list[Item] = []
    while after.position < head:
        piece = read_piece(log, CHAIN, choice, after, head, count_max=10**6, bytes_max=10**9)
        found += piece.items
        after = piece.place
    return found


def page(
    ledger: Ledger,
    asked: Asked,
    head: int,
    before: str,
    *,
    after: str | None = None,
    bounds: tuple[int, int] = (10**6, 10**9),
    is_late: Callable[[], bool] = lambda: False,
    is_count: bool = False,
) -> dict[str, Any]:
    members, choice = asked
    known, history = None if before == NOW else before, None
    if head % 2:  # without it all is scanned
        history = ledger.store.queries().history_for(choice.selection, known, head)
    question = EventPage(
        members=members,
        types=choice.types,
        each_transaction=choice.each_transaction,
        is_summary=choice.is_summary,
        after=after,
        before=before,
        head=head,
        count_max=bounds[0],
        bytes_max=bounds[1],
        history=history,
        is_count=is_count,
    )
    document: dict[str, Any] = json.loads(read_newest(ledger.log, CHAIN, choice, question, is_late).body)
    if is_count:
        return document
    assert set(document) == {"events", "end", "next", "live"}
    assert len(document["events"]) <= bounds[0]
    return document


def down(ledger: Ledger, asked: Asked, *, is_growing: bool = False, **options: Any) -> list[Any]:
    """Follow `next` to the end."""
    found: list[Any] = []
    before = NOW
    while True:
        one = page(ledger, asked, ledger.head, before, **options)
        found += one["events"]
        if one["end"]:
            return found
        assert one["next"] != before, "else a client would ask for ever"
        before = one["next"]
        if is_growing and ledger.head < HEAD_MAX:
            ledger.grow(ledger.draw.randrange(3))
