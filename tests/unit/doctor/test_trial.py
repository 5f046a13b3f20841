"""A plugin is tried where it can harm nobody, and what it does there is no answer. Source: promise P13."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.doctor import trial
from bigchaindb.doctor.trial import Findings, try_plugin
from tests.integration.node.conftest import install

Try = Callable[..., Findings]


@pytest.fixture
def try_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Try:
    """Install a plugin with this source, and try it."""
    install(tmp_path, "demo", "demo_plugin", "tried")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def try_it(source: str, **options: Any) -> Findings:
        (tmp_path / "demo_plugin.py").write_text(source)
        return try_plugin("tried", options)

    return try_it


def test_what_a_plugin_asks_for_is_found(try_source: Try) -> None:
    source = (
        "event_types = 1\nselect = {'operation': 'CREATE'}\nack_lag = 7\ndef run(queue): ...\ndef configure(o): ...\n"
    )
    assert try_source(source, colour="red") == Findings(
        name="tried",
        package="demo 1.0",
        target="demo_plugin",
        event_types=["BLOCK_VALID"],
        acknowledge="next_get",
        ack_lag=7,
        select={"operation": "CREATE"},
        takes_options=True,
    )


def test_what_a_plugin_sets_when_it_is_configured_counts(try_source: Try) -> None:
    source = (
        "def run(queue): ...\ndef configure(options):\n    global event_types\n    event_types = options['types']\n"
    )
    assert try_source(source, types=2).event_types == ["BLOCK_INVALID"]
    assert "unknown bits 0x8" in try_source(source, types=8).error


def test_what_it_prints_is_no_answer(try_source: Try) -> None:
    """A library that greets on standard output must not look like a broken plugin."""
    assert try_source("print('{}')\ndef run(queue): ...\n").error == ""


def test_it_does_not_see_the_secrets_of_the_node(try_source: Try, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGCHAINDB_KEYPAIR_PRIVATE", "not for plugins")
    source = "import os\nassert 'BIGCHAINDB_KEYPAIR_PRIVATE' not in os.environ\ndef run(queue): ...\n"
    assert try_source(source).error == ""


def test_what_it_leaves_behind_is_not_waited_for(try_source: Try) -> None:
    """A process that left its session may hold the pipe for ever."""
    stays = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(2)\n    os._exit(0)\n"
    assert try_source(f"{stays}def run(queue): ...\n").package == "demo 1.0"


def test_one_that_hangs_is_ended(try_source: Try, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "TRIAL_S_MAX", 0.5)
    found = try_source("import time\ntime.sleep(600)\n")
    assert found.error == "events plugin 'tried': not ready within 0.5 s"
