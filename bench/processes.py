"""Processes under measurement: start, wait until they answer, CPU time and memory from `/proc`, stop."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
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
        """Return the CPU seconds of all threads so far."""
        return cpu_s(self.pid)

    def stop(self) -> float:
        """Send SIGTERM; return the seconds until the process has ended."""
        begin = time.perf_counter()
        self._child.send_signal(signal.SIGTERM)
        self._child.wait(STOP_S_MAX)
        return time.perf_counter() - begin

    def memory_mb(self) -> float:
        """Return the most memory that was resident since the start, libraries included."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


def cpu_s(pid: int) -> float:
    """Return the CPU seconds, user and system, of the process and all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def child_of(pid: int, name: str) -> int:
    """Return the process of that name that `pid` has started.

    Raises:
        LookupError: there is none.
    """
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except OSError:  # it has ended
                continue
            if f"({name})" in stat and int(stat.rpartition(")")[2].split()[1]) == pid:
                return int(folder.name)
    raise LookupError(f"process {pid} has no child {name}")


def resident_mb(pid: int | None = None) -> float:
    """Return the memory that is resident now, libraries included; this process's by default."""
    pages = Path(f"/proc/{pid or 'self'}/statm").read_text().split()[1]
    return int(pages) * PAGE_BYTES / 2**20


def answers(port: int, path: str = "/") -> Callable[[], bool]:
    """Make a question: does an HTTP server answer 200 there?"""

    def ask() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                connection.sendall(f"GET {path} HTTP/1.0\r\nHost: bench\r\n\r\n".encode())
                return connection.recv(64).split(b" ", 2)[1:2] == [b"200"]
        except OSError:
            return False

    return ask


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module with this very interpreter."""
    return [sys.executable, "-m", module, *arguments]
