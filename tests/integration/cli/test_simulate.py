"""events simulate: a plugin is tried on generated blocks in one command, and what went wrong is said."""

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from bigchaindb.simulated.chain import Recipe, events
from tests.support.node import COMMAND
from tests.support.packages import advertise
from tests.support.waiting import until

WRITING: Final = """
    for event in queue:
        with open("ids", "a") as file:
            file.write(f"{event.id}\\n")
"""
RAISING: Final = """
    for event in queue:
        if event.position == 3:
            raise ValueError("three is too much")
"""
STUMBLING: Final = """
    for event in queue:
        if event.position == 3 and event.attempt == 1:
            raise ValueError("not at once")
"""
SLEEPING: Final = """
    open("begun", "w").close()
    time.sleep(3600)
"""
RETURNING: Final = """
    queue.get()
"""
KEEPING: Final = """
    kept = []
    while len(kept) < 10:
        kept += queue.get_many(10)
    queue.get()
"""


class Trial:
    """A folder with a package that provides the plugin `tried`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def provide(self, body: str, rest: str = "") -> None:
        advertise(self.folder / "site", "tried", {"tried": "tried"})
        (self.folder / "site/tried.py").write_text(f"import time\n\n\ndef run(queue):\n{body}\n\n{rest}")

    def start(self, *arguments: str, name: str = "tried") -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*COMMAND, "events", "simulate", name, *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder / "site"), "HOME": str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def simulate(self, *arguments: str, name: str = "tried") -> tuple[int, str, str]:
        with self.start(*arguments, name=name) as process:
            output, errors = process.communicate(timeout=60)
        return process.returncode, output, errors

    def result(self, *arguments: str) -> Mapping[str, Any]:
        code, output, errors = self.simulate(*arguments, "--json")
        document: dict[str, Any] = json.loads(output)
        assert document["ok"] == (code == 0), errors
        return document


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)


def test_a_plugin_gets_every_generated_event(trial: Trial) -> None:
    """What it gets is what the seed says, byte for byte: a failure can be looked at again."""
    trial.provide(WRITING)
    code, output, errors = trial.simulate("--blocks", "20", "--transactions", "2", "--invalid", "0.25", "--seed", "9")
    assert code == 0, errors
    assert output.splitlines() == [
        "20 events: 15 valid blocks, 5 invalid ones",
        "settled: 20",
        "the process ended by itself: 0 times",
        "parked: 0",
    ]
    made = events(Recipe(blocks=20, transactions=2, invalid=0.25, seed=9))
    assert (trial.folder / "ids").read_text().split() == [event.id for event in made]


def test_nothing_is_left_behind(trial: Trial) -> None:
    trial.provide(WRITING)
    trial.simulate("--blocks", "2")
    assert {path.name for path in trial.folder.iterdir()} == {"ids", "site"}


def test_an_event_that_fails_is_parked_and_named(trial: Trial) -> None:
    trial.provide(RAISING)
    code, output, _ = trial.simulate("--blocks", "10")
    assert code == 1
    assert "  ValueError: three is too much" in output.splitlines()
    assert "parked: 1" in output
    assert "  position 3: ValueError: three is too much" in output
    result = trial.result("--blocks", "10")
    assert (result["settled"], result["ends"]) == (10, 3)
    assert result["parked"] == [{"position": 3, "error": "ValueError: three is too much"}]


def test_a_failure_that_passes_is_a_failure(trial: Trial) -> None:
    """The error is there for milliseconds only, and must be told all the same."""
    trial.provide(STUMBLING)
    result = trial.result("--blocks", "10")
    assert (result["ok"], result["errors"], result["parked"]) == (False, ["ValueError: not at once"], [])
    assert (result["settled"], result["ends"]) == (10, 1)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("    queue.nothing_of_the_kind()", "AttributeError: 'LogQueue' object has no attribute 'nothing_of_the_kind'"),
        ("    return", "run returned without taking an event"),
        ("    raise bigchaindb.events.Unavailable('no database')", "Unavailable: no database"),
    ],
    ids=["raises", "returns", "waits for its target"],
)
def test_a_plugin_that_fails_before_it_takes_an_event_is_given_up(trial: Trial, body: str, error: str) -> None:
    """No event can be blamed and parked, so it would be started again for ever."""
    trial.provide(body, "import bigchaindb.events\n")
    code, output, _ = trial.simulate("--blocks", "10")
    assert code == 1
    assert f"  {error}" in output.splitlines()
    assert "given up: the process ended again and again without settling an event" in output.splitlines()
    result = trial.result("--blocks", "10")
    assert (result["gave_up"], result["settled"], result["errors"]) == (True, 0, [error])


def test_a_plugin_that_ends_while_there_is_nothing_to_take_is_not_given_up(trial: Trial) -> None:
    """At a low rate a plugin that works in pieces ends again and again between two blocks."""
    trial.provide(
        "    with contextlib.suppress(queue_module.Empty):\n        queue.get(timeout=0.01)\n",
        "import contextlib\nimport queue as queue_module\n",
    )
    result = trial.result("--rate", "0.5", "--blocks", "3")
    assert (result["gave_up"], result["settled"]) == (False, 3)


def test_a_plugin_that_works_in_pieces_has_not_failed(trial: Trial) -> None:
    trial.provide(RETURNING)
    result = trial.result("--blocks", "4")
    assert (result["ok"], result["settled"], result["errors"]) == (True, 4, [])
    assert result["ends"] >= 3


def test_what_a_plugin_keeps_until_its_queue_ends_is_waited_for(trial: Trial) -> None:
    """A plugin with ack_lag holds the last events until then."""
    trial.provide(KEEPING)
    assert trial.result("--blocks", "10")["settled"] == 10


def test_the_options_reach_the_plugin_and_may_be_refused(trial: Trial) -> None:
    trial.provide(
        WRITING, "def configure(options):\n    if options != {'n': 1}:\n        raise ValueError('not one')\n"
    )
    assert trial.simulate("--blocks", "1", "--options", '{"n": 1}')[0] == 0
    code, _, errors = trial.simulate("--blocks", "1", "--options", '{"n": 2}')
    assert code == 1
    assert "refused by the plugin: ValueError: not one" in errors


def test_a_person_can_end_it(trial: Trial) -> None:
    """A plugin that stops taking events would else hold the terminal for ever."""
    trial.provide(SLEEPING)
    with trial.start("--rate", "100", "--blocks", "1000") as process:
        until((trial.folder / "begun").exists, what="the plugin to run")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "settled: 0 of" in output


def test_a_rate_gives_all_blocks_in_the_end(trial: Trial) -> None:
    trial.provide(WRITING)
    assert trial.result("--rate", "200", "--blocks", "20")["settled"] == 20


def test_a_plugin_that_is_not_installed_is_named(trial: Trial) -> None:
    code, _, errors = trial.simulate(name="nobody")
    assert code == 1
    assert "no installed package provides 'nobody'" in errors


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--blocks", "0", "blocks: must be 1 to"),
        ("--invalid", "2", "invalid: must be a share"),
        ("--rate", "0", "--rate: must be above 0"),
        ("--options", "[]", "--options: expected an object"),
    ],
)
def test_what_cannot_be_is_refused(trial: Trial, option: str, value: str, message: str) -> None:
    trial.provide(WRITING)
    code, _, errors = trial.simulate(option, value)
    assert code == 1
    assert message in errors
