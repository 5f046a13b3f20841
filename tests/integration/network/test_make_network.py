"""`make network`: whoever has a checkout sees four nodes vote, one of them die, and come back.

The commands that it prints are those that are run here.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.serving.processes import lock_owner
from tests.support.cometbft import require_cometbft
from tests.support.installed import CHECKOUT
from tests.support.waiting import until

COUNT: Final = 4
START_S: Final = 60.0
STOP_S: Final = 40.0


@dataclass
class Running:
    """What was started, without a terminal."""

    folder: Path
    output: Path
    process: subprocess.Popen[str]

    @property
    def text(self) -> str:
        return self.output.read_text()

    def row(self, number: int) -> str:
        """Return the last line about a node."""
        rows: list[str] = re.findall(rf"^node {number}, .*$", self.text, re.MULTILINE)
        return rows[-1] if rows else ""

    def until_all(self, part: str, *numbers: int) -> None:
        """Wait until the last lines about nodes, all by default, have a part."""
        chosen = numbers or range(1, COUNT + 1)
        until(
            lambda: self.process.poll() is not None or all(part in self.row(number) for number in chosen),
            what=f"{part!r} in the rows of {list(chosen)}",
            within_s=START_S,
        )
        assert self.process.poll() is None, self.text

    def command(self, part: str) -> str:
        """Return the printed command that has a part, for a shell in the checkout."""
        (found,) = (line.strip() for line in self.text.splitlines() if line.startswith("  ") and part in line)
        return found

    def run(self, part: str) -> str:
        done = subprocess.run(
            self.command(part), shell=True, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done
        return done.stdout

    def pids(self) -> list[int]:
        """Return the processes that run a node."""
        owners = [lock_owner(self.folder / str(number) / "data" / "lock") for number in range(1, COUNT + 1)]
        return [owner for owner in owners if owner is not None]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    require_cometbft()
    folder, output = tmp_path / "net", tmp_path / "output.txt"
    with output.open("w") as file:
        process = subprocess.Popen(
            ["make", "network", f"NETWORK={folder}"],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    try:
        yield Running(folder, output, process)
    finally:
        with suppress(ProcessLookupError):
            signal_group(process, signal.SIGKILL)
        process.communicate()


def signal_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send what a terminal sends: to all that runs in it."""
    os.killpg(process.pid, number)


def test_four_nodes_vote_one_dies_and_comes_back(running: Running) -> None:
    running.until_all("state follows")
    running.run("transactions create")
    running.until_all("events 1")
    assert "BLOCK_VALID" in running.run("events tail"), "node 3 has what node 1 took"
    until(lambda: "node 1 prints: ---" in running.text, what="the plugin of node 1 to print the event")

    running.run("kill -9")
    running.until_all("state ended", 2)
    running.run("transactions create")
    running.until_all("events 2", 1, 3, 4)
    assert running.process.stdin is not None
    running.process.stdin.write("\n")
    running.process.stdin.flush()
    running.until_all("state follows", 2)
    running.until_all("events 2", 2)
    assert running.run("network status").startswith("state       follows its network")

    signal_group(running.process, signal.SIGINT)
    running.process.wait(STOP_S)
    assert running.pids() == []
    assert "==> ending the nodes" in running.text
    assert "Traceback" not in running.text


GO: Final = """\
#!/bin/sh
[ "$1 $2" = "env GOVERSION" ] && echo go1.99
[ "$1" = install ] || exit 0
: > "$HOME/builds"
exec /bin/sleep 600
"""


def test_ctrl_c_ends_the_build_of_cometbft(tmp_path: Path) -> None:
    """It takes minutes, and whoever has not got them reads no traceback."""
    (tmp_path / "go").write_text(GO)
    (tmp_path / "go").chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-m", "examples.network", str(tmp_path / "net")],
        cwd=CHECKOUT,
        env={"HOME": str(tmp_path), "PATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    until((tmp_path / "builds").exists, what="the build to begin")
    signal_group(process, signal.SIGINT)
    printed, _ = process.communicate(timeout=STOP_S)
    assert process.returncode == 130
    assert printed.startswith("==> CometBFT is built, about 2 to 5 minutes, once; Ctrl-C ends it\n")
    assert "Traceback" not in printed
