"""Newest first equals oldest first turned round: for every choice, at every size of a page, with commits in between."""

import json
import random
from collections.abc import Iterator
from itertools import product

import pytest

from bigchaindb.errors import HistoryLost, MalformedToken
from bigchaindb.eventlog.selection import from_query
from bigchaindb.eventlog.token import WHOLE, encode
from bigchaindb.events import EventTypes
from bigchaindb.reader.frames import NOW
from bigchaindb.store import candidates, downwards, matching, queries
from bigchaindb.store.checksums import damaged
from bigchaindb.store.store import Store
from bigchaindb.streams.cloud_events import Choice
from bigchaindb.streams.shared_log import Place
from bigchaindb.transaction import Transaction
from tests.support import scale
from tests.support.chains import ALICE, BOB, Coin, transfer
from tests.support.event_logs import LogWriter
from tests.support.newest_pages import CHAIN, SIZES, Asked, Ledger, choices, down, forward, page


@pytest.fixture
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    store = Store(tmp_path_factory.mktemp("newest") / "data", generation_rows=40)
    made = Ledger(store, store.log_reader(), LogWriter(store.writer), random.Random(scale.seed()), [])
    for size in SIZES:
        made.grow(size)
    yield made
    made.log.close()
    store.close()


def test_newest_first_is_the_log_turned_round_whatever_the_bounds(ledger: Ledger) -> None:
    """The second bound ends each scan after one batch, as a scan that takes long ends."""
    for asked in choices(ledger):
        expected = [json.loads(one.envelope) for one in reversed(forward(ledger.log, asked[1], ledger.head))]
        for bounds in ((1, 10**9), (3, 10**9), (10**6, 10**9), (10**6, 1), (4, 2_000)):
            for late in (False, True):
                assert down(ledger, asked, bounds=bounds, is_late=lambda late=late: late) == expected, asked


def test_small_batches_find_the_same(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("BATCH_COUNT_FIRST", 1), ("BATCH_COUNT_MAX", 2), ("BATCH_BYTES_MAX", 900)):
        for module in (downwards, matching):
            monkeypatch.setattr(module, name, value)
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
            older = page(ledger, asked, ledger.head, item.token)
            assert older["events"] == envelopes[:number][::-1]
            assert older["live"] == item.token
            newer = page(ledger, asked, ledger.head, NOW, after=item.token)
            assert (newer["events"], newer["end"]) == (envelopes[number:][::-1], True)
            between = page(ledger, asked, ledger.head, items[-1].token, after=item.token)
            assert between["events"] == newer["events"]
            nothing = page(ledger, asked, ledger.head, item.token, after=items[-1].token)
            assert (nothing["events"], nothing["end"]) == ([], True)


def test_a_place_within_a_block_belongs_below_to_who_asks_for_blocks(ledger: Ledger) -> None:
    """`after` it the block comes whole, so `before` it the block does not come."""
    transactions = Choice(None, EventTypes.BLOCK_VALID, each_transaction=True)
    for item in forward(ledger.log, transactions, ledger.head):
        behind = [json.loads(one.envelope) for one in forward(ledger.log, Choice(), ledger.head, item.place)]
        older = page(ledger, ({}, Choice()), ledger.head, item.token)["events"]
        assert len(older) + len(behind) == ledger.head
        assert [*reversed(older), *behind] == down(ledger, ({}, Choice()))[::-1]


def test_live_is_where_a_stream_takes_over(ledger: Ledger) -> None:
    first = page(ledger, ({}, Choice()), ledger.head, NOW, bounds=(2, 10**9))
    head = ledger.head
    ledger.grow(2)
    [item] = forward(ledger.log, Choice(), ledger.head, Place(head))
    newer = page(ledger, ({}, Choice()), ledger.head, NOW, after=first["live"])
    assert newer["events"] == [json.loads(item.envelope)]


def test_an_empty_log_is_an_empty_page_at_its_end(tmp_path_factory: pytest.TempPathFactory) -> None:
    store = Store(tmp_path_factory.mktemp("empty") / "data")
    empty = Ledger(store, store.log_reader(), LogWriter(store.writer), random.Random(1), [])
    start = encode(CHAIN, 0, WHOLE, bytes(32))
    for each_transaction in (False, True):
        for members in ({}, {"asset": "a" * 64}, {"metadata.a": "red"}):
            asked: Asked = (members, Choice(from_query(members), each_transaction=each_transaction))
            assert page(empty, asked, 0, NOW) == {"events": [], "end": True, "next": start, "live": start}
            assert page(empty, asked, 0, NOW, is_count=True) == {"count": 0, "end": True, "next": start}
        assert page(empty, asked, 0, start)["events"] == []
    empty.log.close()
    store.close()


