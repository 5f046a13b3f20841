"""The packaged alarms, by Prometheus's own program: the rules are valid, and each rings for what it is there."""

import json
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.support.prometheus import ALERTS, alerts
from tests.support.services import require


class Case(NamedTuple):
    """Series of which an alarm rings, and of which it does not: name with further labels → values a minute."""

    rings: dict[str, str]
    is_quiet: dict[str, str]


def above(name: str, *, labels: str = "", quiet: str = "0x100", rings: str = "1x100") -> Case:
    series = f"bigchaindb_{name}{{{labels}}}"
    return Case({series: rings}, {series: quiet})


def below(name: str, *, labels: str = "") -> Case:
    return above(name, labels=labels, quiet="1x100", rings="0x100")


def power(signing: int) -> dict[str, str]:
    return {
        "bigchaindb_network_total_power{}": "40x100",
        "bigchaindb_network_signing_power{}": f"{signing}x100",
    }


def disk(free: str) -> dict[str, str]:
    return {"bigchaindb_disk_free_bytes{}": free, 'bigchaindb_limit{limit="disk_free_bytes_min"}': "1000x100"}


STATES: Final = "BLOCKED", "LIVE"
CASES: Final = {
    "NodeGone": Case(
        {'bigchaindb_info{version="1"}': "1x20 stale _x80"},
        {'bigchaindb_info{version="1"}': "1x40 stale _x60", 'bigchaindb_info{version="2"}': "_x40 1x60"},  # an upgrade
    ),
    "NodeDamaged": above("store_damaged"),
    "CheckProcessesFail": above("check_failing", labels='place="light"'),
    "ReaderProcessFails": above("reader_failing"),
    "CertificateEnds": above("tls_expiry_seconds", rings="1209599x100", quiet="1209600x100"),
    "DiskFull": Case(disk("999x100"), disk("1000x100")),
    "DiskFillsUp": above("disk_free_bytes", rings="1000000-20000x100", quiet="1000000-1x100"),
    "LogLinesDropped": above("log_dropped_lines_total", rings="0+1x100", quiet="7x100"),
    "WorkFailed": above("failed_works"),
    "NodeBehind": below("network_following"),
    "NodeStandsStill": above("network_degraded"),
    "NetworkStalled": above("network_stalled"),
    "PowerMissing": Case(power(26), power(27)),
    "RoundsFail": above("network_round"),
    "ValidatorSilent": below("network_validator_signing", labels='validator="a"'),
    "OwnKeySilent": below("network_own_key_signing"),
    "ValidatorMisbehaved": above("network_misbehaviors_total", labels='kind="double signing"'),
    "BlocksInvalid": above("network_invalid_blocks_total", rings="0+1x100", quiet="3x100"),
    "ProposalsRejected": above("network_rejections_total", rings="0+1x100", quiet="3x100"),
    "CometBFTEnded": Case(
        {"bigchaindb_network_cometbft_starts_total{}": "1x30 2x70"},
        {  # the node was restarted, once without and once with an end of CometBFT long before
            'bigchaindb_network_cometbft_starts_total{version="1"}': "1x30 0 1x70",
            'bigchaindb_network_cometbft_starts_total{version="2"}': "3x30 1x70",
        },
    ),
    "PeersMissing": above("network_peers", rings="3x20 2x80", quiet="3x100"),
}
for kind in ("plugin", "subscription"):
    states = [f'{kind}="a", state="{state}"' for state in STATES]
    needing, live = (f"bigchaindb_{kind}_state{{{labels}}}" for labels in states)
    CASES[f"{kind.capitalize()}NeedsAPerson"] = Case({needing: "1x100"}, {live: "1x100", needing: "0x100"})
    CASES[f"{kind.capitalize()}Parked"] = above(f"{kind}_parked_events", labels=f'{kind}="a"')
    CASES[f"{kind.capitalize()}Hangs"] = above(
        f"{kind}_oldest_in_hand_seconds", labels=f'{kind}="a"', rings="61x100", quiet="60x100"
    )
CASES["PluginLags"] = above("plugin_lag_events", labels='plugin="a"', rings="0+5x100", quiet="500-5x100")
CASES["SubscriptionUnused"] = below("subscription_consumers", labels='subscription="a"')


def test_the_rules_are_valid() -> None:
    require("promtool")
    checked = subprocess.run(["promtool", "check", "rules", ALERTS], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_alarm_has_its_cases() -> None:
    assert set(CASES) == {alert.name for alert in alerts()}


@pytest.mark.parametrize("is_ringing", [True, False])
def test_each_alarm_rings_for_what_it_is_there_and_for_nothing_else(tmp_path: Path, *, is_ringing: bool) -> None:
    """Each case is an instance of its own, named after its alarm."""
    require("promtool")
    series = [
        {"series": _on(name, one), "values": values}
        for name, case in CASES.items()
        for one, values in (case.rings if is_ringing else case.is_quiet).items()
    ]
    ringing = 'count by (alertname, instance) (ALERTS{alertstate="firing"})'
    found = [{"labels": f'{{alertname="{name}", instance="{name}"}}', "value": 1} for name in CASES]
    asked = {"expr": ringing, "eval_time": "75m", "exp_samples": found if is_ringing else []}
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [asked]}
    document = {"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": [test]}
    (tmp_path / "test.yml").write_text(json.dumps(document))
    ran = subprocess.run(
        ["promtool", "test", "rules", tmp_path / "test.yml"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def _on(instance: str, series: str) -> str:
    """Return a series of a node."""
    return series.replace("{", f'{{job="bigchaindb", instance="{instance}", ').replace(", }", "}")
