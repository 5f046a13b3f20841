"""The packaged dashboard and alarms: nothing in them that the reference does not have.

That each query finds a series, and each alarm rings, Prometheus shows: tests/integration/node/test_prometheus.py and
test_alarms.py beside it.
"""

import json
import re
from typing import Final

from tests.support.pages import ROOT
from tests.support.prometheus import DASHBOARD, alerts, panels

PAGE: Final = (ROOT / "docs/reference/metrics.md").read_text()
SCHEMA_VERSION: Final = 39
"""Of Grafana 10.3 and later; a newer one migrates it. Load the dashboard by hand before this changes."""


def in_reference() -> set[str]:
    return set(re.findall(r"^\| `((?:bigchaindb|process)_\w+)` \|", PAGE, re.MULTILINE))


def named_in(text: str) -> set[str]:
    return set(re.findall(r"\b(?:bigchaindb|process)_\w+", text))


def test_each_metric_in_the_dashboard_and_the_alarms_is_in_the_reference() -> None:
    queries = [query for panel in panels() for query in panel.queries]
    expressions = [alert.expression for alert in alerts()]
    variables = json.dumps(json.loads(DASHBOARD.read_text())["templating"])
    used = named_in("\n".join([*queries, *expressions, variables]))
    assert len(used) > 50
    assert not used - in_reference()


def test_the_dashboard_draws_every_metric_that_tells_how_a_node_is() -> None:
    """A figure that nobody sees warns nobody."""
    drawn = named_in("\n".join(query for panel in panels() for query in panel.queries))
    details = {
        "bigchaindb_rejected_log_rows",  # its bytes are drawn
        "bigchaindb_plugin_epoch",
        "bigchaindb_network_validator_power",
        "bigchaindb_network_validator_signed_blocks",  # what it missed is drawn
        "bigchaindb_network_validator_signed_height",
        "process_virtual_memory_bytes",
    }
    assert in_reference() - drawn == details


def test_the_dashboard_is_whole() -> None:
    board = json.loads(DASHBOARD.read_text())
    assert board["schemaVersion"] == SCHEMA_VERSION
    assert [one["name"] for one in board["templating"]["list"]] == ["datasource", "job", "plugin"]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    assert [one["title"] for one in board["panels"] if one["type"] == "row"] == [
        "Ledger",
        "Delivery",
        "Network",
        "Disk",
        "Process",
    ]
    places = [panel["gridPos"] for panel in board["panels"]]
    taken = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(taken)) == len(taken), "no panel lies on another"
    assert max(x for x, _ in taken) < 24
    sources = [target["datasource"]["uid"] for panel in board["panels"] for target in panel.get("targets", [])]
    assert set(sources) == {"${datasource}"}, "the reader's own Prometheus"


def test_the_page_has_the_alarms_of_the_file() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \| (at once|\w+) \| (\w+) \| (.+) \|$", PAGE, re.MULTILINE)
    listed = [
        (name, text.replace("\\|", "|"), "0s" if held == "at once" else held, *rest) for name, text, held, *rest in rows
    ]
    assert listed == [tuple(alert) for alert in alerts()], "\n".join(row_of(*alert) for alert in alerts())


def row_of(name: str, expression: str, duration: str, severity: str, summary: str) -> str:
    held = "at once" if duration == "0s" else duration
    return f"| `{name}` | `{expression.replace('|', chr(92) + '|')}` | {held} | {severity} | {summary} |"
