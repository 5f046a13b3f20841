"""Servers of a test's own: child processes with a folder for all that they write."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol, TypeVar

START_S: Final = 60.0
"""Time for a server to answer, and to be gone."""
LOG_TAIL_CHARS: Final = 3000


class Startable(Protocol):
    """A server, or a target of a sink that stands for its server."""

    def start(self) -> None:
        """Start it and wait until it answers."""

    def kill(self) -> None:
        """SIGKILL it, and wait until it is gone. Safe to call twice."""


S = TypeVar("S", bound=Startable)


@contextmanager
def folder_for(name: str, within: Path | None = None) -> Iterator[Path]:
    """Make a folder for a server: by default below /tmp itself, where a user of the server's own can reach it."""
    with tempfile.TemporaryDirectory(prefix=f"bigchaindb-{name}-", dir=within, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def running(server: S) -> Iterator[S]:
    """Start a server, and kill it at the end."""
    try:
        server.start()
        yield server
    finally:
        server.kill()


class Server:
    """A server that is running, or was.

    Attributes:
        folder: that it writes to; `log.txt` in it is what it prints.
        process: None unless it was started and not killed.
    """

    folder: Path
    process: "subprocess.Popen[bytes] | None"

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return (self.folder / "log.txt").read_text(errors="replace")

    def launch(self, *command: str | Path, cwd: Path | None = None) -> None:
        """Start its process, without waiting until it answers."""
        with (self.folder / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def require_alive(self) -> None:
        """Fail with the end of its log if its process has ended by itself."""
        assert self.process is not None
        assert self.process.poll() is None, self.log[-LOG_TAIL_CHARS:]

    def kill(self) -> None:
        """SIGKILL it, and wait until it is gone. Safe to call twice."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(START_S)
            self.process = None

    def freeze(self) -> None:
        """Stop it where it is."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue the process that `freeze` stopped."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)
