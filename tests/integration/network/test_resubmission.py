"""A transaction that one node has accepted and the mempools of all others have dropped.

Source: docs/explanation/network.md, what 202 promises.
"""

import http.client
from pathlib import Path

from tests.support.altered_node import altered
from tests.support.chains import create
from tests.support.live_networks import make_network
from tests.support.servers import running


def test_what_the_others_dropped_reaches_them_again_on_an_idle_chain(tmp_path: Path) -> None:
    """CometBFT sends a peer each transaction once: nobody would propose a block, and nobody ever decide."""
    network = make_network(tmp_path, 2)
    network[1].command = altered("refuse checks", 1)
    with running(network):
        made = create(1)
        assert network[0].send(made, mode="async").status == http.client.ACCEPTED
        network.until_everywhere(made)
