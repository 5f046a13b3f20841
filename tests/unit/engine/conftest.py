"""The store below engines."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bigchaindb.store import Store
from tests.support.ledgers import open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    with open_store(tmp_path / "data") as opened:
        yield opened
