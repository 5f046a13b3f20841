"""A node as a service of systemd: what it tells, and that the unit allows what it does.

Source: docs/how-to/run-as-a-service.md; decision 0166.
"""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support import packages
from tests.support.chains import create
from tests.support.flips import Column, flip
from tests.support.node import COMMAND, Node, configuration_of, running_node
from tests.support.pages import ROOT
from tests.support.service_managers import Manager, service_manager
from tests.support.services import require
from tests.support.waiting import until

UNIT: Final = ROOT / "bigchaindb/operating/bigchaindb.service"
STARTS_PROCESSES: Final = """
import os, subprocess, sys
from pathlib import Path

def run(queue):
    for event in queue:
        subprocess.run([sys.executable, "-c", "import socket"], check=True)
        Path("environment.txt").write_text("\\n".join(os.environ))
"""
FAMILIES: Final = {"AF_INET", "AF_INET6", "AF_UNIX"}
NOT_NEEDED: Final = {"AF_NETLINK"}
"""glibc asks the kernel which addresses the machine has, and takes all for usable where it may not."""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with service_manager(tmp_path / "notify") as listening:
        yield listening


@pytest.fixture
def served(tmp_path: Path, manager: Manager) -> Node:
    """A node that a service manager started, not running as yet."""
    environment = packages.install(tmp_path / "site", "starter", STARTS_PROCESSES)
    environment |= {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "200000"}
    return Node(tmp_path, configuration_of(tmp_path, {"events_plugins": ["starter"]}), environment, COMMAND)


def test_a_service_manager_learns_how_the_node_is_from_start_to_end(served: Node, manager: Manager) -> None:
    served.launch()
    try:
        manager.until_told("READY=1")
        assert served.get("").status == 200, "ready means that it answers"
        assert manager.read()[0].startswith("STATUS=starts: ")
        assert served.post(create(0).body).status == 202
        told = served.folder / "environment.txt"
        until(lambda: told.exists() and told.read_text(), what="the plugin to have its event")
        assert not [name for name in told.read_text().split() if name.startswith(("NOTIFY_", "WATCHDOG_"))]
        until(lambda: manager.status == "healthy; height 1; 1 lane LIVE; 0 followers", what="the status")
        told_count, begun = manager.read().count("WATCHDOG=1"), time.monotonic()
        manager.until_told("WATCHDOG=1", count=told_count + 10)
        assert time.monotonic() - begun > 0.5, "each tenth of a second, not each turn of the loop"

        assert served.stop() == 0
        last = [line for line in manager.read() if line != "WATCHDOG=1"][-2:]
        assert last == ["STOPPING=1", "STATUS=stops"]
    finally:
        served.kill()


def test_a_damaged_node_does_not_look_healthy(served: Node, manager: Manager) -> None:
    """`systemctl status` is where an operator looks first."""
    served.start()
    try:
        for serial in range(3):
            assert served.post(create(serial).body).status == 202
        assert served.stop() == 0
        flip(served.data / "ledger.db", Column("transactions", "body"), at=0.5)
        served.start()
        assert served.get(f"transactions/{create(1).id}").status == 500
        until(lambda: manager.status.startswith("not healthy, damaged; height 3; "), what="the status")
        assert manager.status.endswith("run `bigchaindb check`")
    finally:
        served.kill()


@pytest.fixture(scope="module")
def unit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the unit of this installation: systemd looks whether its program is there."""
    require("systemd-analyze")
    copy = tmp_path_factory.mktemp("unit") / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/bigchaindb/bin/bigchaindb", COMMAND[0]))
    return copy


def analyze(*arguments: str | Path) -> str:
    ran = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def test_systemd_finds_nothing_to_complain_about(unit: Path) -> None:
    assert analyze("verify", unit) == ""


def test_the_exposure_of_the_service_is_low(unit: Path) -> None:
    analyze("security", "--offline=true", "--threshold=20", unit)


def allowed_calls() -> set[str]:
    """Return the system calls of the groups that the unit names."""
    groups: dict[str, set[str]] = {}
    for line in analyze("syscall-filter").splitlines():
        if line.startswith("@"):
            members = groups.setdefault(line.strip(), set())
        elif (word := line.strip()) and not word.startswith("#"):
            members.add(word)

    def expand(name: str) -> set[str]:
        return set().union(*(expand(one) if one.startswith("@") else {one} for one in groups[name]))

    (named,) = re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(), re.MULTILINE)
    return expand(named) | expand("@default")


def test_the_unit_allows_what_node_plugins_and_processes_do(tmp_path: Path) -> None:
    """A call that is forbidden fails on the machine of a user, and perhaps only in a plugin."""
    require("strace", "systemd-analyze")
    trace = tmp_path / "trace"
    sink = {"file": {"options": {"path": str(tmp_path / "events.jsonl")}}}
    watched = ("strace", "-D", "-f", "-qq", "-s", "0", "-e", "signal=none", "-o", str(trace), *COMMAND)
    environment = packages.install(tmp_path / "site", "starter", STARTS_PROCESSES)
    settings = {"events_plugins": {"starter": {}, **sink}}
    with running_node(tmp_path / "node", settings=settings, environment=environment, command=watched) as node:
        assert node.post(create(0).body).status == 202
        assert node.get("assets/", search="0").status == 200
        until((node.folder / "environment.txt").exists, what="the plugin to start a process")
        until((tmp_path / "events.jsonl").exists, what="the sink")
        assert node.stop() == 0
    text = trace.read_text(errors="replace")
    called = set(re.findall(r"^\d+ +(\w+)\(", text, re.MULTILINE))
    assert {"clone3", "execve", "fdatasync"} & called
    assert not called - allowed_calls()
    assert not set(re.findall(r"socket(?:pair)?\((AF_\w+)", text)) - FAMILIES - NOT_NEEDED
    assert "CLONE_NEW" not in text
