"""Prometheus itself, which scrapes a node and answers queries; and what the package brings for it."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from tests.support.http import request
from tests.support.pages import ROOT
from tests.support.ports import free_ports
from tests.support.servers import START_S, Server
from tests.support.services import require
from tests.support.waiting import until

ALERTS: Final = ROOT / "bigchaindb/operating/prometheus/alerts.yml"
DASHBOARD: Final = ROOT / "bigchaindb/operating/grafana/bigchaindb.json"
JOB: Final = "bigchaindb"
NETWORK: Final = "Network"
"""The row of the dashboard that only a node of a network has figures for."""
SETTINGS: Final = """\
global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}}
rule_files: ["{alerts}"]
scrape_configs:
  - job_name: {job}
    scheme: {scheme}
    tls_config: {{insecure_skip_verify: true}}
    static_configs: [{{targets: ["{target}"]}}]
"""
_VARIABLES: Final = {"$job": ".+", "$plugin": ".+", "$__rate_interval": "3s"}
_ALERT: Final = re.compile(
    r"- alert: (?P<name>\w+)\n +expr: (?P<expression>.+)\n +for: (?P<duration>\w+)\n"
    r" +labels: \{severity: (?P<severity>\w+)\}\n +annotations:\n +summary: (?P<summary>.+)\n +description: .+\n"
)


class Panel(NamedTuple):
    """A panel of the dashboard."""

    row: str
    title: str
    queries: list[str]


class Alert(NamedTuple):
    """An alarm of the packaged rules."""

    name: str
    expression: str
    duration: str
    severity: str
    summary: str


@dataclass
class Prometheus(Server):
    """A server that is running, or was."""

    folder: Path
    port: int
    process: Any = None

    def ask(self, path: str, **query: str) -> Any:
        """Return the data of an answer."""
        answer = request("GET", f"http://127.0.0.1:{self.port}/api/v1/{path}?{urlencode(query)}")
        document = json.loads(answer.body)
        assert document["status"] == "success", (query, document)
        return document["data"]

    def series(self, query: str) -> list[Any]:
        """Return what a query finds now."""
        found = self.ask("query", query=query)["result"]
        assert isinstance(found, list)
        return found

    def until_found(self, queries: list[str]) -> None:
        """Wait until each query finds something."""
        left = list(queries)

        def look() -> bool:
            left[:] = [query for query in left if not self.series(query)]
            return not left

        try:
            until(look, what="a series for each query", within_s=START_S)
        except AssertionError:
            raise AssertionError("no series: " + "\n".join(left)) from None

    def require_rules_evaluate(self) -> None:
        """Wait until each rule was evaluated, without an error."""

        def rules() -> list[dict[str, Any]]:
            return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

        until(lambda: all(rule["health"] != "unknown" for rule in rules()), what="the rules to be evaluated")
        assert len(rules()) == len(alerts())
        assert not [rule for rule in rules() if rule["health"] != "ok"]


@contextmanager
def running_prometheus(folder: Path, target: str, scheme: str = "http") -> Iterator[Prometheus]:
    """Run a server that scrapes one node and has the packaged alarms."""
    require("promtool")  # of the same package
    folder.mkdir()
    (port,) = free_ports(1)
    settings = SETTINGS.format(alerts=ALERTS, job=JOB, scheme=scheme, target=target)
    (folder / "prometheus.yml").write_text(settings)
    server = Prometheus(folder, port)
    server.launch(
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    )

    def scrapes() -> bool:
        server.require_alive()
        with suppress(OSError, AssertionError):  # it answers 503 until it is ready
            return bool(server.series("bigchaindb_info"))
        return False

    try:
        until(scrapes, what="the first scrape", within_s=START_S)
        yield server
    finally:
        server.kill()


def panels() -> list[Panel]:
    """Return the panels of the dashboard, with its variables filled in."""
    found: list[Panel] = []
    row = ""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
            continue
        queries = [target["expr"] for target in panel["targets"]]
        for variable, value in _VARIABLES.items():
            queries = [query.replace(variable, value) for query in queries]
        found.append(Panel(row, panel["title"], queries))
    return found


def alerts() -> list[Alert]:
    """Return the alarms, in the order of the file."""
    found = [Alert(*match) for match in _ALERT.findall(ALERTS.read_text())]
    assert len(found) == ALERTS.read_text().count("- alert:"), "an alarm has another form"
    return found
