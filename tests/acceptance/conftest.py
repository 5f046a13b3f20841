"""The published drivers as fixtures. Source: docs/reference/contract/driver-expectations.md."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import clients
from tests.support.clients import Client
from tests.support.installed import allow_installing
from tests.support.node import Node


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_installing(items, Path(__file__).parent)


@pytest.fixture(scope="session", params=clients.VERSION_2)
def client(node: Node, request: pytest.FixtureRequest) -> Iterator[Client]:
    """Each published driver that makes "2.0" transactions."""
    with clients.connected(request.param, node.url) as connected:
        yield connected


@pytest.fixture(scope="session", params=clients.PYTHON)
def python_client(node: Node, request: pytest.FixtureRequest) -> Iterator[Client]:
    """The Python drivers that make "2.0" transactions."""
    with clients.connected(request.param, node.url) as connected:
        yield connected


@pytest.fixture(scope="session", params=clients.VERSION_1)
def old_client(node: Node, request: pytest.FixtureRequest) -> Iterator[Client]:
    """Each published driver that makes "1.0" transactions."""
    with clients.connected(request.param, node.url) as connected:
        yield connected


@pytest.fixture(scope="session")
def old_javascript_client(node: Node) -> Iterator[Client]:
    """The JavaScript driver for 1.x alone, which has calls that the Python driver lacks."""
    with clients.connected("javascript-3.2.0", node.url) as connected:
        yield connected
