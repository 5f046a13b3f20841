"""Plugins looked after while the node is stopped, and what is said where that makes no sense."""

import json
import os
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.store.directory import DataDirectory, DirectoryLock
from bigchaindb.store.node_rows import SUBSCRIPTIONS, renew_id
from tests.conftest import StartNode
from tests.integration.cli.operators import Operator
from tests.support.chains import create
from tests.support.damage import make_older_node
from tests.support.node import Node
from tests.support.packages import advertise
from tests.support.waiting import until

MODULE = """\
from pathlib import Path


def run(queue):
    while True:
        position = queue.get().position
        with Path(__file__).with_name("seen").open("a") as file:
            file.write(f"{position}\\n")
        if position == 2 and not Path(__file__).with_name("mended").exists():
            raise ValueError("amqp://me:hunter2@host does not like this")
"""
ENABLED = {"follows": {"start": "genesis", "retry": {"attempts": 1, "duration_s": 0}}}


class Stopped(Operator):
    """A node that has run a plugin over three events, which parked one; it is stopped."""

    group = ("plugins",)

    def __init__(self, node: Node, packages: Path) -> None:
        super().__init__(node)
        self._packages = packages

    def seen(self) -> list[int]:
        return [int(line) for line in (self._packages / "seen").read_text().split()]

    def start(self) -> None:
        (self._packages / "mended").touch()
        self.node.settings = json.loads(self.node.configuration.read_text())
        self.node.start()


@pytest.fixture
def stopped(start_node: StartNode, tmp_path: Path) -> Stopped:
    packages = tmp_path / "packages"
    advertise(packages, "demo", {"follows": "demo_plugin"})
    (packages / "demo_plugin.py").write_text(MODULE)
    node = start_node(settings={"events_plugins": ENABLED}, environment={"PYTHONPATH": str(packages)})
    one = Stopped(node, packages)
    for serial in range(3):
        node.post(json.loads(create(serial).body))
    until(lambda: one.run("status", "follows")["parked_count"] == 1, what="a parked event")
    until(lambda: one.seen() == [1, 2, 3], what="the event behind it")
    until(lambda: node.get("plugins/follows").json()["lag"] == 0, what="it to be settled")
    assert node.stop() == 0
    return one


def test_a_stopped_node_is_looked_at(stopped: Stopped) -> None:
    status = stopped.run("status", "follows")
    assert (status["state"], status["lag"], status["parked_count"], status["pid"]) == ("STOPPED", 0, 1, None)
    (row,) = stopped.run("parked", "follows")
    assert row["position"] == 2
    assert "hunter2" not in row["error"]
    assert "does not like this" in row["error"]
    shown = stopped.node.run("plugins", "status", "follows").stdout
    assert "state          STOPPED" in shown
    assert f"ledger         {stopped.node.data}\n" in shown
    assert f"configuration  `{stopped.node.configuration}`\n" in shown
    (listed,) = [line for line in stopped.node.run("plugins", "list").stdout.splitlines() if line.startswith("follows")]
    assert listed.split()[:9] == ["follows", "demo", "1.0", "yes", "STOPPED", "3", "0", "0", "1"]
    assert "hunter2" not in listed
    assert f"no plugin 'nope' has run over the ledger in `{stopped.node.data}`" in stopped.refused("status", "nope")
    assert f"no plugin 'nope' has run over the ledger in `{stopped.node.data}`" in stopped.refused("parked", "nope")


def test_orders_are_carried_out_by_the_next_start(stopped: Stopped) -> None:
    assert stopped.run("pause", "follows")["state"] == "PAUSED"
    stopped.start()
    assert stopped.run("status", "follows")["state"] == "PAUSED"
    assert stopped.node.stop() == 0
    assert stopped.run("resume", "follows")["state"] == "STOPPED"
    assert stopped.run("retry", "follows", "--all")["parked_count"] == 1
    stopped.start()
    until(lambda: stopped.seen() == [1, 2, 3, 2], what="the parked event again")
    assert stopped.node.stop() == 0
    assert stopped.run("seek", "follows", "position:3")["position"] == 2
    stopped.start()
    until(lambda: stopped.seen() == [1, 2, 3, 2, 3], what="the event that it was sent to")


