"""The SQLite store fulfils the ports."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from bigchaindb.store import Log, Store
from bigchaindb.store.queries import LedgerQueries
from tests.conformance.store.ledger_queries import LedgerQueriesConformance
from tests.conformance.store.ledger_store import LedgerStoreConformance, Reopen, Stored


class Opened:
    """A store whose readers are closed with it."""

    def __init__(self, path: Path) -> None:
        self._files = ExitStack()
        self._store = self._files.enter_context(closing(Store(path, generation_rows=40)))
        self.writer = self._store.writer

    def queries(self) -> LedgerQueries:
        return self._store.queries()

    def log_reader(self) -> Log:
        return self._files.enter_context(closing(self._store.log_reader()))

    def close(self) -> None:
        self._files.close()


class TestSqlite(LedgerStoreConformance, LedgerQueriesConformance):
    """With pages and generations so small that every test crosses their bounds."""

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Iterator[Reopen]:
        opened: list[Opened] = []

        def reopen() -> Opened:
            while opened:
                opened.pop().close()
            opened.append(Opened(tmp_path / "data"))
            return opened[0]

        yield reopen
        while opened:
            opened.pop().close()

    @pytest.fixture
    def stored(self, reopen: Reopen) -> Stored:
        return reopen()
