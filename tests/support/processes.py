"""The state of processes in /proc, and the end of single ones."""

import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

NICENESS_MOST: Final = 19
"""Of Linux."""
CHECKS_ENDED: Final = re.compile(r"check process(?:es)? ended.*")
"""What a node's log has of each check process, or parent of these, that was killed; it names their ids."""


def children_of(parent: int) -> list[int]:
    """Return the ids of its children, those of all its threads."""
    found = Path(f"/proc/{parent}/task").glob("*/children")
    return sorted(int(child) for children in found for child in children.read_text().split())


def is_gone(pid: int) -> bool:
    """Whether a process has ended, its parent may not know it yet."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


def ignores(pid: int, number: signal.Signals) -> bool:
    """Whether a process ignores a signal."""
    (mask,) = re.findall(r"^SigIgn:\t(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return bool(int(mask, 16) >> (number - 1) & 1)


def command_of(pid: int) -> list[str]:
    """Return the command of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


def is_nursery(pid: int) -> bool:
    """Whether a process is the parent of a node's check processes."""
    return not {"bigchaindb.engine.nursery", "tests.support.poison"}.isdisjoint(command_of(pid))


def check_pids(node: int) -> list[int]:
    """Return the ids of a node's check processes behind that of their parent; empty while it has none, or is gone."""
    with suppress(OSError):
        parents = [child for child in children_of(node) if is_nursery(child)]
        return [*parents, *(child for parent in parents for child in children_of(parent))]
    return []


def kill(pid: int) -> bool:
    """Kill a process, another of the same id never; return whether it was still alive."""
    with suppress(OSError):
        fd = os.pidfd_open(pid)
        try:
            if not is_gone(pid):
                signal.pidfd_send_signal(fd, signal.SIGKILL)
                return True
        finally:
            os.close(fd)
    return False


def is_reader(pid: int) -> bool:
    """Whether a process is a node's reader process."""
    return "bigchaindb.reader.process" in command_of(pid)


def is_helper(pid: int) -> bool:
    """Whether a process is one that a node has for itself, not for a plugin or a network."""
    return is_nursery(pid) or is_reader(pid)


def kill_a_helper(node: int, choices: random.Random) -> str:
    """Kill a check process of a node, the parent of all, or its reader process.

    Returns:
        which it was: "check process", "parent" or "reader"; "" if there was none.
    """
    parents, checks = (found := check_pids(node))[:1], found[1:]
    with suppress(OSError):
        readers = [child for child in children_of(node) if is_reader(child)]
        kinds = [*((pid, "parent") for pid in parents), *((pid, "check process") for pid in checks * 3)]
        kinds += [(pid, "reader") for pid in readers]
        if kinds:  # the parent may have been killed a moment ago
            pid, kind = choices.choice(kinds)
            return kind * kill(pid)
    return ""


LISTEN: Final = """
import socket, sys
with socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET) as listening:
    if listening.family == socket.AF_INET6:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listening.bind((sys.argv[1], int(sys.argv[2])))
    listening.listen()
    print(listening.getsockname()[1], flush=True)
    sys.stdin.read()
"""


@contextmanager
def other_process_at(host: str, port: int = 0) -> Iterator[tuple[int, int]]:
    """Make another process listen; yield its id and the port."""
    command = [sys.executable, "-c", LISTEN, host, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        yield other.pid, int(other.stdout.readline())
        other.kill()
