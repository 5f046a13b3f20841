"""A service manager's end of the protocol of sd_notify(3): a datagram socket, and what came over it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import until


class Manager:
    """What a process told its service manager.

    Attributes:
        address: for `NOTIFY_SOCKET`.
        told: every line so far.
    """

    def __init__(self, receiving: socket.socket, address: str) -> None:
        self.address = address
        self.told: list[str] = []
        self._socket = receiving
        receiving.settimeout(0)

    def read(self) -> list[str]:
        """Take what came, and return all lines so far."""
        while True:
            try:
                datagram = self._socket.recv(65_536)
            except BlockingIOError:
                return list(self.told)
            self.told += datagram.decode().split("\n")

    def until_told(self, line: str, *, count: int = 1) -> None:
        """Wait until a line, or one that begins so, came so often."""
        until(lambda: sum(one.startswith(line) for one in self.read()) >= count, what=f"{count} times {line}")

    @property
    def status(self) -> str:
        """The last status; empty if there is none."""
        return next((line.removeprefix("STATUS=") for line in self.read()[::-1] if line.startswith("STATUS=")), "")


@contextmanager
def service_manager(address: str | Path) -> Iterator[Manager]:
    """Listen at a path, or at a name in the abstract namespace behind `@`."""
    name = str(address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiving:
        receiving.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        yield Manager(receiving, name)
