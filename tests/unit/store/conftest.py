"""A store in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bigchaindb.store import Store


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "data"


@pytest.fixture
def store(data: Path) -> Iterator[Store]:
    """An empty store."""
    store = Store.open(data, page_count_max=3, generation_rows=40)
    yield store
    store.close()
