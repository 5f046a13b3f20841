"""The published drivers over TLS with an access key, against a node that takes nothing else.

Source: http-api.md, section 1.
"""

from collections.abc import Iterator

import pytest

from tests.support import clients
from tests.support.clients import Client, Recipient, RefusedError, Spend
from tests.support.node import Node, running_node
from tests.support.tls import Authority, settings_of, trust


@pytest.fixture(scope="module")
def closed_node(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[tuple[Node, str]]:
    """Run a node over TLS whose door is closed; yield it with a key that may read and write."""
    settings = settings_of(authority.sign())
    with trust(authority), running_node(tmp_path_factory.mktemp("closed"), settings=settings) as node:
        yield node, node.new_key("application", "--scopes", "read write")


@pytest.fixture(scope="module", params=clients.VERSION_2)
def known(closed_node: tuple[Node, str], request: pytest.FixtureRequest) -> Iterator[Client]:
    node, key = closed_node
    with clients.connected(request.param, node.url, key=key) as connected:
        yield connected


def test_a_driver_with_a_key_writes_and_reads(known: Client) -> None:
    """An operator who closes the door must not have to replace the applications."""
    alice, bob = known.keys(), known.keys()
    created = known.commit(known.create(alice, data={"bicycle": "red"}))
    assert known.retrieve(created["id"]) == created
    moved = known.commit(known.transfer([Spend(created, 0, (alice,))], [Recipient((bob,))]))
    assert known.transactions(created["id"]) == [created, moved]
    assert known.outputs(bob, spent=False) == [(moved["id"], 0)]


@pytest.mark.parametrize("name", clients.VERSION_2)
def test_a_driver_without_a_key_is_told_so(closed_node: tuple[Node, str], name: str) -> None:
    node, _ = closed_node
    with clients.connected(name, node.url) as stranger, pytest.raises(RefusedError) as refused:
        stranger.post(stranger.create(stranger.keys()))
    assert refused.value.status == 401
    assert not stranger.reads_error_bodies or "needs the scope write" in refused.value.text
