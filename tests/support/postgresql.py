"""A PostgreSQL server of a test's own: a child process with a temporary directory, on a free port."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from tests.support import services
from tests.support.ports import free_ports
from tests.support.servers import START_S, Server, folder_for, running
from tests.support.waiting import until

PROGRAMS: Final = Path("/usr/lib/postgresql/15/bin")
USER: Final = "postgres"
GUEST: Final = "bob"
PASSWORD: Final = "s3cret-of-bob"
NOBODY: Final = "nobody_of_that_name"
"""May come in, and has no role."""
ACCESS: Final = f"host all {USER},{NOBODY} 127.0.0.1/32 trust\nhost all {GUEST} 127.0.0.1/32 scram-sha-256\n"


@dataclass
class PostgreSQL(Server):
    """A server that is running, or was."""

    folder: Path
    port: int
    settings: Sequence[str] = ()
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """The address that clients connect to."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    def guest_url(self, password: str = PASSWORD) -> str:
        """Return the address of a user who needs a password."""
        return f"postgresql://{GUEST}:{password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = ("listen_addresses=127.0.0.1", f"port={self.port}", "unix_socket_directories=", *self.settings)
        flags = [part for setting in settings for part in ("-c", setting)]
        self.launch(*_as_its_user(), PROGRAMS / "postgres", "-D", self.folder / "data", *flags, cwd=self.folder)
        until(self._answers, what="PostgreSQL to answer", within_s=START_S)

    def kill(self) -> None:
        """SIGKILL the server and what it started. Safe to call twice."""
        if self.process is not None and self.process.poll() is None:
            self._signal(signal.SIGKILL)
            self.process.wait(START_S)
            # Who died as it did leaves its lock; the next start looks whether that process lives.
            until(lambda: not self._children(), what="PostgreSQL's processes to be gone", within_s=START_S)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        for pid in [self.process.pid, *self._children()]:  # each is a session of its own
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _children(self) -> Sequence[int]:
        assert self.process is not None
        try:
            text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        except OSError:
            return ()
        return [int(pid) for pid in text.split()]

    def _answers(self) -> bool:
        self.require_alive()
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def running_postgresql(*, certificate: Path | None = None, key: Path | None = None) -> Iterator[PostgreSQL]:
    """Run a server, which refuses to run as root.

    Args:
        certificate: of the server, if it is to talk TLS as well.
        key: of the certificate.
    """
    services.require(str(PROGRAMS / "postgres"))
    with folder_for("postgresql") as folder, running(_made_in(folder, certificate, key)) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"CREATE USER {GUEST} PASSWORD '{PASSWORD}'")
        yield server


def _made_in(folder: Path, certificate: Path | None, key: Path | None) -> PostgreSQL:
    """Make the files of a server."""
    if os.geteuid() == 0:
        shutil.chown(folder, USER)
    initdb = [*_as_its_user(), str(PROGRAMS / "initdb"), "-D", str(folder / "data"), "-U", USER, "-A", "trust"]
    subprocess.run([*initdb, "--no-sync", "--locale", "C.UTF-8", "-E", "UTF8"], check=True, capture_output=True)
    (port,) = free_ports(1)
    (folder / "data/pg_hba.conf").write_text(ACCESS)
    server = PostgreSQL(folder, port)
    if certificate is not None and key is not None:
        server.settings = ("ssl=on",)
        for source, name in ((certificate, "server.crt"), (key, "server.key")):
            shutil.copy(source, folder / "data" / name)
            (folder / "data" / name).chmod(0o600)
            if os.geteuid() == 0:
                shutil.chown(folder / "data" / name, USER)
    return server


def _as_its_user() -> Sequence[str]:
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid", USER, "--regid", USER, "--clear-groups", "env", "HOME=/tmp"]
