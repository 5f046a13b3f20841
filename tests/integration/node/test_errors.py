"""What keeps a node from starting: exit code 1 and one message that says what to do, before any port is open.

Source: docs/reference/contract/event-plugin-api.md, section 4; configuration-and-cli.md, sections 1, 3 and 4.
"""

import json
import os
import re
import socket
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.engine.cometbft import binary
from tests.support.node import COMMAND, START_S, Node, configuration_of
from tests.support.packages import advertise

RUN: Final = "def run(queue):\n    queue.get()\n"
LOG_LINE: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[(info|warning)\] ")


class Refused:
    """A node that must not start, with a configuration of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.node = Node(folder, configuration_of(folder, {}), {}, COMMAND)

    def enable(self, plugins: object) -> None:
        """Set `events_plugins`."""
        self.node.settings = {**self.node.settings, "events_plugins": plugins}

    def write(self, source: str, package: str = "own") -> None:
        """Install and enable a plugin `own` with this source."""
        folder = self.folder / package
        advertise(folder, package, {"own": f"{package}_plugin"})
        (folder / f"{package}_plugin.py").write_text(source)
        paths = [*filter(None, [self.node.environment.get("PYTHONPATH")]), str(folder)]
        self.node.environment = {**self.node.environment, "PYTHONPATH": os.pathsep.join(paths)}
        self.enable(["own"])

    def message(self) -> str:
        """Start it; return the one line of standard error that is no line of the log."""
        self.node.launch()
        return self.ended()

    def ended(self) -> str:
        """Wait for the end; return the lines of standard error."""
        assert self.node.process is not None
        assert self.node.process.wait(START_S) == 1
        assert self.node.console == ""
        *others, last = self.node.log.splitlines()
        assert [line for line in others if not LOG_LINE.match(line) and not line.startswith("BigchainDB ")] == []
        assert last.startswith("bigchaindb: ")
        return last.removeprefix("bigchaindb: ")


@pytest.fixture
def refused(tmp_path: Path) -> Iterator[Refused]:
    one = Refused(tmp_path)
    yield one
    one.node.kill()


class TestPlugins:
    """Whatever is wrong with a plugin is said at the start, not when its first event is lost."""

    def test_nobody_installed_it(self, refused: Refused) -> None:
        refused.write(RUN)
        refused.enable(["own", "nope"])
        installed = entry_points(group="bigchaindb.events").names  # other tests install examples
        assert refused.message() == (
            "events_plugins: no installed package provides 'nope' in the entry point group 'bigchaindb.events'; "
            f"installed for {sys.executable} are: {', '.join(map(repr, sorted({*installed, 'own'})))}; "
            "install its package into that environment: `bigchaindb plugins install PACKAGE`; or take the name out"
        )

    def test_two_packages_provide_it(self, refused: Refused) -> None:
        refused.write(RUN)
        refused.write(RUN, package="other")
        assert refused.message() == (
            "events_plugins: 'own' is provided more than once: other (other_plugin) and own (own_plugin); uninstall one"
        )

    def test_it_has_no_run(self, refused: Refused) -> None:
        refused.write("event_types = 1\n")
        assert re.fullmatch(
            r"events plugin 'own': <module 'own_plugin' from .*> has no function run\(queue\); "
            "add one, or take it out of events_plugins",
            refused.message(),
        )

    def test_it_asks_for_events_that_there_are_not(self, refused: Refused) -> None:
        refused.write("event_types = 9\n" + RUN)
        assert refused.message() == (
            "events plugin 'own': event_types has the unknown bits 0x8; "
            "write EventTypes.BLOCK_VALID (1), EventTypes.BLOCK_INVALID (2), or both with |"
        )

    def test_it_takes_no_options(self, refused: Refused) -> None:
        refused.write(RUN)
        refused.enable({"own": {"options": {"colour": "red"}}})
        assert refused.message() == "events_plugins.own.options: the plugin has no configure(options)"

    def test_its_process_ends(self, refused: Refused) -> None:
        refused.write("import os\n\nos._exit(3)\n")
        assert refused.message() == "events plugin 'own': its process ended before it was ready: exit code 3"

    @pytest.mark.parametrize(
        ("source", "error", "cure"),
        [
            ("import nowhere\n", "ModuleNotFoundError: No module named 'nowhere'", "install what it needs"),
            ("def run(:\n", "SyntaxError: invalid syntax (own_plugin.py, line 1)", "correct line 1 of `{file}`"),
            (
                "raise SystemExit('not today')\n",
                "SystemExit: not today",
                "move what ends the process out of the import, into run",
            ),
        ],
    )
    def test_it_cannot_be_imported(self, refused: Refused, source: str, error: str, cure: str) -> None:
        """One sentence says all; a traceback above it would only hide it."""
        refused.write(source)
        assert refused.message() == (
            f"events plugin 'own': cannot import 'own_plugin': {error}; "
            f"{cure.format(file=refused.folder / 'own' / 'own_plugin.py')}, or take it out of events_plugins"
        )

    def test_its_import_has_a_defect(self, refused: Refused) -> None:
        """Its author needs the place; the last line is for whoever runs the node."""
        refused.write("{}['nothing']\n")
        refused.node.launch()
        assert refused.node.process is not None
        assert refused.node.process.wait(START_S) == 1
        assert refused.node.log.splitlines()[-1] == (
            "bigchaindb: events plugin 'own': cannot import 'own_plugin': KeyError: 'nothing'; "
            "mend it, or take it out of events_plugins"
        )
        assert refused.node.log.count("Traceback") == 1
        assert f'File "{refused.folder}/own/own_plugin.py", line 1' in refused.node.log

    def test_once_it_is_mended_the_node_starts(self, tmp_path: Path) -> None:
        """What was written down about the failure is no obstacle."""
        one = Refused(tmp_path)
        one.write("event_types = 1\n")
        assert "has no function run" in one.message()
        (tmp_path / "own" / "own_plugin.py").write_text(RUN)
        try:
            one.node.start()
            assert one.node.stop() == 0
        finally:
            one.node.kill()


def test_a_plugin_that_ran_and_cannot_be_imported_now(tmp_path: Path) -> None:
    """The ledger is served all the same; the last line of the start names the plugin and the way on."""
    one = Refused(tmp_path)
    one.write(RUN)
    source = tmp_path / "own" / "own_plugin.py"
    try:
        one.node.start()
        assert one.node.stop() == 0
        source.write_text("import nothing_of_that_name\n")
        one.node.start()
        line = re.compile("^Without plugins.*", re.MULTILINE)
        (said,) = line.findall(one.node.until_logged(line))
        assert said == (
            "Without plugins that ran before: events plugin 'own': cannot import 'own_plugin': ModuleNotFoundError: No "
            "module named 'nothing_of_that_name'; install what it needs, or take it out of events_plugins. "
            "Mend that, then run `bigchaindb plugins restart own`."
        )
        assert one.node.log.index(said) > one.node.log.index("Listening to client connections")
        assert "Traceback" not in one.node.log
        assert one.node.get("").status == 200
        source.write_text(RUN)
        one.node.done("plugins", "restart", "own")
        assert one.node.stop() == 0
        source.write_text("import nothing_of_that_name\n")
        strict = one.node.run("start", "--strict")
        assert strict.returncode == 1
        assert strict.stderr.splitlines()[-1].startswith("bigchaindb: events plugin 'own': cannot import 'own_plugin'")
    finally:
        one.node.kill()


class TestDataDirectory:
    """It holds keys, and the only copy of the ledger."""

    def test_others_may_enter_it(self, refused: Refused) -> None:
        data = refused.node.data
        data.mkdir()
        data.chmod(0o750)
        assert refused.message() == f"database.path: '{data}' has mode 0750 and holds keys; run: chmod 700 '{data}'"
        assert list(data.iterdir()) == []

    def test_it_is_a_file(self, refused: Refused) -> None:
        data = refused.node.data
        data.write_text("")
        assert refused.message() == (
            f"database.path: cannot use '{data}': it is no directory; name a folder, or move that file away"
        )

    def test_the_ledger_is_no_database(self, refused: Refused) -> None:
        refused.node.data.mkdir(mode=0o700)
        (refused.node.data / "ledger.db").write_text("no database" * 1_000)
        assert refused.message() == "ledger.db: file is not a database; stop, and restore a backup"

    def test_its_identity_is_gone(self, refused: Refused) -> None:
        """A new chain id over an old ledger would make every client's token wrong."""
        refused.node.configuration.write_text(json.dumps(refused.node.settings))
        assert refused.node.run("init").returncode == 0
        path = refused.node.data / "chain_id"
        path.unlink()
        said = refused.message()
        assert said.startswith(f"`{path}` is missing, which begins the id of every event, and `ledger.db` is of chain ")
        assert "or restore a whole backup" in said