def test_a_plugin_is_disabled_forgotten_and_enabled(stopped: Stopped) -> None:
    assert "is enabled; disable it first" in stopped.refused("forget", "follows")
    assert stopped.run("disable", "follows") is None
    assert stopped.run("status", "follows")["state"] == "DISABLED"
    assert "nothing to disable" in stopped.refused("disable", "follows")
    assert "no events plugin 'follows' is enabled" in stopped.refused("pause", "follows")
    assert stopped.node.run("plugins", "forget", "follows").stdout == "follows is forgotten\n"
    assert f"no plugin 'follows' has run over the ledger in `{stopped.node.data}`" in stopped.refused(
        "forget", "follows"
    )
    for start in ("position:3", "time:yesterday", "foo"):
        ended = stopped.node.run("plugins", "enable", "follows", "--start", start)
        assert ended.returncode == 2
        assert "--start: expected one of now, genesis, height:N, time:T (Unix seconds" in ended.stderr
        assert f"found {start!r}" in ended.stderr
    assert stopped.run("enable", "follows", "--start", "height:3") is None
    stopped.start()
    until(lambda: stopped.seen() == [1, 2, 3, 3], what="the event where it starts")


def test_a_folder_of_the_release_before_goes_on(stopped: Stopped) -> None:
    """It has no subscriptions yet; its plugins and their parked events are what they were."""
    make_older_node(DataDirectory(stopped.node.data).node, SUBSCRIPTIONS.since - 1)
    assert stopped.run("status", "follows")["parked_count"] == 1
    assert [row["name"] for row in stopped.run("list") if row["kind"] == "subscription"] == []
    stopped.start()
    assert [row["position"] for row in stopped.run("parked", "follows")] == [2]
    stopped.run("retry", "follows", "2")
    until(lambda: stopped.seen() == [1, 2, 3, 2], what="the parked event again")


def test_what_makes_no_sense_says_so(stopped: Stopped, tmp_path: Path) -> None:
    assert "the node is not running; when it starts" in stopped.refused("restart", "follows")
    directory = DataDirectory(stopped.node.data)
    lock = DirectoryLock(directory)  # a node that starts, and does not listen yet
    assert "is in use by process" in stopped.refused("pause", "follows")
    lock.close()
    for arguments in (("retry", "follows"), ("discard", "follows"), ("parked", "follows", "--after")):
        ended = stopped.node.run("plugins", *arguments, "9" * 20)
        assert ended.returncode == 2
        assert "expected a position, such as 41; found" in ended.stderr
    empty = tmp_path / "empty.json"
    empty.write_text(json.dumps({"database": {"path": str(tmp_path / "empty")}, "events_plugins": ["follows"]}))
    for arguments in (("pause", "follows"), ("parked", "follows"), ("status", "follows")):
        ended = Node(tmp_path, {}, {}, stopped.node.command).run("-c", str(empty), "plugins", *arguments)
        assert ended.returncode == 1
        assert "Traceback" not in ended.stderr
    assert not (tmp_path / "empty").exists()


def test_a_plugin_is_checked_in_a_process_of_its_own(stopped: Stopped, tmp_path: Path) -> None:
    """What a foreign package does when it is imported must happen neither in the node nor in the command."""
    found = stopped.run("check", "follows")
    assert (found["package"], found["target"], found["error"]) == ("demo 1.0", "demo_plugin", "")
    assert (found["event_types"], found["acknowledge"]) == (["BLOCK_VALID", "BLOCK_INVALID"], "next_get")
    assert "package        demo 1.0\n" in stopped.node.run("plugins", "check", "follows").stdout
    assert "has no configure(options)" in stopped.refused("check", "follows", "--options", '{"a": 1}')
    module = tmp_path / "packages" / "demo_plugin.py"
    for source, error in (
        ("raise OSError('no')\n", "cannot import 'demo_plugin': OSError: no"),
        ("import os\nos._exit(3)\n", "its process ended before it was ready: exit code 3"),
        ("import os\nos.kill(os.getpid(), 9)\n", "its process ended before it was ready: killed by SIGKILL"),
        ("ack_lag = 1000\ndef run(queue): pass\n", "must be below the window of 256 events"),
        ("acknowledge = 'never'\ndef run(queue): pass\n", "acknowledge must be"),
    ):
        module.write_text(source)
        assert error in stopped.refused("check", "follows")
        before = stopped.node.configuration.read_text()
        assert error in stopped.refused("enable", "follows", "--start", "now")
        assert stopped.node.configuration.read_text() == before  # the next start would die of it
    ended = stopped.node.run("plugins", "check", "follows", "--json")
    assert ended.returncode == 1
    assert "acknowledge must be" in json.loads(ended.stdout)["error"]


