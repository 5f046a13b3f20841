"""A process that uses a ledger, run under strace: what it asks of the disk is written down, delayed or refused."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.store import opening
from tests.support.services import require

ROOT = Path(__file__).parents[3]


@contextmanager
def traced(
    data: Path, trace: Path, *options: str, then: str = "", reads: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """Run a process that opens the ledger at `data`, its system calls written to `trace`; its errors with `reads`."""
    require("strace")
    calls = "trace=pread64" if reads else "trace=fdatasync,fsync,pwrite64,write"
    command = ["strace", "-f", "-y", "-qq", "-e", calls, "-o", str(trace), *options]
    assert opening.__file__ is not None
    arguments = [sys.executable, opening.__file__, str(data), then]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [*command, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if reads else None,
        text=True,
        env=environment,
    )
    try:
        yield process
    finally:
        kill_traced(process)
        process.communicate()


def kill_traced(process: subprocess.Popen[str]) -> None:
    """Kill what strace runs, then strace."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for pid in children.read_text().split() if children.exists() else []:
        os.kill(int(pid), 9)
    process.kill()


def said(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()
