from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.errors import StoreError
from bigchaindb.store import Log, Store
from tests.support.decisions import Chain, made


def test_a_log_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"ledger\.db: unable to open"):
        Log(tmp_path / "ledger.db")


def test_a_log_follows_what_is_committed_after_it_was_opened(store: Store) -> None:
    with closing(store.log_reader()) as log:
        chain = Chain()
        for position in (1, 2, 3):
            store.writer.commit(chain.valid(made(position)))
            assert log.head() == position
            records = log.records(position - 1, position, count_max=1, bytes_max=1)
            assert [record.position for record in records] == [position]


def test_a_position_before_the_first_is_the_beginning(store: Store) -> None:
    store.writer.commit(Chain().valid(made(1)))
    with closing(store.log_reader()) as log:
        assert len(log.records(0, 10, count_max=0, bytes_max=0)) == 1
        assert log.entry(0) is None
        assert log.announcements(0) == []
