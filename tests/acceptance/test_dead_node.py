"""A driver that is given several nodes goes on without those that are down.

Source: docs/reference/contract/driver-expectations.md, section 3, check 7.
"""

import pytest

from tests.support import clients
from tests.support.node import Node
from tests.support.ports import free_ports


@pytest.mark.parametrize("name", clients.VERSION_2)
def test_7_a_dead_node_is_skipped(node: Node, name: str) -> None:
    (nobody,) = free_ports(1)
    with clients.connected(name, f"http://127.0.0.1:{nobody}", node.url) as client:
        made = client.commit(client.create(client.keys()))
        assert client.retrieve(made["id"]) == made
