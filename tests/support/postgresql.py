"""A PostgreSQL server of a test's own: a child process with a temporary directory, on a free port."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from tests.support import services
from tests.support.node import free_ports
from tests.support.waiting import until

PROGRAMS: Final = Path("/usr/lib/postgresql/15/bin")
USER: Final = "postgres"
START_S: Final = 60.0
LOG_TAIL_CHARS: Final = 3000


@dataclass
class PostgreSQL:
    """A server that is running, or was."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """What clients connect to."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = ("listen_addresses=127.0.0.1", f"port={self.port}", "unix_socket_directories=")
        flags = [part for setting in settings for part in ("-c", setting)]
        with (self.folder / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(
                [*_as_its_user(), PROGRAMS / "postgres", "-D", self.folder / "data", *flags],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._answers, what="PostgreSQL to answer", within_s=START_S)

    def kill(self) -> None:
        """SIGKILL the server and what it started. Safe to call twice."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(START_S)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log.txt").read_text()[-LOG_TAIL_CHARS:]
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def running_postgresql(folder: Path) -> Iterator[PostgreSQL]:
    """Run a server with its files in `folder`, which is removed at the end.

    The server refuses to run as root, so its user must be able to reach `folder`: give one below `/tmp` itself.
    """
    services.require(str(PROGRAMS / "postgres"))
    if os.geteuid() == 0:
        shutil.chown(folder, USER)
    initdb = [*_as_its_user(), str(PROGRAMS / "initdb"), "-D", str(folder / "data"), "-U", USER, "-A", "trust"]
    subprocess.run([*initdb, "--no-sync", "--locale", "C.UTF-8", "-E", "UTF8"], check=True, capture_output=True)
    (port,) = free_ports(1)
    server = PostgreSQL(folder, port)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)


def _as_its_user() -> Sequence[str]:
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid", USER, "--regid", USER, "--clear-groups", "env", "HOME=/tmp"]
