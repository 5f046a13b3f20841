import random
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from bigchaindb.ledger.view import Needs
from bigchaindb.store import Store
from bigchaindb.store.keys import owner_hashes
from bigchaindb.transaction.model import OutputRef
from tests.support.decisions import Chain, made, random_block

GENERATION_ROWS = 60


def rows_in_memory(store: Store) -> int:
    return sum(generation.row_count for generation in store.writer.recent.generations)


def index_rows(store: Store) -> list[int]:
    names = ("transaction_index", "asset_index", "owner_index", "block_index")
    return [store._connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0] for name in names]


def test_memory_is_bounded_and_each_row_moves_once_whatever_restarts(tmp_path: Path) -> None:
    """Memory would grow with the ledger, or a look-up miss what is there."""
    draw = random.Random(3)
    unspent = list[tuple[OutputRef, str]]()
    decisions = Chain()
    largest = 0
    for _ in range(30):
        with closing(Store(tmp_path / "data", generation_rows=GENERATION_ROWS)) as store:
            for _ in range(draw.randint(1, 12)):
                store.writer.commit(decisions.valid(*random_block(draw, unspent, 3)))
                store.writer.tidy()
                largest = max(largest, rows_in_memory(store))
    assert largest < 3 * GENERATION_ROWS

    with closing(Store(tmp_path / "data", generation_rows=GENERATION_ROWS)) as store:
        done, done_position, sealed, *_ = store._connection.execute(
            "SELECT done_seq, done_position, sealed_seq FROM indexing"
        ).fetchone()
        while done < sealed:  # let the moves of the sealed generation end
            store.writer.commit(decisions.valid(made(draw.getrandbits(40))))
            store.writer.tidy()
            done, done_position = store._connection.execute("SELECT done_seq, done_position FROM indexing").fetchone()
        transfers, owners = 0, 0
        for (asset,) in store._connection.execute("SELECT asset FROM transactions WHERE seq <= ?", (done,)).fetchall():
            transfers += asset is not None
        query = "SELECT owners FROM outputs WHERE output < ?"
        for (joined,) in store._connection.execute(query, ((done + 1) << 20,)).fetchall():
            owners += len(owner_hashes(joined))
        assert index_rows(store) == [done, transfers, owners, done_position]


def test_a_store_without_tidying_finds_everything_too(tmp_path: Path) -> None:
    decisions = Chain()
    with closing(Store(tmp_path / "data", generation_rows=4)) as store:
        transactions = [made(serial) for serial in range(20)]
        for transaction in transactions:
            store.writer.commit(decisions.valid(transaction))
        assert [store.queries().transaction(t.id) for t in transactions] == [t.body for t in transactions]
        assert index_rows(store) == [0, 0, 0, 0]


def test_a_later_version_may_keep_more_rows_in_memory(tmp_path: Path) -> None:
    """Its moves would then be due later than those already made; made again they would end the node."""
    decisions = Chain()
    transactions = [made(serial) for serial in range(90)]
    for generation_rows, part in ((60, transactions[:30]), (240, transactions[30:])):
        with closing(Store(tmp_path / "data", generation_rows=generation_rows)) as store:
            for transaction in part:
                store.writer.commit(decisions.valid(transaction))
                store.writer.tidy()
            assert [store.queries().transaction(t.id) for t in part] == [t.body for t in part]
    with closing(Store(tmp_path / "data")) as store:
        assert all(store.queries().transaction(t.id) == t.body for t in transactions)


def test_a_restart_knows_what_is_spent(tmp_path: Path) -> None:
    """Else it would be spent a second time, and the node would stop (L1)."""
    coin = made(1, owners=[("alice",), ("bob",)])
    kept, spent = OutputRef(coin.id, 0), OutputRef(coin.id, 1)
    spender, again = (made(serial, spends=[spent], asset_id=coin.id) for serial in (2, 3))
    with closing(Store(tmp_path / "data")) as store:
        store.writer.commit((decisions := Chain()).valid(coin))
        store.writer.commit(decisions.valid(spender))
    with closing(Store(tmp_path / "data")) as store:
        assert store.writer.recent.open.unspent.keys() == {1 << 20, 2 << 20}
        view = store.writer.view(Needs({again.id}, {kept, spent}))
    assert [view.outputs[ref].spent_by for ref in (kept, spent)] == [None, spender.id]


def test_owners_of_one_output_whose_index_keys_are_equal_move_as_one_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has time finds two such keys; a move that stumbles over them would end the node at every start."""
    monkeypatch.setattr(
        "bigchaindb.store.rows.owner_hash", lambda owner: bytes(8) + sha256(owner.encode()).digest()[8:]
    )
    decisions = Chain()
    with closing(Store(tmp_path / "data", generation_rows=4)) as store:
        store.writer.commit(decisions.valid(made(1, owners=[("alice", "bob")])))
        while not store._connection.execute("SELECT done_seq FROM indexing").fetchall()[0][0]:
            store.writer.tidy()
            store.writer.commit(decisions.valid(made(decisions.tip.height + 1)))
        rows = store._connection.execute("SELECT count(*) FROM owner_index WHERE key = 0 AND output = 1 << 20")
        assert rows.fetchall() == [(1,)]


def test_a_block_is_found_while_its_row_moves_into_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decisions = Chain()
    with closing(Store(tmp_path / "data", generation_rows=4)) as store:

        def commit() -> str:
            effects = decisions.valid(made(decisions.tip.height))
            store.writer.commit(effects)
            store.writer.tidy()
            return effects.tip.block_id

        block_id = commit()
        recent = store.writer.recent
        blocks = recent.blocks

        def moving(id_: bytes) -> list[int]:
            """Move all rows right before the memory is asked."""
            while blocks(id_):
                commit()
            return blocks(id_)

        monkeypatch.setattr(recent, "blocks", moving)
        found = store.queries().block_by_id(block_id)
        assert found is not None
        assert found[0].header.height == 1
