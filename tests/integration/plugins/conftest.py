"""A real store and hub that tests commit to, plugins installed as packages, and supervisors that run them."""

import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bigchaindb.config import Limits, PluginSettings
from bigchaindb.eventlog.delivery import Backoff
from bigchaindb.store import Store
from bigchaindb.subscribers.hub import Hub
from bigchaindb.subscribers.supervisor import Supervisor
from tests.support.event_logs import LogWriter

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
        self.store = Store.open(folder / "data")
        self.hub = Hub(self.store.writer.tip().position)
        self.writer = LogWriter(self.store.writer)
        self.supervisors: list[Supervisor] = []

    def commit(self, count: int = 1) -> None:
        """Commit blocks and announce each."""
        for _ in range(count):
            self.hub.announce(self.writer.valid(1))

    def supervisor(self, plugins: Mapping[str, Mapping[str, Any]], *, limits: Limits | None = None) -> Supervisor:
        """Make one that starts failed plugins again at once."""
        supervisor = Supervisor(
            hub=self.hub,
            store=self.store,
            chain_id="solo-test",
            plugins={name: PluginSettings(**settings) for name, settings in plugins.items()},
            limits=limits,
            backoff=Backoff(base_s=0.001, max_s=0.01),
        )
        self.supervisors.append(supervisor)
        return supervisor

    async def run(self, *, start: str = "genesis", **options: Any) -> Supervisor:
        """Start the misbehaving plugin, which writes down what it sees."""
        supervisor = self.supervisor({"misbehaving": {"start": start, "options": self.options(**options)}})
        await supervisor.start()
        return supervisor

    def options(self, **options: Any) -> dict[str, Any]:
        return {"record": str(self.record), "fault": "", **options}

    def seen(self) -> list[Seen]:
        """Give every delivery so far, in order."""
        if not self.record.exists():
            return []
        return [Seen(*map(int, line.split())) for line in self.record.read_text().splitlines()]

    def positions(self) -> list[int]:
        return [seen.position for seen in self.seen()]


@pytest.fixture(scope="session")
def misbehaving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the example importable and its entry point known, for the whole run, as `setup.py develop` does."""
    folder = tmp_path_factory.mktemp("packages") / "misbehaving"
    shutil.copytree(EXAMPLES / "misbehaving", folder)
    make_known(folder)
    return folder


def make_known(source: Path) -> None:
    """Write the metadata of the package in `source` beside it, so that a path to the folder is an installation."""
    command = [sys.executable, "-W", "ignore", "-c", "from setuptools import setup; setup()", "-q", "egg_info"]
    subprocess.run(command, cwd=source, check=True, capture_output=True)


@pytest.fixture
async def running(tmp_path: Path, misbehaving: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    monkeypatch.syspath_prepend(str(misbehaving))
    one = Running(tmp_path)
    yield one
    for supervisor in one.supervisors:
        await supervisor.stop()
    one.store.close()
