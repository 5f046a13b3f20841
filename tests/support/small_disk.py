"""A real file system that is small, and something on it that fills it up."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import services


@dataclass(frozen=True)
class SmallDisk:
    """A mounted file system of some megabytes; whatever takes room on it besides the node is the ballast."""

    path: Path

    @property
    def free_bytes(self) -> int:
        about = os.statvfs(self.path)
        return about.f_bavail * about.f_frsize

    def fill(self, *, but: int = 0) -> None:
        """Take all room but so many bytes, from under whoever writes at the same time."""
        with (self.path / "ballast").open("ab", buffering=0) as ballast:
            while (free := self.free_bytes - but) > 0:
                try:
                    ballast.write(bytes(min(free, 1 << 20)))
                except OSError:
                    continue  # somebody else took it

    def make_room(self) -> None:
        """Free the room that `fill` took."""
        (self.path / "ballast").unlink()


@contextmanager
def small_disk(path: Path, *, size_bytes: int) -> Iterator[SmallDisk]:
    """Mount one at `path`; only root may, and no container without the right to mount."""
    services.require_root("file systems of a test")
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=0700", "tmpfs", path], check=True)
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)
