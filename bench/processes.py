"""Processes under measurement: start, wait until they answer, CPU time and memory from `/proc`, stop."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

TICKS: Final = os.sysconf("SC_CLK_TCK")
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
START_S_MAX: Final = 60.0
STOP_S_MAX: Final = 60.0


class Process:
    """A child process that ends with the `with` block."""

    def __init__(self, arguments: Sequence[str], *, environment: Mapping[str, str] | None = None, log: Path) -> None:
        self.started = time.perf_counter()
        self._log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
            )
        self.pid = self._child.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.send_signal(signal.SIGTERM)
        try:
            self._child.wait(30)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def wait_until(self, ready: Callable[[], bool], *, within_s: float = START_S_MAX) -> float:
        """Wait until `ready()`; return the seconds since the process was started."""
        while not ready():
            if self._child.poll() is not None:
                raise RuntimeError(f"{self._child.args!r} ended with {self._child.returncode}: {self._tail()}")
            if time.perf_counter() - self.started > within_s:
                raise RuntimeError(f"{self._child.args!r} does not answer: {self._tail()}")
            time.sleep(0.005)
        return time.perf_counter() - self.started

    def cpu_s(self) -> float:
        """Return the CPU seconds so far of the process and of all that descend from it."""
        return sum(map(cpu_s, family(self.pid)))

    def kill(self) -> None:
        """Send SIGKILL, and wait for the end."""
        self._child.kill()
        self._child.wait()

    def stop(self) -> float:
        """Send SIGTERM; return the seconds until the process has ended."""
        begin = time.perf_counter()
        self._child.send_signal(signal.SIGTERM)
        self._child.wait(STOP_S_MAX)
        return time.perf_counter() - begin

    def memory_mb(self) -> float:
        """Return the memory of the process and its descendants, in MiB: the most that each had since its start.

        A page that several of them share counts once.
        """
        return sum(map(_peak_mb, family(self.pid)))

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


def cpu_s(pid: int) -> float:
    """Return the CPU seconds, user and system, of the process and all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def family(pid: int) -> list[int]:
    """Return the process and all that descend from it, parents first."""
    found = [pid]
    for one in found:
        with suppress(OSError):  # it has ended
            for thread in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (thread / "children").read_text().split())
    return found


def child_of(pid: int, name: str) -> int:
    """Return the process of that name that `pid` has started.

    Raises:
        LookupError: there is none.
    """
    for child in family(pid)[1:]:
        with suppress(OSError):
            if Path(f"/proc/{child}/comm").read_text().strip() == name:
                return child
    raise LookupError(f"process {pid} has no child {name}")


def resident_mb(pid: int | None = None) -> float:
    """Return the memory that is resident now, libraries included; this process's by default."""
    pages = Path(f"/proc/{pid or 'self'}/statm").read_text().split()[1]
    return int(pages) * PAGE_BYTES / 2**20


def family_mb(pid: int) -> float:
    """Return the memory that a process and its descendants have now; a page that several of them share counts once."""
    return sum(map(_shared_out_mb, family(pid)))


def _shared_out_mb(pid: int) -> float:
    try:
        return _field_mb(Path(f"/proc/{pid}/smaps_rollup"), "Pss:")
    except OSError:  # it has ended
        return 0.0


def _peak_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status")
        return _shared_out_mb(pid) + _field_mb(status, "VmHWM:") - _field_mb(status, "VmRSS:")
    except OSError:  # it has ended
        return 0.0


def _field_mb(path: Path, name: str) -> float:
    lines = path.read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


def answers(port: int, path: str = "/", authority: Path | None = None) -> Callable[[], bool]:
    """Make a question: does an HTTP server answer 200 there, over TLS if there is an authority?"""

    def ask() -> bool:
        try:
            with secured(socket.create_connection(("127.0.0.1", port), 1), authority) as connection:
                connection.sendall(f"GET {path} HTTP/1.0\r\nHost: bench\r\n\r\n".encode())
                return connection.recv(64).split(b" ", 2)[1:2] == [b"200"]
        except OSError:
            return False

    return ask


def secured(connection: socket.socket, authority: Path | None) -> socket.socket:
    """Return a connection over TLS to a server whose certificate that authority signed; without one, as it is."""
    if authority is None:
        return connection
    return ssl.create_default_context(cafile=authority).wrap_socket(connection, server_hostname="127.0.0.1")


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module with this very interpreter."""
    return [sys.executable, "-m", module, *arguments]
