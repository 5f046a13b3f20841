"""An application for CometBFT's questions."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bigchaindb.engine.cometbft.files import Layout, make_folders
from tests.support.applications import Application
from tests.support.ledgers import open_store


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    """The handlers of a validator over an empty store."""
    with open_store(tmp_path / "data") as store:
        found = Application(store)
        yield found
        await found.close()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    make_folders(made)
    return made
