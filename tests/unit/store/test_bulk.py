"""Rows that are inserted many at a time are those that one at a time would have inserted."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.store.bulk import STEP_COUNTS, insert


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        opened.execute("CREATE TABLE kept (number INTEGER PRIMARY KEY AUTOINCREMENT, value, spent)")
        yield opened


@given(count=st.one_of(st.integers(0, 3 * max(STEP_COUNTS)), st.sampled_from(STEP_COUNTS)))
def test_every_row_is_there_once_and_in_order(connection: sqlite3.Connection, count: int) -> None:
    connection.execute("DELETE FROM kept")
    insert(connection, "kept (value, spent)", "(?, NULL)", [(value,) for value in range(count)])
    found = connection.execute("SELECT value, spent FROM kept ORDER BY number").fetchall()
    assert found == [(value, None) for value in range(count)]


def test_a_row_that_cannot_be_inserted_is_an_error(connection: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        insert(connection, "kept", "(?, ?, ?)", [(10**9, 1, None)] * 2)
