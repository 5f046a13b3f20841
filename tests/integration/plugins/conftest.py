"""A real store and hub that tests commit to, plugins installed as packages, and supervisors that run them."""

import asyncio
import shutil
import subprocess
import sys
import textwrap
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import uvloop

from bigchaindb.config import Limits, PluginSettings
from bigchaindb.eventlog.retrying import Backoff
from bigchaindb.store import Store
from bigchaindb.streams.hub import Hub
from bigchaindb.subscribers.machine import Machine
from bigchaindb.subscribers.supervisor import Supervisor
from tests.integration.plugins.crash_plugins import Write
from tests.support.event_logs import LogWriter
from tests.support.packages import advertise
from tests.support.waiting import whole_lines


async def until(condition: Callable[[], object], *, what: str, within_s: float = 60) -> None:
    """Wait for a condition while the loop goes on."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while not condition():
        assert loop.time() < deadline, f"waited {within_s} s for {what}"
        await asyncio.sleep(0.005)


AT_ONCE = Backoff(base_s=0.001, max_s=0.01)
EXAMPLES = Path(__file__).parents[3] / "examples"


class Seen(NamedTuple):
    """One delivery, as the misbehaving plugin wrote it down."""

    position: int
    attempt: int
    pid: int


class Running:
    """A ledger's files in one folder, and the supervisor that runs plugins over it."""

    def __init__(self, folder: Path) -> None:
        self.record = folder / "seen"
        self.store = Store(folder / "data")
        self.hub = Hub(self.store.writer.tip().position)
        self.writer = LogWriter(self.store.writer)
        self.supervisors: list[Supervisor] = []

    def commit(self, count: int = 1) -> None:
        """Commit blocks and announce each."""
        for _ in range(count):
            self.hub.announce(self.writer.valid(1))

    def supervisor(
        self,
        plugins: Mapping[str, Mapping[str, Any]],
        *,
        limits: Limits | None = None,
        machine: Machine | None = None,
        backoff: Backoff = AT_ONCE,
    ) -> Supervisor:
        """Make one that starts failed plugins again at once."""
        supervisor = Supervisor(
            hub=self.hub,
            store=self.store,
            chain_id="solo-test",
            plugins={name: PluginSettings(**settings) for name, settings in plugins.items()},
            limits=limits,
            backoff=backoff,
            machine=machine,
        )
        self.supervisors.append(supervisor)
        return supervisor

    async def run(self, *, start: str = "genesis", **options: Any) -> Supervisor:
        """Start the misbehaving plugin, which writes down what it sees."""
        supervisor = self.supervisor({"misbehaving": {"start": start, "options": self.options(**options)}})
        await supervisor.start()
        return supervisor

    async def until_seen(self, count: int) -> None:
        """Wait until the plugin has written down so many deliveries."""
        await until(lambda: len(self.seen()) >= count, what=f"{count} deliveries")

    async def until_settled(self, supervisor: Supervisor, position: int) -> None:
        """Wait until its one plugin has asked for what comes behind a position: that one is done, and known to be."""
        await until(lambda: supervisor.status()[0].position == position, what=f"position {position} to be settled")

    def options(self, **options: Any) -> dict[str, Any]:
        return {"record": str(self.record), "fault": "", **options}

    def seen(self) -> list[Seen]:
        """Return every delivery so far, in order."""
        return [Seen(*map(int, line.split())) for line in whole_lines(self.record)]

    def positions(self) -> list[int]:
        return [seen.position for seen in self.seen()]


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], AbstractEventLoop]]:
    """Run the tests of this folder on the loop that a node runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def misbehaving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the example importable and its entry point known, for the whole run, as `setup.py develop` does."""
    folder = tmp_path_factory.mktemp("packages") / "misbehaving"
    shutil.copytree(EXAMPLES / "misbehaving", folder)
    return make_known(folder)


def make_known(source: Path) -> Path:
    """Write the metadata of the package in `source`, so that a path to the folder is an installation of it."""
    command = [sys.executable, "-W", "ignore", "-c", "from setuptools import setup; setup()", "-q", "egg_info"]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    return source


@pytest.fixture
async def running(tmp_path: Path, misbehaving: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    monkeypatch.syspath_prepend(str(misbehaving))
    one = Running(tmp_path)
    yield one
    for supervisor in one.supervisors:
        await supervisor.stop()
    one.store.close()


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Make a module of a plugin, with a body for its `run`; `write(*positions)` appends to its sink."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(name: str, body: str) -> ModuleType:
        monkeypatch.delitem(sys.modules, name, raising=False)
        (tmp_path / f"{name}.py").write_text(
            "import time\n\n\n"
            "def write(*positions):\n"
            f"    with open({str(tmp_path / 'sink')!r}, 'a') as file:\n"
            "        file.write(''.join(f'{position}\\n' for position in positions))\n\n\n"
            f"def run(queue):\n{body}"
        )
        return import_module(name)

    return make


@pytest.fixture
def sink(tmp_path: Path) -> Callable[[], Sequence[int]]:
    """Read what the plugin wrote."""

    def read() -> Sequence[int]:
        return [int(line) for line in (tmp_path / "sink").read_text().splitlines()]

    return read


HEAD = """
import asyncio, multiprocessing, os, signal
from bigchaindb.events import Unavailable

def configure(options):
    globals().update(options)

def seen(event):
    fd = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, f"{event.position} {event.attempt} {os.getpid()}\\n".encode())
    os.close(fd)
"""
Start = Callable[..., Any]


@pytest.fixture
def start(running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Return a function that installs a plugin with this `run`, and starts it; its options become its properties."""
    site = tmp_path / "site"
    advertise(site, "answering", {"answering": "answering"})
    monkeypatch.syspath_prepend(str(site))

    async def started(run: str, *, settings: dict[str, Any] | None = None, **options: Any) -> Supervisor:
        (site / "answering.py").write_text(HEAD + textwrap.dedent(run))
        plugin = {"start": "genesis", "options": {"record": str(running.record), **options}, **(settings or {})}
        supervisor = running.supervisor({"answering": plugin})
        await supervisor.start()
        return supervisor

    return started
