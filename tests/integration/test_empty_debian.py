"""The three commands of the README, in a Debian with Python and nothing else, by a user who is not root.

The tool `uv` and the folder of wheels are all that comes from outside: no package index is asked.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bigchaindb.distribution import NAME
from tests.support import wheels
from tests.support.chains import create
from tests.support.containers import PYTHON, Container, Storage
from tests.support.http import request
from tests.support.made_wheels import PRINTING, SEEN, make_wheel
from tests.support.ports import free_ports
from tests.support.servers import Server
from tests.support.waiting import until

USER = 1000
HOME = "/home/newcomer"
WHEELS = "/wheels"
COMMAND_S = 240
"""Time for each command, on a busy machine."""
pytestmark = pytest.mark.timeout(COMMAND_S + 60)


class Newcomer(Server):
    """Somebody in front of an empty machine."""

    def __init__(self, machine: Container, folder: Path) -> None:
        """Make a home for them, and put `uv` and wheels into the machine."""
        self.machine, self.folder, self.process = machine, folder, None
        http, stream = free_ports(2)
        self.url = f"http://127.0.0.1:{http}"
        self.variables = {
            "HOME": HOME,
            "PATH": f"{HOME}/.local/bin:/usr/local/bin:/usr/bin:/bin",
            # The test shares the machine's ports with others.
            "BIGCHAINDB_SERVER_BIND": f"127.0.0.1:{http}",
            "BIGCHAINDB_WSSERVER_PORT": str(stream),
        }
        home = self.path(HOME)
        home.mkdir(parents=True)
        os.chown(home, USER, USER)
        shutil.copy(Path(sys.executable).with_name("uv"), self.path("/usr/local/bin/uv"))
        self.path(WHEELS).mkdir()
        for wheel in (wheels.node_wheel(), *wheels.wheels_of_dependencies(PYTHON).glob("*.whl")):
            shutil.copy(wheel, self.path(WHEELS))
        make_wheel(self.path(WHEELS), "my-plugin", files={"my_plugin.py": PRINTING}, plugins={"my-plugin": "my_plugin"})

    def path(self, inside: str) -> Path:
        """Return where a path of the machine lies."""
        return self.machine.root / inside.removeprefix("/")

    def line(self, *command: str) -> Sequence[str]:
        """Return a command line that runs a command of theirs."""
        return self.machine.confined(command, variables=self.variables, user=str(USER), folder=HOME, flags="rw")

    def type(self, *command: str) -> str:
        """Run a command to its end; return what it prints."""
        done = subprocess.run(self.line(*command), capture_output=True, text=True, timeout=COMMAND_S, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    storage = Storage(tmp_path / "storage")
    one = Newcomer(storage.container(storage.pull_base()), tmp_path)
    yield one
    one.kill()
    storage.remove()


def test_three_commands_lead_to_a_node_a_page_a_transaction_and_a_plugin(newcomer: Newcomer) -> None:
    offline = ("--no-index", "--find-links", WHEELS)
    newcomer.type("uv", "tool", "install", *offline, NAME)
    newcomer.launch(*newcomer.line("bigchaindb", "start"))
    until(lambda: "Listening to client connections" in newcomer.log, what="the node to start")
    assert b"<html" in request("GET", newcomer.url, headers={"Accept": "text/html"}).body
    newcomer.type("bigchaindb", "plugins", "install", *offline, "my-plugin")
    newcomer.type("bigchaindb", "plugins", "enable", "my-plugin")
    answer = request("POST", f"{newcomer.url}/api/v1/transactions?mode=commit", json.loads(create(1).body))
    assert answer.status == 202, answer.body
    until(lambda: SEEN in newcomer.log, what="the plugin to get the event")
    configuration = newcomer.path(f"{HOME}/.bigchaindb")
    assert json.loads(configuration.read_text()) == {"events_plugins": ["my-plugin"]}
    assert newcomer.path(f"{HOME}/.local/share/bigchaindb/ledger.db").exists()
