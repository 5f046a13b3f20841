"""A store in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bigchaindb.store import Store
from tests.support.damage import FEW_ROWS, Whole, write_whole


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "data"


@pytest.fixture
def store(data: Path) -> Iterator[Store]:
    """An empty store."""
    store = Store(data, generation_rows=40)
    yield store
    store.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A ledger with rows in all tables."""
    return write_whole(tmp_path_factory.mktemp("whole") / "data", generation_rows=FEW_ROWS)
