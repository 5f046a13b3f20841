"""Plugins enabled, upgraded and ordered about beside a running node. Source: promises P2, P13 and P14."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartNode
from tests.integration.cli.journal import Entry, Journal
from tests.integration.cli.operators import Operator
from tests.support.installation import Installation
from tests.support.node import Node
from tests.support.waiting import until

AT_ONCE = {"attempts": 1, "duration_s": 0}


class Reader(Operator):
    """An operator whose plugin writes a journal."""

    group = ("plugins",)

    def __init__(self, node: Node, journal: Journal) -> None:
        super().__init__(node)
        self.journal = journal

    def status(self) -> Any:
        return self.run("status", self.journal.name)

    def until_written(self, *positions: int) -> None:
        """Wait until the plugin has written down these, and nothing else."""
        until(lambda: len(self.journal.positions()) >= len(positions), what=f"{len(positions)} entries")
        assert self.journal.positions() == list(positions)

    def restart(self) -> None:
        """Stop the node and start it again, with its configuration as it stands in the file."""
        assert self.node.stop() == 0
        self.node.settings = json.loads(self.node.configuration.read_text())
        self.node.start()

    def enable(self, **options: Any) -> Any:
        given = json.dumps({"file": str(self.journal.file), **options})
        return self.run("enable", self.journal.name, "--start", "genesis", "--options", given)


@pytest.fixture
def operator(start_node: StartNode, installation: Installation, tmp_path: Path) -> Reader:
    """Run a node that knows no plugin."""
    name = "journal" + "".join(c for c in tmp_path.name if c.isalnum()).removeprefix("test")
    return Reader(start_node(command=installation.command), Journal(tmp_path, name))


def test_p13_a_plugin_is_installed_enabled_upgraded_and_disabled_under_a_running_node(
    operator: Reader, installation: Installation
) -> None:
    """Else every change of a plugin is an outage of the ledger."""
    journal, name = operator.journal, operator.journal.name
    operator.commit(2)
    assert "no installed package provides" in operator.refused("enable", name)
    journal.install(installation, "1.0")
    assert "refused by the plugin: ValueError: file: where to write?" in operator.refused("enable", name)
    assert json.loads(operator.node.configuration.read_text()).get("events_plugins") is None

    assert operator.enable()["state"] in {"CATCHING_UP", "LIVE"}
    operator.until_written(1, 2)
    operator.commit()
    operator.until_written(1, 2, 3)

    journal.install(installation, "2.0")
    assert operator.run("restart", name)["epoch"] == 2
    operator.commit(2)
    until(lambda: journal.positions()[-1] == 5, what="the last event")
    new = [entry for entry in journal.entries() if entry.version == "2.0"]
    assert [entry for entry in journal.entries() if entry.version == "1.0"] == [
        Entry("1.0", position, 1) for position in (1, 2, 3)
    ]
    # What the old process had in hand, the third, was done at its `get`, or comes again; nothing else does.
    assert [entry.position for entry in new] in ([4, 5], [3, 4, 5])

    written = journal.positions()
    assert operator.run("disable", name) is None
    operator.commit()
    listed = {row["name"]: row for row in operator.run("list")}[name]
    assert (listed["state"], listed["enabled"], listed["package"]) == ("DISABLED", False, "journal 2.0")
    operator.enable()
    until(lambda: journal.positions()[-1] == 6, what="what was committed meanwhile")
    assert journal.positions() in ([*written, 6], [*written, 5, 6])


def test_p13_seek_pause_and_resume_under_a_running_node(operator: Reader, installation: Installation) -> None:
    journal, name = operator.journal, operator.journal.name
    journal.install(installation, "1.0")
    operator.enable()
    operator.commit(2)
    operator.until_written(1, 2)
    operator.run("seek", name, "genesis")
    operator.until_written(1, 2, 1, 2)
    until(lambda: operator.status()["state"] == "LIVE", what="the plugin to have all")

    assert operator.run("pause", name)["state"] == "PAUSED"
    operator.commit(2)
    paused = operator.status()
    assert (paused["state"], paused["lag"] >= 2, journal.positions()[4:]) == ("PAUSED", True, [])
    operator.restart()
    assert operator.status()["state"] == "PAUSED"
    # A paused plugin stays so, wherever it is sent.
    assert operator.run("seek", name, "position:2")["position"] == 1
    operator.restart()
    assert operator.run("resume", name)["state"] in {"CATCHING_UP", "LIVE"}
    operator.until_written(1, 2, 1, 2, 2, 3, 4)
    until(lambda: operator.status()["state"] == "LIVE", what="the plugin to have all")
    assert "is LIVE: it cannot be resumed" in operator.refused("resume", name)
    for where, said in (
        ("position:99", "is beyond the end"),
        ("height:99", "is beyond the end"),
        ("time:99999999999999", "has not come yet"),
    ):
        assert said in operator.refused("seek", name, where)
    assert operator.node.run("plugins", "seek", name, "yesterday").returncode == 2


def test_p13_what_is_parked_is_listed_retried_and_discarded(operator: Reader, installation: Installation) -> None:
    """One bad event must not hold up all others, nor be lost."""
    journal, name = operator.journal, operator.journal.name
    journal.install(installation, "1.0")
    operator.node.settings = {
        **operator.node.settings,
        "events_plugins": {name: {"retry": AT_ONCE, "options": {"file": str(journal.file), "fails_at": [2, 3]}}},
    }
    operator.node.stop()
    operator.node.start()
    operator.commit(4)

    until(lambda: operator.status()["parked_count"] == 2, what="two parked events")
    until(lambda: 4 in journal.positions(), what="the event after them")
    until(lambda: operator.status()["is_error_past"], what="an event that was settled since")
    (row,) = [row for row in operator.run("list") if row["name"] == name]
    assert (row["last_error"], row["last_error_at"]) == (None, None)
    assert "last error     " in operator.node.run("plugins", "status", name).stdout
    rows = operator.run("parked", name)
    assert [(row["position"], row["attempts"], row["returns_in"]) for row in rows] == [(2, 1, None), (3, 1, None)]
    assert "ValueError: cannot digest" in rows[0]["error"]
    shown = operator.node.run("plugins", "parked", name, "--count", "1").stdout.splitlines()
    assert shown[0].split() == ["POSITION", "ATTEMPTS", "PARKED", "AT", "COMES", "AGAIN", "ERROR"]
    assert len(shown) == 2
    assert operator.node.run("plugins", "retry", name).returncode == 2
    assert "position 4 is not parked" in operator.refused("retry", name, "4")

    journal.mend()
    operator.run("retry", name, "2")
    until(lambda: journal.entries()[-1] == Entry("1.0", 2, 2), what="the event again")
    assert operator.run("discard", name, "3")["parked_count"] <= 1
    operator.commit()
    until(lambda: journal.positions()[-1] == 5, what="the next event")
    until(lambda: operator.run("parked", name) == [], what="no parked event")
    assert [entry for entry in journal.entries() if entry.position == 3] == [Entry("1.0", 3, 1)]


def test_p14_a_plugin_that_cannot_run_is_shown_with_its_error(operator: Reader, installation: Installation) -> None:
    """`enable` tries it first, but the file can be edited by hand and the node told by `enable` of another."""
    journal, name = operator.journal, operator.journal.name
    journal.install(installation, "1.0")
    operator.enable()
    document = json.loads(operator.node.configuration.read_text())
    options = json.dumps({"file": str(journal.file)})
    # It is what it was when it was enabled, and is broken since.
    broken = journal.break_module(installation)
    assert "cannot import" in operator.refused("restart", name)
    failed = operator.status()
    assert (failed["state"], "cannot import" in failed["error"]) == ("FAILED", True)
    journal.mend_module(installation, broken)
    assert operator.run("restart", name)["state"] in {"CATCHING_UP", "LIVE"}
    document["events_plugins"]["nope"] = {}
    operator.node.configuration.write_text(json.dumps(document))
    assert "no installed package provides 'nope'" in operator.refused("enable", "nope")
    ended = operator.node.run("plugins", "enable", name, "--options", options)
    assert ended.returncode == 0
    assert "nope: events_plugins: no installed package provides 'nope'" in ended.stderr


def test_a_list_that_the_environment_gives_is_not_edited(
    start_node: StartNode, installation: Installation, tmp_path: Path
) -> None:
    """The change would be in the file, and the next start would not see it."""
    journal = Journal(tmp_path, "fromoutside")
    journal.install(installation, "1.0")
    node = start_node(command=installation.command, environment={"BIGCHAINDB_EVENTS_PLUGINS": ""})
    before = node.configuration.read_text()
    asked = ("plugins", "enable", "fromoutside", "--options", json.dumps({"file": str(journal.file)}))
    ended = node.run(*asked)
    assert ended.returncode == 1
    assert "the environment variable BIGCHAINDB_EVENTS_PLUGINS sets" in ended.stderr
    node.environment = {}  # of the command alone: the node has it still
    ended = node.run(*asked)
    assert ended.returncode == 1
    assert "sets the list of the running node" in ended.stderr
    assert node.configuration.read_text() == before


def test_the_nodes_file_may_be_named_from_another_folder(operator: Reader, installation: Installation) -> None:
    """`make run` names it by a relative path, which means another file where the command is typed."""
    assert operator.node.stop() == 0
    operator.node.launch("-c", operator.node.configuration.name)
    until(operator.node.answers, what="the node to answer")
    operator.journal.install(installation, "1.0")
    operator.enable()
    operator.node.new_key("first", "--scopes", "read")


def test_another_file_than_the_nodes_is_not_edited(operator: Reader, installation: Installation) -> None:
    """The plugin would be enabled for the next start, and nobody would see why it does not run now."""
    operator.journal.install(installation, "1.0")
    operator.node.folder.joinpath("other").mkdir()
    other = Node(operator.node.folder / "other", operator.node.settings, {}, operator.node.command)
    other.configuration.write_text(json.dumps(operator.node.settings))
    options = json.dumps({"file": str(operator.journal.file)})
    ended = other.run("plugins", "enable", operator.journal.name, "--options", options)
    assert ended.returncode == 1
    assert f"the running node reads `{operator.node.configuration}`" in ended.stderr
    assert "events_plugins" not in other.configuration.read_text()
