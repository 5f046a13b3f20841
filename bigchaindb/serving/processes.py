"""Who holds the data directory, who listens on a port: what Linux tells in /proc. Elsewhere nobody is known."""

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


def listener(address: str, port: int) -> int | None:
    """Give the id of the process that keeps others from listening on an address and a TCP port, None if none is known.

    That is one which listens on the same address or, as far as the port goes, on all of them; where `address` stands
    for all itself, one which listens on any.
    """
    wanted = ip_address(address)
    found = list(_listening(port))
    inodes = [inode for at, inode in found if at == wanted]
    inodes = inodes or [inode for at, inode in found if at.is_unspecified or wanted.is_unspecified]
    sockets = {f"socket:[{inode}]" for inode in inodes}
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


def _listening(port: int) -> Iterator[tuple[IPv4Address | IPv6Address, str]]:
    """Give the address and the inode of each socket that listens on the port."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in _lines(Path(table)):
            match line.split():
                case [_, local, _, state, _, _, _, _, _, inode, *_] if state == _LISTENING:
                    address, _, listened = local.rpartition(":")
                    if int(listened, 16) == port:
                        yield _address(address), inode


def _address(text: str) -> IPv4Address | IPv6Address:
    """Read an address as Linux prints it: words of 32 bits, each as this machine keeps a number."""
    words = (int(text[start : start + _WORD_DIGITS], 16) for start in range(0, len(text), _WORD_DIGITS))
    address = ip_address(b"".join(word.to_bytes(4, sys.byteorder) for word in words))
    return getattr(address, "ipv4_mapped", None) or address  # a socket of IPv6 that listens on an address of IPv4


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