class TestConfiguration:
    """Neither half of a configuration nor the defaults are ever run instead of the one that was asked for."""

    def run(self, refused: Refused) -> str:
        result = refused.node.run("start")
        assert result.returncode == 1
        assert result.stdout == ""
        assert result.stderr.startswith("bigchaindb: ")
        assert result.stderr.count("\n") == 1
        return result.stderr.removeprefix("bigchaindb: ").rstrip()

    def test_there_is_none(self, refused: Refused) -> None:
        path = refused.node.configuration
        assert self.run(refused) == (
            f"no such file: `{path}`, which -c names and which must exist; correct the name. "
            f"`bigchaindb -y -c {path} configure` makes a new one"
        )

    def test_it_cannot_be_read(self, refused: Refused) -> None:
        path = refused.node.configuration
        path.mkdir()
        assert self.run(refused) == f"cannot read the configuration file `{path}`: Is a directory"

    def test_it_is_no_json(self, refused: Refused) -> None:
        path = refused.node.configuration
        path.write_text('{"server": ')
        assert self.run(refused).startswith(f"Failed to parse the JSON configuration from `{path}`, ")

    def test_a_value_is_wrong(self, refused: Refused) -> None:
        path = refused.node.configuration
        path.write_text('{"server": {"bind": "nonsense"}}')
        assert self.run(refused) == (
            f"server.bind: must be host:port with a port of 0 to 65535, found 'nonsense' (from `{path}`)"
        )


