"""A plugin is tried where it can harm nobody, and what it does there is no answer. Source: promise P13."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.config import PluginSettings
from bigchaindb.doctor.trial import READY_S, Tried, try_plugin
from tests.support.packages import advertise
from tests.support.processes import is_gone

Try = Callable[..., Tried]


@pytest.fixture
def try_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Try:
    """Install a plugin with this source, and try it."""
    advertise(tmp_path, "demo", {"tried": "demo_plugin"})
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def try_it(
        source: str, *, window_count: int | None = None, with_check: bool = False, ready_s: float = 30.0, **options: Any
    ) -> Tried:
        (tmp_path / "demo_plugin.py").write_text(source)
        return try_plugin("tried", options, window_count=window_count, with_check=with_check, ready_s=ready_s)

    return try_it


def test_what_a_plugin_asks_for_is_found(try_source: Try) -> None:
    source = (
        "event_types = 1\nselect = {'operation': 'CREATE'}\nack_lag = 7\ndef run(queue): ...\ndef configure(o): ...\n"
    )
    assert try_source(source, colour="red") == Tried(
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


def test_it_says_whether_what_it_writes_to_is_usable(try_source: Try) -> None:
    """A password that is wrong is better found by a person who looks than by events that wait."""
    source = "def run(queue): ...\ndef check(): {}\n"
    found = try_source(source.format("return 'version 5\\nand more'"), with_check=True)
    assert (found.error, found.has_check, found.checked) == ("", True, "version 5")
    assert try_source(source.format("pass"), with_check=True).checked == "usable"
    assert (
        "its target is not usable: OSError: no"
        in try_source(source.format("raise OSError('no')"), with_check=True).error
    )
    found = try_source(source.format("raise OSError('no')"))
    assert (found.error, found.has_check, found.checked) == ("", True, "")
    assert "check is not a function" in try_source("def run(queue): ...\ncheck = 5\n").error


def test_what_it_refuses_is_named_with_its_option(try_source: Try) -> None:
    source = (
        "from bigchaindb.delivery import Options, read_options\n"
        "def run(queue): ...\n"
        "def configure(options):\n    read_options(options, Options)\n"
    )
    assert try_source(source, per="transaction").error == ""
    refused = (
        "events_plugins.tried.options: Object contains unknown field `pre`; the options are: per, event_types, select"
    )
    assert try_source(source, pre="transaction").error == refused


def test_what_it_prints_is_no_answer(try_source: Try) -> None:
    """A library that greets on standard output must not look like a broken plugin."""
    assert try_source("print('{}')\ndef run(queue): ...\n").error == ""


def test_it_does_not_see_the_secrets_of_the_node(try_source: Try, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGCHAINDB_KEYPAIR_PRIVATE", "not for plugins")
    source = "import os\nassert 'BIGCHAINDB_KEYPAIR_PRIVATE' not in os.environ\ndef run(queue): ...\n"
    assert try_source(source).error == ""


def test_what_it_leaves_behind_is_not_waited_for(try_source: Try) -> None:
    """A process that left its session may hold the pipe for ever."""
    stays = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(600)\n    os._exit(0)\n"
    assert try_source(f"{stays}def run(queue): ...\n").package == "demo 1.0"


def test_what_it_starts_ends_with_it(try_source: Try, tmp_path: Path) -> None:
    """`plugins check` is for trying: a daemon of each attempt would stay, and write into the plugin's target."""
    file = tmp_path / "left"
    source = f"""
import os, pathlib, subprocess
left = subprocess.Popen(["sleep", "600"], start_new_session=True)
pathlib.Path({str(file)!r}).write_text(str(left.pid))
def run(queue): ...
"""
    assert try_source(source).error == ""
    assert is_gone(int(file.read_text()))


@pytest.mark.parametrize(
    ("source", "step"),
    [
        ("import time\ntime.sleep(600)\n", "it is imported"),
        ("import time\ndef configure(o): time.sleep(600)\ndef run(queue): ...\n", "configure(options) runs"),
        ("import time\ndef check(): time.sleep(600)\ndef run(queue): ...\n", "check() runs"),
    ],
)
def test_one_that_hangs_is_ended(try_source: Try, source: str, step: str) -> None:
    found = Tried(name="tried")
    for limit_s in (1.0, 4.0, 16.0):  # until it gets so far on this machine
        found = try_source(source, with_check=True, ready_s=limit_s)
        assert f"events plugin 'tried': not ready within {limit_s:g} s: it hangs while " in found.error
        cure = "check whether its target" if step == "check() runs" else "move what waits there into run"
        assert found.error.endswith("; if it is only slow, set a higher ready_s for it")
        if f"it hangs while {step}; {cure}" in found.error:
            assert found.is_target_unusable == (step == "check() runs")
            return
    pytest.fail(found.error)


def test_one_that_ends_its_process_is_told_with_the_step(try_source: Try) -> None:
    ends = "import os\ndef configure(o): os._exit(3)\ndef run(queue): ...\n"
    assert try_source(ends).error.endswith("before it was ready: exit code 3, while configure(options) runs")


def test_what_does_not_fit_the_window_is_found(try_source: Try) -> None:
    """Else the name would stand in a file with which the node does not start."""
    (found, fits) = (try_source("ack_lag = 256\ndef run(queue): ...\n", window_count=count) for count in (256, 257))
    assert "ack_lag is 256, and must be below the window of 256 events" in found.error
    assert fits.error == ""


def test_a_trial_lasts_as_long_as_a_plugin_may_take() -> None:
    assert PluginSettings.ready_s == READY_S
