"""The packaged dashboard and alarms with a real Prometheus, which scrapes a node with plugins under load.

The row of the network: tests/integration/network/test_watching.py.
"""

from collections.abc import Iterator, Mapping
from threading import Event, Thread

import pytest

from bigchaindb.transaction.build import create
from tests.support.node import Node, running_node
from tests.support.ports import free_ports
from tests.support.prometheus import NETWORK, Prometheus, panels, running_prometheus
from tests.support.served import KEY
from tests.support.tls import Authority, settings_of, trust


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, plugins: Mapping[str, str], authority: Authority) -> Iterator[Node]:
    """A node over TLS with a plugin and a subscription, to which clients post."""
    folder = tmp_path_factory.mktemp("watched")
    (port,) = free_ports(1)
    settings = {
        **settings_of(authority.sign()),
        "metrics": {"bind": f"127.0.0.1:{port}"},
        "events_plugins": ["console_print"],
    }
    is_over = Event()

    def load() -> None:
        number = 0
        while not is_over.is_set():
            number += 1
            running.post(create([KEY], data={"n": number}).body)

    with trust(authority), running_node(folder, settings=settings, environment=plugins) as running:
        assert running.put("subscriptions/billing", {}).status == 201
        assert running.get("assets/", search="n").status == 200
        client = Thread(target=load)
        client.start()
        try:
            yield running
        finally:
            is_over.set()
            client.join()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, node: Node) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus") / "server"
    with running_prometheus(folder, node.settings["metrics"]["bind"], "https") as server:
        yield server


def test_every_panel_finds_its_series(prometheus: Prometheus) -> None:
    """A panel without data looks like a node on which nothing happens."""
    prometheus.until_found([query for panel in panels() if panel.row != NETWORK for query in panel.queries])


def test_every_alarm_is_evaluated(prometheus: Prometheus) -> None:
    prometheus.require_rules_evaluate()
