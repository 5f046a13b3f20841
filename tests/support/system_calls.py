"""The system calls of a process, in order, as strace wrote them down."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.services import require
from tests.support.waiting import until

WATCHED: Final = "execve,listen,fdatasync,fsync,pwrite64,write,writev,sendto,sendmsg"
LINE: Final = re.compile(r"(?P<pid>\d+) +(?P<name>\w+)\((?P<rest>.*)")
RESUMED: Final = re.compile(r"(?P<pid>\d+) +<\.\.\. (?P<name>\w+) resumed>")
UNFINISHED: Final = "<unfinished ...>"
NEVER: Final = 1 << 60
DELAY_US: Final = 600_000_000
"""For ever, as tests go."""


@dataclass
class Call:
    """One system call of one thread.

    Attributes:
        text: its arguments, with the paths of descriptors and what was written.
        begun: the line at which it was asked for.
        ended: the line at which it was done; `NEVER` where the process ended before.
    """

    name: str
    text: str
    begun: int
    ended: int


def under_strace(trace: Path) -> Sequence[str]:
    """Return the words before a command that watch all its processes; its process id stays its own."""
    require("strace")
    # -s: a page of the ledger, where a byte that is no text takes up to four characters.
    return ("strace", "-D", "-f", "-y", "-qq", "-s", "16384", "-e", f"trace={WATCHED}", "-o", str(trace))


@contextmanager
def syncs_delayed(pid: int, path: Path, messages: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Keep every sync of the file at `path` from beginning. Return the tracer: kill the process, then it."""
    require("strace")
    command = ["strace", "-f", "-p", str(pid), "-P", str(path), "-e", "trace=fdatasync,fsync"]
    delay = ["-e", f"inject=fdatasync,fsync:delay_enter={DELAY_US}", "-o", "/dev/null"]
    with messages.open("wb") as said, subprocess.Popen([*command, *delay], stderr=said) as tracer:
        try:
            until(lambda: "attached" in messages.read_text(), what="strace to be attached")
            yield tracer
        finally:
            tracer.kill()


def calls(trace: Path) -> Sequence[Call]:
    """Read the trace of processes that have ended, or as far as it is."""
    open_: dict[str, Call] = {}
    found: list[Call] = []
    for number, line in enumerate(trace.read_text(errors="replace").splitlines()):
        if (resumed := RESUMED.match(line)) is not None:
            if (call := open_.pop(resumed["pid"], None)) is not None:
                call.ended = number
        elif (begun := LINE.match(line)) is not None:
            is_done = UNFINISHED not in line and not line.endswith("= ?")
            call = Call(begun["name"], begun["rest"], number, number if is_done else NEVER)
            found.append(call)
            if not is_done:
                open_[begun["pid"]] = call
    return found
