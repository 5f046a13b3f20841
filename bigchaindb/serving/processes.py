"""The process that holds the data directory or listens on a port, read from Linux's /proc; elsewhere unknown."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

_LISTENING: Final = "0A"
_WORD_DIGITS: Final = 8
_NAME_CHARACTERS_MAX: Final = 60
_LOOKS: Final = 3
"""Linux prints its table of locks page by page, so a line can be missing while other processes lock and unlock."""


def lock_owner(lock: Path) -> int | None:
    """Return the id of the process that holds the lock file, or None.

    This takes no lock itself, so it cannot disturb a node that starts at the same moment.
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


def listener(address: str, port: int) -> int | None:
    """Return the id of the process whose socket keeps others off an address and a TCP port; None if unknown.

    That process listens on the same address or on all addresses; if `address` itself stands for all, on any.
    """
    wanted = ip_address(address)
    found = list(_listening(port))
    inodes = [inode for at, inode in found if at == wanted]
    inodes = inodes or [inode for at, inode in found if at.is_unspecified or wanted.is_unspecified]
    sockets = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # The process is another user's, or has ended.
            if any(str(entry.readlink()) in sockets for entry in (process / "fd").iterdir()):
                return int(process.name)
    return None


def name_of(process: int) -> str:
    """Return the beginning of a process's command line."""
    with suppress(OSError):
        text = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        return text if len(text) <= _NAME_CHARACTERS_MAX else f"{text[:_NAME_CHARACTERS_MAX]}…"
    return "?"


def _listening(port: int) -> Iterator[tuple[IPv4Address | IPv6Address, str]]:
    """Yield the address and the inode of each socket that listens on the port."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in _lines(Path(table)):
            match line.split():
                case [_, local, _, state, _, _, _, _, _, inode, *_] if state == _LISTENING:
                    address, _, listened = local.rpartition(":")
                    if int(listened, 16) == port:
                        yield _address(address), inode


def _address(text: str) -> IPv4Address | IPv6Address:
    """Read an address as Linux prints it: words of 32 bits, each in the byte order of this machine."""
    words = (int(text[start : start + _WORD_DIGITS], 16) for start in range(0, len(text), _WORD_DIGITS))
    address = ip_address(b"".join(word.to_bytes(4, sys.byteorder) for word in words))
    return getattr(address, "ipv4_mapped", None) or address  # an IPv6 socket can listen on an IPv4 address


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