def test_counts_add_up_whatever_the_time(ledger: Ledger) -> None:
    """Of both heads: with an odd one the indexes of assets and owners are used."""
    for _ in range(2):
        for asked in choices(ledger):
            if asked[1].is_summary:
                continue
            items = forward(ledger.log, asked[1], ledger.head)
            for late in (False, True):
                total, before, is_late = 0, NOW, (lambda: True) if late else (lambda: False)
                while True:
                    one = page(ledger, asked, ledger.head, before, is_late=is_late, is_count=True)
                    total += one["count"]
                    if one["end"]:
                        break
                    assert one["next"] != before
                    before = one["next"]
                assert total == len(items), asked
            if items:
                place = items[len(items) // 2].token
                parts = [page(ledger, asked, ledger.head, place, is_count=True)["count"]]
                parts.append(page(ledger, asked, ledger.head, NOW, after=place, is_count=True)["count"])
                assert sum(parts) == len(items)
                assert page(ledger, asked, ledger.head, place, after=items[-1].token, is_count=True)["count"] == 0
        ledger.grow(1)


def test_what_takes_long_ends_although_all_of_it_matches(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rejected proposals have megabytes each, and whoever proposes may have thousands rejected."""
    monkeypatch.setattr(downwards, "BATCH_COUNT_MAX", 2)
    invalid: Asked = ({"operation": "CREATE"}, Choice(from_query({"operation": "CREATE"}), EventTypes.BLOCK_INVALID))
    while ledger.made[0].operation != "CREATE":
        ledger.made.pop(0)
    del ledger.made[1:]
    ledger.invalid()
    ledger.invalid()
    one = page(ledger, invalid, ledger.head, NOW, is_late=lambda: True, is_count=True)
    assert (one["count"], one["end"]) == (1, False)
    valid: Asked = ({}, Choice(types=EventTypes.BLOCK_VALID))
    one = page(ledger, valid, ledger.head, NOW, is_late=lambda: True)
    assert (one["events"], one["end"]) == ([], False)


def test_many_transfers_of_an_asset_or_an_owner_are_read_piece_by_piece(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From memory and from the tables, within one bound of what a request looks at."""
    coin = Coin(ledger.create())
    ledger.writer._commit(EventTypes.BLOCK_VALID, [coin.transaction])
    for number in range(60):
        moved = transfer(coin, to=ALICE, note=number)
        ledger.writer._commit(EventTypes.BLOCK_VALID, [moved])
        while ledger.store.writer.tidy():
            pass
        coin = Coin(moved)
    if not ledger.head % 2:
        ledger.grow(1)
    monkeypatch.setattr(candidates, "COUNT_FIRST", 2)
    for count_max, members, each_transaction in product(
        (candidates.CANDIDATE_COUNT_MAX, 5),
        ({"asset": coin.transaction.asset_id}, {"owner": ALICE.public_key}),
        (False, True),
    ):
        monkeypatch.setattr(downwards, "CANDIDATE_COUNT_MAX", count_max)
        choice = Choice(from_query(members), EventTypes.BLOCK_VALID, each_transaction=each_transaction)
        expected = [json.loads(one.envelope) for one in reversed(forward(ledger.log, choice, ledger.head))]
        assert len(expected) >= 61
        assert down(ledger, (members, choice), bounds=(7, 10**9)) == expected


def test_a_place_within_a_block_of_an_asset_hides_none_below(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """What of the node's memory lies between the place and its block counts for nothing where blocks are wanted."""
    monkeypatch.setattr(queries, "CANDIDATE_COUNT_MAX", 1)
    monkeypatch.setattr(queries, "COUNT_MAX", 0)
    coin = Coin(ledger.create())
    ledger.writer._commit(EventTypes.BLOCK_VALID, [coin.transaction])
    if ledger.head % 2:  # `history` is asked for at an odd head, two blocks later
        ledger.grow(1)
    moved: list[Transaction] = []
    for number in range(6):
        moved.append(transfer(coin, to=ALICE, note=number))
        coin = Coin(moved[-1])
    for block in (moved[:1], moved[1:]):
        ledger.writer._commit(EventTypes.BLOCK_VALID, block)
    ledger.invalid()
    within = encode(CHAIN, ledger.head - 1, 3, ledger.log.entry(ledger.head - 1).digest)  # type: ignore[union-attr]
    members = {"asset": coin.transaction.asset_id}
    asked: Asked = (members, Choice(from_query(members), EventTypes.BLOCK_VALID))
    found = [one["data"]["height"] for one in page(ledger, asked, ledger.head, within)["events"]]
    assert len(found) == 2


@pytest.mark.parametrize("operation", ["CREATE", "TRANSFER"])
def test_what_memory_knows_of_an_owner_is_enough_for_a_block_of_that_owner(
    operation: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A walk that wants blocks looks at all of the first one, and must not go on in the tables above what it left."""
    for module in (candidates, queries):
        monkeypatch.setattr(module, "COUNT_MAX", 1)
    monkeypatch.setattr(candidates, "COUNT_FIRST", 1)
    monkeypatch.setattr(queries, "OWNER_COUNT_MAX", 1)
    for transaction_count in (3, 9):
        coin = Coin(ledger.create())
        block = [coin.transaction]
        for number in range(transaction_count):
            block.append(transfer(coin, to=ALICE, note=number))
            coin = Coin(block[-1])
        ledger.writer._commit(EventTypes.BLOCK_VALID, block)
        ledger.invalid()
    if not ledger.head % 2:
        ledger.invalid()
    members = {"owner": ALICE.public_key, "operation": operation}
    for each_transaction in (False, True):
        choice = Choice(from_query(members), EventTypes.BLOCK_VALID, each_transaction=each_transaction)
        expected = [json.loads(one.envelope) for one in reversed(forward(ledger.log, choice, ledger.head))]
        assert expected
        assert down(ledger, (members, choice), bounds=(2, 10**9)) == expected


def test_a_filter_is_answered_although_memory_lacks_a_damaged_row(ledger: Ledger) -> None:
    """A scan finds what is whole, and raises once it is at the damage; memory would refuse all of each list."""
    if not ledger.head % 2:
        ledger.grow(1)
    ledger.store.writer.recent.open.damage = damaged("outputs", 1)
    asset = ledger.made[0].asset_id
    for members in ({"asset": asset}, {"owner": ALICE.public_key}, {"owner": BOB.public_key, "asset": asset}):
        choice = Choice(from_query(members), EventTypes.BLOCK_VALID, each_transaction=True)
        expected = [json.loads(one.envelope) for one in reversed(forward(ledger.log, choice, ledger.head))]
        assert down(ledger, (members, choice)) == expected


def test_memory_is_asked_of_an_owner_only_where_no_text_index_serves(ledger: Ledger) -> None:
    """It takes a step of the loop's threads, and the walk would not use it."""
    histories = [
        ledger.store.queries().history_for(from_query(members), None, ledger.head)
        for members in ({}, {"metadata.note": "7"}, {"owner": ALICE.public_key, "metadata.words": "red"})
    ]
    assert histories == [None, None, None]
    assert ledger.store.queries().history_for(from_query({"owner": ALICE.public_key}), None, ledger.head) is not None


def test_tokens_of_another_log_are_refused(ledger: Ledger) -> None:
    asked: Asked = ({}, Choice())
    for wrong in (encode("solo-2", 1, WHOLE, bytes(32)), encode(CHAIN, 1, WHOLE, bytes(32)), encode(CHAIN, 99, 0, b"")):
        with pytest.raises(HistoryLost):
            page(ledger, asked, ledger.head, wrong)
        with pytest.raises(HistoryLost):
            page(ledger, asked, ledger.head, NOW, after=wrong)
    with pytest.raises(MalformedToken):
        page(ledger, asked, ledger.head, "yesterday")


def test_a_token_beyond_the_transactions_of_its_block_is_behind_them(ledger: Ledger) -> None:
    """No node gives it out, but whoever knows a token can write one."""
    digest = ledger.log.entry(4).digest  # type: ignore[union-attr]
    asked: Asked = ({}, Choice(None, EventTypes.BLOCK_VALID, each_transaction=True))
    far, whole = encode(CHAIN, 4, 1_000, digest), encode(CHAIN, 4, WHOLE, digest)
    assert page(ledger, asked, ledger.head, far)["events"] == page(ledger, asked, ledger.head, whole)["events"]
    on_invalid = encode(CHAIN, 2, 5, ledger.log.entry(2).digest)  # type: ignore[union-attr]
    assert len(page(ledger, asked, ledger.head, on_invalid)["events"]) == 3
