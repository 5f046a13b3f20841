"""Figures as metrics: names, values and that the reference has them all."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from prometheus_client import Metric, ProcessCollector

from bigchaindb.eventlog.lane import State
from bigchaindb.metrics.families import families
from tests.support.figures import FIGURES

PAGE: Final = (Path(__file__).parents[3] / "docs/reference/metrics.md").read_text()
FAMILIES: Final[Mapping[str, Metric]] = {family.name: family for family in families(FIGURES)}


def value(family: str, **labels: str) -> float:
    (sample,) = [one for one in FAMILIES[family].samples if labels.items() <= one.labels.items()]
    return sample.value


def test_refusals_are_told_by_listener_and_reason() -> None:
    assert value("bigchaindb_refused_connections", listener="http", reason="places") == 16
    assert value("bigchaindb_refused_connections", listener="http", reason="address") == 17


def test_refusals_for_who_sent_are_told_by_status_before_there_are_any() -> None:
    assert [value("bigchaindb_access_refused", status=status) for status in ("401", "403", "429")] == [72, 73, 0]


def test_each_figure_stands_under_its_own_name() -> None:
    names = {
        "log_head_position": 5,
        "ledger_height": 4,
        "ledger_transactions": 9,
        "ledger_file_bytes": 4096,
        "ledger_wal_bytes": 512,
        "admission_bytes": 1,
        "pool_transactions": 2,
        "pool_bytes": 3,
        "commit_waiters": 4,
        "commits": 5,
        "rejected_transactions": 6,
        "http_connections": 11,
        "sse_clients": 12,
        "stream_connections": 13,
        "stream_late_clients": 14,
        "stream_floods": 15,
        "log_dropped_lines": 70,
        "failed_works": 2,
        "access_keys": 71,
        "network_following": 1,
        "network_degraded": 0,
        "network_stalled": 1,
        "network_height": 21,
        "network_peers": 22,
        "network_invalid_blocks": 23,
        "network_rejections": 24,
        "network_outbox_transactions": 25,
        "network_cometbft_starts": 26,
        "network_round": 27,
        "network_total_power": 18,
        "network_connected_power": 15,
        "network_signing_power": 5,
        "network_own_key_signing": 0,
        "network_misbehaviors": 28,
    }
    assert {name: value(f"bigchaindb_{name}") for name in names} == names


def test_each_place_of_check_processes_has_its_figures() -> None:
    figures = {"processes": 2, "batches": 80, "wait_seconds": 1.5, "restarts": 3}
    assert {name: value(f"bigchaindb_check_{name}", place="light") for name in figures} == figures
    assert value("bigchaindb_check_batches", place="heavy") == 0
    assert [value("bigchaindb_check_failing", place=place) for place in ("light", "heavy")] == [0, 1]


def test_the_reader_process_has_its_figures() -> None:
    figures = {"processes": 1, "queries": 90, "wait_seconds": 2.5, "restarts": 4, "failing": 0}
    assert {name: value(f"bigchaindb_reader_{name}") for name in figures} == figures


def test_each_validator_has_its_figures() -> None:
    figures = {
        "power": 10,
        "connected": 1,
        "signing": 0,
        "signed_blocks": 60,
        "missed_blocks": 40,
        "signed_height": 4_711,
    }
    assert {name: value(f"bigchaindb_network_validator_{name}", validator="one") for name in figures} == figures
    assert value("bigchaindb_network_validator_signed_height", validator="two") == 0
    assert value("bigchaindb_network_misbehaviors", address="AB", kind="double signing") == 28


def test_a_node_of_its_own_has_no_figures_of_a_network() -> None:
    alone = {family.name for family in families(replace(FIGURES, network=None))}
    assert {name for name in FAMILIES if name not in alone} == {name for name in FAMILIES if "_network_" in name}


def test_a_plugin_is_in_one_state_and_all_states_are_there() -> None:
    """An alarm on `state="BLOCKED"` must find the series before the plugin ever was blocked."""
    assert {state: value("bigchaindb_plugin_state", plugin="audit", state=state) for state in State} == {
        state: float(state is State.BACKOFF) for state in State
    }


def test_a_plugin_has_its_figures() -> None:
    figures = {
        "lag_events": 7,
        "in_hand_events": 1,
        "oldest_in_hand_seconds": 1.0,
        "attempts": 2,
        "failures": 2,
        "starts": 3,
        "parked_events": 1,
        "epoch": 3,
    }
    assert {name: value(f"bigchaindb_plugin_{name}", plugin="audit") for name in figures} == figures


def test_no_text_of_an_error_is_among_them() -> None:
    assert "secret" not in repr([family.samples for family in FAMILIES.values()])


@pytest.mark.parametrize("name", [*FAMILIES, *(family.name for family in ProcessCollector(registry=None).collect())])
def test_the_reference_explains_every_metric(name: str) -> None:
    assert re.search(rf"^\| `{name}(_total)?` \|", PAGE, re.MULTILINE)


def test_the_reference_explains_no_other() -> None:
    listed = re.findall(r"^\| `(bigchaindb_\w+)` \|", PAGE, re.MULTILINE)
    assert {name.removesuffix("_total") for name in listed} == set(FAMILIES)
