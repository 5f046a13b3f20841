"""The state of processes in /proc."""

from pathlib import Path


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


def command_of(pid: int) -> list[str]:
    """Return the command of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


def is_nursery(pid: int) -> bool:
    """Whether a process is the parent of a node's check processes."""
    return not {"bigchaindb.engine.nursery", "tests.support.poison"}.isdisjoint(command_of(pid))
