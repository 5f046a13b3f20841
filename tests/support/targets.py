"""What targets of several sinks have alike; `bigchaindb.testing.targets` says what a target is."""

from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from bigchaindb.testing.sinks import Trouble
from tests.support.servers import Startable
from tests.support.small_disk import small_disk


class Freezable(Startable, Protocol):
    """A server that a test may stop where it is."""

    def freeze(self) -> None:
        """Stop it where it is."""

    def thaw(self) -> None:
        """Continue what `freeze` stopped."""


S = TypeVar("S", bound=Freezable)


class AtServer(Generic[S]):
    """A target at a server that may be killed and frozen.

    Attributes:
        server: that it is at.
    """

    server: S

    def start(self) -> None:
        self.server.start()

    def kill(self) -> None:
        self.server.kill()

    def freeze(self) -> None:
        self.server.freeze()

    def thaw(self) -> None:
        self.server.thaw()


class InFile:
    """A file that a sink writes."""

    def __init__(self, path: Path, disks: ExitStack) -> None:
        self.path = path
        self.disks = disks

    def options(self, **more: Any) -> dict[str, Any]:
        return {"path": str(self.path), **more}

    def missing(self) -> Trouble:
        folder = self.path.parent / "later"
        self.path = folder / self.path.name
        said = f"{self.path}: cannot be made: there is no folder {folder}; make it, or give another path"
        return Trouble(self.options(), folder.mkdir, said)

    def on_full_disk(self, size_mib: int, said: str, but: int = 0) -> Trouble:
        """Move it to a disk of this size that has room for `but` bytes."""
        disk = self.disks.enter_context(small_disk(self.path.parent / "disk", size_bytes=size_mib * 1024 * 1024))
        self.path = disk.path / self.path.name
        disk.fill(but=but)
        return Trouble(self.options(), disk.make_room, said)

    def places(self) -> Collection[str]:
        return {one.name for one in self.path.parent.iterdir()}
