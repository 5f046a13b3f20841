"""`GET /metrics`: a node that nobody looks at is watched all the same (P14)."""

import socket
import subprocess
from collections.abc import Mapping

import pytest
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from bigchaindb.config import Limits
from bigchaindb.metrics.families import families as families_of
from bigchaindb.transaction.build import create
from tests.conftest import StartNode
from tests.support.figures import FIGURES
from tests.support.http import Answer, request
from tests.support.node import Node
from tests.support.ports import free_ports
from tests.support.served import KEY
from tests.support.services import require
from tests.support.waiting import until


def scrape(node: Node, method: str = "GET", path: str = "/metrics") -> Answer:
    return request(method, f"http://{node.settings['metrics']['bind']}{path}")


def families(node: Node) -> Mapping[str, Metric]:
    answer = scrape(node)
    assert answer.status == 200, answer
    return {family.name: family for family in text_string_to_metric_families(answer.body.decode())}


def value(node: Node, name: str, **labels: str) -> float:
    (sample,) = [
        sample
        for family in families(node).values()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return sample.value


@pytest.fixture
def watched(start_node: StartNode) -> Node:
    (port,) = free_ports(1)
    return start_node(settings={"metrics": {"bind": f"127.0.0.1:{port}"}, "limits": {"pool_count_max": 1234}})


def test_the_figures_are_those_of_the_node(watched: Node) -> None:
    """An alarm is worth what its figure is worth."""
    before = {name: value(watched, name) for name in ("bigchaindb_log_head_position", "bigchaindb_commits_total")}
    assert before == {"bigchaindb_log_head_position": 0, "bigchaindb_commits_total": 0}
    for number in range(3):
        assert watched.post(create([KEY], data={"n": number}).body).status == 202
    assert value(watched, "bigchaindb_log_head_position") == 3
    assert value(watched, "bigchaindb_commits_total") == 3
    assert value(watched, "bigchaindb_ledger_height") == 3
    assert value(watched, "bigchaindb_ledger_transactions") == 3
    assert value(watched, "bigchaindb_pool_transactions") == 0
    assert value(watched, "bigchaindb_rejected_transactions_total") == 0
    assert value(watched, "bigchaindb_ledger_file_bytes") > 0
    assert value(watched, "bigchaindb_disk_free_bytes") > 0
    assert value(watched, "bigchaindb_limit", limit="pool_count_max") == 1234
    with connect(watched.stream_url):
        until(lambda: value(watched, "bigchaindb_stream_connections") == 1, what="the stream to be counted")


def test_every_limit_is_there(watched: Node) -> None:
    """Dashboards draw the bound beside the figure."""
    labels = {sample.labels["limit"] for sample in families(watched)["bigchaindb_limit"].samples}
    assert labels == {name for name, bound in vars(Limits()).items() if bound is not None}


def test_prometheus_finds_nothing_to_complain_about(watched: Node) -> None:
    require("promtool")
    registry = CollectorRegistry()
    registry.collect = lambda: families_of(FIGURES)  # type: ignore[method-assign]  # with a plugin among them
    for exposition in (scrape(watched).body, generate_latest(registry)):
        line = ["promtool", "check", "metrics"]
        checked = subprocess.run(line, input=exposition, capture_output=True, check=False)
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_a_plugin_is_seen_over_http_and_by_prometheus(start_node: StartNode, plugins: Mapping[str, str]) -> None:
    """Whoever watches many nodes has no shell on them."""
    (port,) = free_ports(1)
    settings = {"metrics": {"bind": f"127.0.0.1:{port}"}, "events_plugins": ["console_print"]}
    node = start_node(settings=settings, environment=plugins)
    assert node.post(create([KEY], data={"n": 1}).body).status == 202

    def listed() -> dict[str, object]:
        (plugin,) = node.get("plugins").json()
        return {name: plugin[name] for name in ("name", "state", "lag")}

    until(
        lambda: listed() == {"name": "console_print", "state": "LIVE", "lag": 0},
        what="the plugin to have settled the event",
    )
    assert value(node, "bigchaindb_plugin_state", plugin="console_print", state="LIVE") == 1
    assert value(node, "bigchaindb_plugin_lag_events", plugin="console_print") == 0
    assert value(node, "bigchaindb_plugin_starts_total", plugin="console_print") == 1


def test_one_address_cannot_take_all_places_of_whoever_watches(start_node: StartNode) -> None:
    (port,) = free_ports(1)
    bound = {"metrics": {"bind": f"127.0.0.1:{port}"}, "limits": {"address_connection_count_max": 1}}
    node = start_node(settings=bound)
    with socket.create_connection(("127.0.0.1", port)):
        until(lambda: scrape(node).status == 503, what="the second connection to be refused")
    until(lambda: scrape(node).status == 200, what="the place to be free")
    assert value(node, "bigchaindb_refused_connections_total", listener="metrics", reason="address") >= 1


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/", 404), ("POST", "/metrics", 405)])
def test_nothing_else_is_served_there(watched: Node, method: str, path: str, status: int) -> None:
    assert scrape(watched, method, path).status == status


def test_head_has_no_body(watched: Node) -> None:
    answer = scrape(watched, "HEAD")
    assert (answer.status, answer.body) == (200, b"")


def test_the_api_does_not_show_them(watched: Node) -> None:
    """They are for whoever reaches `metrics.bind`, not for every client."""
    assert request("GET", f"{watched.url}/metrics").status == 404


def test_a_taken_address_is_named_with_its_setting(start_node: StartNode, watched: Node) -> None:
    with pytest.raises(Exception, match=r"metrics\.bind"):
        start_node(settings={"metrics": watched.settings["metrics"]})
