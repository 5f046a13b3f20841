"""A browser for each worker, and nodes whose ledgers have something to show."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import browsers, shown_ledger
from tests.support.browsers import Browser, Tab
from tests.support.installed import allow_installing
from tests.support.node import Node, running_node


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_installing(items, Path(__file__).parent)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A running Chromium."""
    with browsers.chromium() as running:
        yield running


@pytest.fixture(scope="session")
def full_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node alone, with a ledger that has something for every screen; nothing is added to it."""
    folder = tmp_path_factory.mktemp("full")
    shown_ledger.write(folder / "data")
    with running_node(folder, settings={"keypair": shown_ledger.KEY_PAIR}) as node:
        yield node


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Tab]:
    with browser.tab() as opened:
        yield opened
