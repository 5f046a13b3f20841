"""Durable writes: content is on the disk before it has its name, and both are when a call returns.

And what shows that a file has changed. What the files hold is no matter of this module.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

PRIVATE: Final = 0o600
"""Mode of a file that only its owner may read."""


class Stamp(NamedTuple):
    """What changes with a file: its time, its size and the file itself; links are followed."""

    changed_ns: int
    size: int
    inode: int


def stamp(path: Path) -> Stamp | None:
    """Return the present stamp of a file; None if it cannot be found."""
    try:
        about = path.stat()
    except OSError:
        return None
    return Stamp(about.st_mtime_ns, about.st_size, about.st_ino)


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Delete a file, or a folder with everything in it; of a link, the link. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def make_folder(folder: Path) -> None:
    """Make a folder and those above it durably, where they do not exist. Raises OSError."""
    for path in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        path.mkdir(exist_ok=True)
        sync(path.parent)


@contextmanager
def replacing(path: Path, mode: int = PRIVATE, *, is_new: bool = False) -> Iterator[BinaryIO]:
    """Yield a file that gets the name `path` at the end of the block; after an error nothing has changed.

    Until then it is `PATH.bigchaindb-new`, of which there is one: two processes must not write one path at a time.

    Args:
        path: of the file.
        mode: of a new file, less the umask.
        is_new: whether to refuse to replace a file.

    Raises:
        FileExistsError: `is_new`, and there is such a file.
        OSError: it cannot be written.
    """
    aside = path.with_name(f"{path.name}.bigchaindb-new")  # a name that nobody gives to a file of their own
    aside.unlink(missing_ok=True)  # of a process that died
    try:
        # O_EXCL: in a folder that others may write to, this could be a link or a file of theirs.
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            os.link(aside, path)  # unlike a rename it never replaces
        else:
            aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    sync(path.parent)


def write(path: Path, content: bytes, *, is_new: bool = False) -> None:
    """Write a file that only its owner may read, whole or not at all, durable when this returns.

    Args:
        path: of the file.
        content: all of it.
        is_new: whether to refuse to replace a file.

    Raises:
        FileExistsError: `is_new`, and there is such a file.
        OSError: it cannot be written.
    """
    with replacing(path, is_new=is_new) as file:
        file.write(content)
