"""SQL over the rows of random ledgers answers what the node answers at the same position."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from bigchaindb.delivery.rows import rows_of
from bigchaindb.simulated.chain import read_events
from bigchaindb.sinks.sqlite_file import RowsFile
from bigchaindb.store import Store
from bigchaindb.store.holdings import document
from bigchaindb.store.migrations import open_ledger
from tests.support import scale, sql_answers
from tests.support.decisions import Chain
from tests.support.held import KEYS, Counting, blocks

HISTORIES = scale.of(suite=3, long=60)
STEPS = 4
BLOCKS = 8
MANY = 100_000
CHAIN_ID = "random"


@pytest.mark.parametrize("seed", scale.seeds(HISTORIES))
def test_sql_answers_what_the_node_answers(tmp_path: Path, seed: int) -> None:
    draws, counting, chain = random.Random(seed), Counting(), Chain()
    growing = blocks(draws, 4)
    path, invalid_count, written = tmp_path / "ledger.db", 0, 0
    with closing(Store(tmp_path / "data")) as store, closing(store.log_reader()) as log:
        for _ in range(STEPS):
            for _ in range(BLOCKS):
                if draws.random() < 0.2:
                    store.writer.commit(chain.invalid(*next(blocks(draws, 2))))
                    invalid_count += 1
                block = next(growing)
                store.writer.commit(chain.valid(*block))
                counting.add(block)
            events = [(event.id, rows_of(event)) for event in read_events(log, CHAIN_ID)]
            with RowsFile(path, "sqlite", ["metadata.n"]) as file:
                file.write(events[written:])
            written = len(events)
            with closing(sqlite3.connect(path)) as rows, closing(open_ledger(store.directory.ledger)) as ledger:
                _compare(rows, ledger, store, counting)
                count = (
                    "SELECT count(*), count(reason), sum(transaction_count) FILTER (WHERE reason IS NULL) FROM blocks"
                )
                transaction_count = len({one.transaction.id for one in counting.outputs})
                assert rows.execute(count).fetchone() == (written, invalid_count, transaction_count)


def _compare(rows: sqlite3.Connection, ledger: sqlite3.Connection, store: Store, counting: Counting) -> None:
    questions = store.queries().holdings
    for key in KEYS:
        found = sql_answers.owner(rows, key)
        assert found == orjson.loads(document(ledger, questions.balances(key, MANY))) == counting.balances(key)
        for spent in (None, True, False):
            listed = counting.listed(lambda row, key=key: key in row["public_keys"], spent)  # type: ignore[misc]
            assert sql_answers.outputs_of_owner(rows, key, spent) == [*map(sql_answers.of_output, listed)]
    for asset in counting.assets:
        holders: Any = questions.holders(asset, MANY)
        answer: Any = orjson.loads(document(ledger, holders))
        found = sql_answers.asset(rows, asset)
        assert found == counting.asset(asset)
        assert {**answer, "holders": None} == {**found, "holders": None}
        for spent in (None, True, False):
            listed = counting.listed(lambda row, asset=asset: row["asset_id"] == asset, spent)  # type: ignore[misc]
            assert sql_answers.outputs_of_asset(rows, asset, spent) == [*map(sql_answers.of_output, listed)]
