"""What the conformance suite cannot see: full disks, equal keys, readers that look on."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from msgspec.structs import replace

from bigchaindb.errors import StoreDamaged, StoreFull
from bigchaindb.ledger.ports import LedgerStore
from bigchaindb.ledger.view import Needs
from bigchaindb.store import Store
from bigchaindb.transaction.model import OutputRef
from tests.support.decisions import Chain, made, random_block
from tests.support.ledgers import wal_bytes
from tests.support.lists import outputs, whole


def test_a_full_disk_loses_nothing_and_the_block_can_be_committed_later(store: Store) -> None:
    """P1: nothing of it may be seen, and the node goes on when there is room."""
    decisions = Chain()
    coin = made(1)
    store.writer.commit(decisions.valid(coin))
    pages = store._connection.execute("PRAGMA page_count").fetchall()[0][0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    large = made(2, spends=[OutputRef(coin.id, 0)], asset_id=coin.id, metadata={"m": "x" * 100_000})
    effects = decisions.valid(large)

    for _ in range(2):
        with pytest.raises(StoreFull):
            store.writer.commit(effects)
        assert store.writer.tip().height == 1
        assert store.writer.view(Needs.of([large])).present == set()
        assert store.queries().transaction(large.id) is None
        assert outputs(store.queries(), "alice", spent=False) == [OutputRef(coin.id, 0)]

    store._connection.execute("PRAGMA max_page_count = 100000").fetchall()
    store.writer.commit(effects)
    assert store.writer.tip() == effects.tip
    assert store.queries().transaction(large.id) == large.body
    assert outputs(store.queries(), "alice", spent=None) == [OutputRef(coin.id, 0), OutputRef(large.id, 0)]


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("DELETE FROM outputs WHERE output >> 20 = 1", "outputs 1048576 is missing or is spent by another"),
        ("UPDATE outputs SET spent_by = 9 WHERE output >> 20 = 1", "outputs 1048576 is missing or is spent by another"),
        ("DELETE FROM transaction_index", "transaction_index .* is missing"),
    ],
)
def test_damage_that_a_block_meets_is_named(store: Store, damage: str, named: str) -> None:
    """Its transactions were checked before: a traceback would tell nobody what to restore."""
    decisions = Chain()
    coin = made(1)
    store.writer.commit(decisions.valid(coin))
    for serial in range(10, 80):  # the index row leaves memory
        store.writer.commit(decisions.valid(made(serial)))
        store.writer.tidy()
    store._connection.execute(damage)
    with pytest.raises(StoreDamaged, match=named):
        store.writer.commit(decisions.valid(made(2, spends=[OutputRef(coin.id, 0)], asset_id=coin.id)))
    assert store.damages.first is not None
    assert store.writer.tip().height == 71


@pytest.mark.parametrize("tidies", [0, 70], ids=["in memory", "in the table"])
def test_ids_that_begin_alike_are_told_apart(store: Store, tidies: int) -> None:
    """Who has the time to search can make two ids with equal keys; it must gain nothing."""
    one = replace(made(1), id="ab" * 8 + "0" * 48)
    other = replace(made(2), id="ab" * 8 + "1" * 48)
    absent = "ab" * 8 + "2" * 48
    decisions = Chain()
    store.writer.commit(decisions.valid(*(replace(t, asset_id=t.id) for t in (one, other))))
    spends = [made(3, spends=[OutputRef(coin.id, 0)], asset_id=coin.id) for coin in (one, other)]
    store.writer.commit(decisions.valid(*spends))
    for serial in range(10, 10 + tidies):
        store.writer.commit(decisions.valid(made(serial)))
        store.writer.tidy()
    queries = store.queries()

    view = store.writer.view(Needs({one.id, other.id, absent}, {OutputRef(absent, 0), OutputRef(one.id, 0)}))
    assert view.present == {one.id, other.id}
    assert [(ref, held.amount, held.asset_id) for ref, held in view.outputs.items()] == [
        (OutputRef(one.id, 0), 2, one.id)
    ]
    blocks = [[entry.height for entry in queries.blocks_of_transaction(id_)] for id_ in (one.id, other.id, absent)]
    assert blocks == [[1], [1], []]
    for coin, spend in zip((one, other), spends, strict=True):
        assert whole(queries, queries.transactions_of_asset(coin.id, None)) == [coin.body, spend.body]
        assert queries.last_of_asset(coin.id, None) == spend.body


def test_views_are_of_one_height_while_blocks_are_committed_and_rows_move(store: Store) -> None:
    """A view that mixes two heights lets a double spend pass on one node and not on another (N1)."""
    draw = random.Random(7)
    decisions, unspent = Chain(), list[tuple[OutputRef, str]]()
    blocks = [random_block(draw, unspent, 4) for _ in range(150)]
    heights = {t.id: height for height, block in enumerate(blocks, 1) for t in block}
    asked = [Needs.of(t for block in blocks for t in block), *map(Needs.of, blocks)]
    spent_at = {
        i.fulfills: height
        for height, block in enumerate(blocks, 1)
        for t in block
        for i in t.inputs
        if i.fulfills is not None
    }
    done = Event()

    def look(writer: LedgerStore) -> int:
        count = 0
        while not done.is_set():
            needs = asked[count % len(asked)] if count % 2 else asked[min(writer.tip().height + 1, len(blocks))]
            view = writer.view(needs)
            assert view.present == {id_ for id_ in needs.transaction_ids if heights[id_] <= view.height}
            there = {ref for ref in needs.outputs if heights[ref.transaction_id] <= view.height}
            assert view.outputs.keys() == there
            for ref, held in view.outputs.items():
                assert (held.spent_by is not None) == (spent_at[ref] <= view.height)
            count += 1
        return count

    with ThreadPoolExecutor(2) as readers:
        looks = [readers.submit(look, store.writer) for _ in range(2)]
        try:
            for block in blocks:
                store.writer.commit(decisions.valid(*block))
                store.writer.tidy()
        finally:
            done.set()
        assert sum(one.result() for one in looks) > 0


def test_a_reader_does_not_hold_up_a_commit(store: Store, data: Path) -> None:
    """P9, S1: also one that never ends its read."""
    decisions = Chain()
    store.writer.commit(decisions.valid(made(1)))
    with store._readers.connection() as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM tip").fetchall()
        for serial in range(2, 300):
            store.writer.commit(decisions.valid(made(serial)))
            store.writer.tidy()
        reader.execute("COMMIT")
    store.writer.commit(decisions.valid(made(300)))
    pinned = wal_bytes(data)
    store._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    for serial in range(301, 400):
        store.writer.commit(decisions.valid(made(serial)))
    assert wal_bytes(data) == pinned  # it begins anew
