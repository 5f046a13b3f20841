"""Newest first equals oldest first turned round: for every choice, at every size of a page, with commits in between."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import pytest

from bigchaindb.errors import HistoryLost, MalformedToken
from bigchaindb.eventlog.selection import from_query
from bigchaindb.eventlog.token import WHOLE, encode
from bigchaindb.events import EventTypes
from bigchaindb.reader.frames import NOW, EventPage
from bigchaindb.reader.newest import read_newest
from bigchaindb.store import downwards
from bigchaindb.store.log import Log
from bigchaindb.store.store import Store
from bigchaindb.streams.cloud_events import Choice, Item, read_piece
from bigchaindb.streams.shared_log import Place
from bigchaindb.transaction import Transaction
from tests.support import scale
from tests.support.chains import ALICE, BOB, Coin, create, transfer
from tests.support.event_logs import LogWriter

CHAIN = "solo-1"
Asked = tuple[dict[str, str], Choice]
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
            self.writer.invalid()
            return
        block: list[Transaction] = []
        for _ in range(size):
            unspent = [one for one in self.made if one.operation == "CREATE" and one not in block]
            if unspent and self.draw.random() < 0.5:
                spent = self.draw.choice(unspent)
                block.append(transfer(Coin(spent), note=self.draw.randrange(3)))
                self.made.remove(spent)
            else:
                block.append(create(self.draw.randrange(1 << 40), amounts=(1,) * self.draw.randint(1, 2)))
        self.made.extend(block)
        self.writer._commit(EventTypes.BLOCK_VALID, block)


@pytest.fixture
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    store = Store(tmp_path_factory.mktemp("newest") / "data", generation_rows=40)
    made = Ledger(store, store.log_reader(), LogWriter(store.writer), random.Random(scale.seed()), [])
    for size in SIZES:
        made.grow(size)
    yield made
    made.log.close()
    store.close()


def choices(ledger: Ledger) -> Iterator[Asked]:
    asset = ledger.made[0].asset_id
    members: Sequence[dict[str, str]] = (
        {},
        {"operation": "CREATE"},
        {"operation": "TRANSFER"},
        {"asset": asset},
        {"owner": ALICE.public_key},
        {"owner": BOB.public_key, "metadata.note": "1"},
        {"metadata.note[gte]": "1", "data.serial[exists]": "false"},
        {"data.serial[lt]": str(1 << 39)},
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
    log: Log,
    asked: Asked,
    head: int,
    before: str,
    *,
    after: str | None = None,
    bounds: tuple[int, int] = (10**6, 10**9),
    is_late: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    members, choice = asked
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
    )
    document: dict[str, Any] = json.loads(read_newest(log, CHAIN, choice, question, is_late).body)
    assert set(document) == {"events", "end", "next", "live"}
    assert len(document["events"]) <= bounds[0]
    return document


def down(ledger: Ledger, asked: Asked, *, is_growing: bool = False, **options: Any) -> list[Any]:
    """Follow `next` to the end."""
    found: list[Any] = []
    before = NOW
    while True:
        one = page(ledger.log, asked, ledger.head, before, **options)
        found += one["events"]
        if one["end"]:
            return found
        assert one["next"] != before, "else a client would ask for ever"
        before = one["next"]
        if is_growing and ledger.head < HEAD_MAX:
            ledger.grow(ledger.draw.randrange(3))


def test_newest_first_is_the_log_turned_round_whatever_the_bounds(ledger: Ledger) -> None:
    """The second bound ends each scan after one batch, as a scan that takes long ends."""
    for asked in choices(ledger):
        expected = [json.loads(one.envelope) for one in reversed(forward(ledger.log, asked[1], ledger.head))]
        for bounds in ((1, 10**9), (3, 10**9), (10**6, 10**9), (10**6, 1), (4, 2_000)):
            for late in (False, True):
                assert down(ledger, asked, bounds=bounds, is_late=lambda late=late: late) == expected, asked


def test_small_batches_find_the_same(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("BATCH_COUNT_FIRST", 1), ("BATCH_COUNT_MAX", 2), ("BATCH_BYTES_MAX", 900)):
        monkeypatch.setattr(downwards, name, value)
        for asked in choices(ledger):
            expected = [json.loads(one.envelope) for one in reversed(forward(ledger.log, asked[1], ledger.head))]
            assert down(ledger, asked, is_late=lambda: True) == expected, (asked, name)


def test_what_is_committed_between_two_pages_changes_nothing_below(ledger: Ledger) -> None:
    every = list(choices(ledger))
    for asked in ledger.draw.sample(every, len(every)):
        expected = [json.loads(one.envelope) for one in reversed(forward(ledger.log, asked[1], ledger.head))]
        assert down(ledger, asked, is_growing=True, bounds=(2, 10**9)) == expected, asked


def test_after_and_before_cut_the_log_at_one_place(ledger: Ledger) -> None:
    """Neither a gap nor an overlap: what comes behind a token and what is before it are all there is."""
    for asked in choices(ledger):
        items = forward(ledger.log, asked[1], ledger.head)
        envelopes = [json.loads(one.envelope) for one in items]
        for number, item in enumerate(items, 1):
            older = page(ledger.log, asked, ledger.head, item.token)
            assert older["events"] == envelopes[:number][::-1]
            assert older["live"] == item.token
            newer = page(ledger.log, asked, ledger.head, NOW, after=item.token)
            assert (newer["events"], newer["end"]) == (envelopes[number:][::-1], True)
            between = page(ledger.log, asked, ledger.head, items[-1].token, after=item.token)
            assert between["events"] == newer["events"]
            nothing = page(ledger.log, asked, ledger.head, item.token, after=items[-1].token)
            assert (nothing["events"], nothing["end"]) == ([], True)


def test_a_place_within_a_block_belongs_below_to_who_asks_for_blocks(ledger: Ledger) -> None:
    """`after` it the block comes whole, so `before` it the block does not come."""
    transactions = Choice(None, EventTypes.BLOCK_VALID, each_transaction=True)
    for item in forward(ledger.log, transactions, ledger.head):
        behind = [json.loads(one.envelope) for one in forward(ledger.log, Choice(), ledger.head, item.place)]
        older = page(ledger.log, ({}, Choice()), ledger.head, item.token)["events"]
        assert len(older) + len(behind) == ledger.head
        assert [*reversed(older), *behind] == down(ledger, ({}, Choice()))[::-1]


def test_live_is_where_a_stream_takes_over(ledger: Ledger) -> None:
    first = page(ledger.log, ({}, Choice()), ledger.head, NOW, bounds=(2, 10**9))
    head = ledger.head
    ledger.grow(2)
    [item] = forward(ledger.log, Choice(), ledger.head, Place(head))
    newer = page(ledger.log, ({}, Choice()), ledger.head, NOW, after=first["live"])
    assert newer["events"] == [json.loads(item.envelope)]


def test_an_empty_log_is_an_empty_page_at_its_end(tmp_path_factory: pytest.TempPathFactory) -> None:
    store = Store(tmp_path_factory.mktemp("empty") / "data")
    log = store.log_reader()
    start = encode(CHAIN, 0, WHOLE, bytes(32))
    for each_transaction in (False, True):
        one = page(log, ({}, Choice(each_transaction=each_transaction)), 0, NOW)
        assert one == {"events": [], "end": True, "next": start, "live": start}
        assert page(log, ({}, Choice()), 0, start)["events"] == []
    log.close()
    store.close()


def test_tokens_of_another_log_are_refused(ledger: Ledger) -> None:
    asked: Asked = ({}, Choice())
    for wrong in (encode("solo-2", 1, WHOLE, bytes(32)), encode(CHAIN, 1, WHOLE, bytes(32)), encode(CHAIN, 99, 0, b"")):
        with pytest.raises(HistoryLost):
            page(ledger.log, asked, ledger.head, wrong)
        with pytest.raises(HistoryLost):
            page(ledger.log, asked, ledger.head, NOW, after=wrong)
    with pytest.raises(MalformedToken):
        page(ledger.log, asked, ledger.head, "yesterday")


def test_a_token_beyond_the_transactions_of_its_block_is_behind_them(ledger: Ledger) -> None:
    """No node gives it out, but whoever knows a token can write one."""
    digest = ledger.log.entry(4).digest  # type: ignore[union-attr]
    asked: Asked = ({}, Choice(None, EventTypes.BLOCK_VALID, each_transaction=True))
    far, whole = encode(CHAIN, 4, 1_000, digest), encode(CHAIN, 4, WHOLE, digest)
    assert page(ledger.log, asked, ledger.head, far)["events"] == page(ledger.log, asked, ledger.head, whole)["events"]
    on_invalid = encode(CHAIN, 2, 5, ledger.log.entry(2).digest)  # type: ignore[union-attr]
    assert len(page(ledger.log, asked, ledger.head, on_invalid)["events"]) == 3
