"""Who holds the data directory, who listens on a port: what Linux tells in /proc. Elsewhere nobody is known."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_LISTENING: Final = "0A"
_NAME_CHARACTERS_MAX: Final = 60
_LOOKS: Final = 3
"""Linux gives its table of locks a page at a time: where others lock and unlock meanwhile, a line can be left out."""


def lock_owner(lock: Path) -> int | None:
    """Give the id of the process that holds the lock file, None if nobody does.

    Asking takes no lock, so it cannot get in the way of a node that starts at this moment.
    """
    try:
        inode, owner = lock.stat().st_ino, lock.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
    for _ in range(_LOOKS):
        for line in _lines(Path("/proc/locks")):
            match line.split():
                case [_, "FLOCK", _, _, process, place, *_] if place.endswith(f":{inode}") and process == owner:
                    return int(process)
        if not (owner.isdigit() and Path("/proc", owner).exists()):
            return None
    return None


def listener(port: int) -> int | None:
    """Give the id of the process that listens on a TCP port, None if it cannot be told."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # another user's, or gone meanwhile
            if any(str(entry.readlink()) in sockets for entry in (process / "fd").iterdir()):
                return int(process.name)
    return None


def name_of(process: int) -> str:
    """Give the beginning of a process's command line."""
    with suppress(OSError):
        text = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        return text if len(text) <= _NAME_CHARACTERS_MAX else f"{text[:_NAME_CHARACTERS_MAX]}…"
    return "?"


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in _lines(Path(table)):
            match line.split():
                case [_, local, _, state, _, _, _, _, _, inode, *_] if state == _LISTENING:
                    if int(local.rpartition(":")[2], 16) == port:
                        yield inode


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