def test_python_without_asserts_is_refused(refused: Refused) -> None:
    """An invariant that is not checked is one that a bug may break in silence."""
    refused.node.environment = {"PYTHONOPTIMIZE": "1"}
    refused.node.launch()
    assert refused.ended() == (
        "Python runs with -O or PYTHONOPTIMIZE, which removes the checks that guard the ledger; run it without them"
    )
    assert not refused.node.data.exists()


def test_a_host_that_there_is_not(refused: Refused) -> None:
    refused.node.settings = {**refused.node.settings, "server": {"bind": "256.256.256.256:9984"}}
    refused.node.settings["wsserver"]["port"] = 0
    said = refused.message()
    assert said.startswith("cannot listen on 256.256.256.256:9984 (server.bind): ")
    assert said.endswith("; set server.bind to a name or an address of this machine")


def test_ports_that_are_taken_are_all_named_before_a_plugin_starts(refused: Refused) -> None:
    """Who holds them is told too; and what a plugin does at its start must not happen for nothing."""
    refused.write(f"from pathlib import Path\n\nPath({str(refused.folder / 'started')!r}).touch()\n{RUN}")
    stream = refused.node.settings["wsserver"]["port"]
    with socket.create_server(("127.0.0.1", refused.node.port)), socket.create_server(("127.0.0.1", stream)):
        said = refused.message()
    for key, port in (("server.bind", refused.node.port), ("wsserver.port", stream)):
        assert f"cannot listen on 127.0.0.1:{port} ({key}): Address already in use, by process {os.getpid()} (" in said
        assert f"; stop that process, or set another {key}" in said
    assert not (refused.folder / "started").exists()


def test_a_cometbft_that_cannot_be_kept_running(tmp_path: Path) -> None:
    """A defect of the node's own leaves a traceback; this is none, and the one line says what a person must know."""
    program = tmp_path / "cometbft"
    program.write_text(f"#!/bin/sh\n[ $1 = start ] || exec echo {binary.VERSION}\necho 'ERROR: no such day'; exit 3\n")
    program.chmod(0o700)
    node = Node(tmp_path, configuration_of(tmp_path, {"network": {"cometbft": str(program)}}), {}, COMMAND)
    node.configuration.write_text(json.dumps(node.settings))
    (tmp_path / "validators").write_text(node.run("network", "id").stdout)
    assert node.run("network", "init", "--validators", str(tmp_path / "validators")).returncode == 0
    node.launch()
    assert node.process is not None
    assert node.process.wait(START_S) == 1
    said = "the engine stopped: CometBFT ended 5 times within 120 s, the last time (exit code 3): ERROR: no such day"
    *others, last = node.log.splitlines()
    assert last == f"bigchaindb: {said}"
    assert "Traceback" not in node.log
    (critical,) = (line for line in others if "[critical]" in line)
    assert said in critical, "a file of the log alone says it as well"