def test_a_secret_among_the_options_is_not_told(stopped: Stopped, tmp_path: Path) -> None:
    """Plugins tell what they do not like, and the answers of commands end in the logs of whatever runs them."""
    module = tmp_path / "packages" / "demo_plugin.py"
    module.write_text("def configure(options): raise ValueError(options)\ndef run(queue): pass\n")
    options = json.dumps({"password": "correct horse", "file": "sales.txt"})
    for command in ("check", "enable"):
        error = stopped.refused(command, "follows", "--options", options)
        assert "sales.txt" in error
        assert "correct horse" not in error


def test_p8_a_plugin_whose_place_is_lost_shows_the_command_to_run(stopped: Stopped) -> None:
    """Whoever restored half a backup learns what to type, and nothing is passed over in silence meanwhile."""
    for file in stopped.node.data.glob("node.db*"):
        file.unlink()
    stopped.start()
    (row,) = [row for row in stopped.run("list") if row["name"] == "follows"]
    assert row["state"] == "GAPPED"
    assert row["last_error"].startswith("node.db was lost")
    assert row["last_error"].endswith("bigchaindb plugins seek follows genesis")
    assert row["last_error"] in stopped.node.run("plugins", "list").stdout
    assert row["last_error"] in stopped.node.run("plugins", "status", "follows").stdout
    assert "GAPPED: it cannot be" in stopped.refused("restart", "follows")
    assert stopped.node.stop() == 0
    assert stopped.run("status", "follows")["state"] == "GAPPED"
    assert stopped.run("seek", "follows", "position:2")["state"] == "STOPPED"
    stopped.start()
    until(lambda: stopped.seen() == [1, 2, 3, 2, 3], what="the events from there")


def test_p8_what_is_enabled_over_restored_data_is_new(stopped: Stopped) -> None:
    """Of a plugin that nobody had enabled when they were restored, nothing is unknown."""
    stopped.run("disable", "follows")
    stopped.node.run("plugins", "forget", "follows")
    with closing(sqlite3.connect(stopped.node.data / "node.db")) as connection, connection:
        renew_id(connection)
    assert stopped.run("enable", "follows", "--start", "height:3") is None
    stopped.start()
    until(lambda: stopped.seen() == [1, 2, 3, 3], what="the event where it starts")


def test_what_was_looked_at_is_said_where_no_node_runs(stopped: Stopped, tmp_path: Path) -> None:
    """Whoever forgot -c sees the plugins of another node, or of none."""
    ended = stopped.node.run("plugins", "list")
    assert ended.stderr == f"no node runs over `{stopped.node.data}`\n"
    home = {"HOME": str(tmp_path / "home"), "BIGCHAINDB_CONFIG_PATH": ""}
    ended = subprocess.run(
        [*stopped.node.command, "plugins", "list"],
        env={**os.environ, **home},
        capture_output=True,
        text=True,
        check=True,
    )
    where = f"{home['HOME']}/.local/share/bigchaindb"
    said = f"no node runs over `{where}`; name a node's configuration with -c or BIGCHAINDB_CONFIG_PATH"
    assert ended.stderr.splitlines()[-1] == said


def test_a_blocked_plugin_names_the_ways_out(stopped: Stopped) -> None:
    document = json.loads(stopped.node.configuration.read_text())
    document["events_plugins"]["follows"]["on_failure"] = "block"
    stopped.node.configuration.write_text(json.dumps(document))
    stopped.run("seek", "follows", "position:2")
    stopped.node.settings = document
    stopped.node.start()
    until(lambda: stopped.run("status", "follows")["state"] == "BLOCKED", what="the block")
    ended = stopped.node.run("plugins", "status", "follows")
    assert "plugins retry follows --all" in ended.stderr
    assert re.search(r"^error +\d{4}-.* \d+ \w+ ago: position 2: ValueError", ended.stdout, re.MULTILINE)
    assert "plugins discard follows POSITION" in stopped.refused("resume", "follows")


def test_the_socket_of_a_killed_node_is_in_nobodys_way(stopped: Stopped) -> None:
    stopped.start()
    stopped.node.kill()
    assert (stopped.node.data / "control.sock").exists()
    assert stopped.run("pause", "follows")["state"] == "PAUSED"
    stopped.start()
    assert stopped.run("resume", "follows")["state"] in {"CATCHING_UP", "LIVE"}
    assert stopped.node.stop() == 0
    assert not (stopped.node.data / "control.sock").exists()
