"""A copy of CometBFT's blocks and state as of one moment, made by another process while CometBFT goes on.

Its databases are LevelDB's: files that are written once, and a few that only grow. All of them are opened, and listed
before and after: where no name has changed and nothing has grown, the open files are one state of all databases
together, however long the copy then takes and whatever is deleted meanwhile. CometBFT writes some dozen times a second;
a listing takes a millisecond.

The signer's state is never copied: an older one lets a validator sign twice. Keys and settings are written anew at each
start, and the consensus round of the copy is over.

Source: https://github.com/google/leveldb/blob/main/doc/impl.md.
"""

import os
import resource
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from bigchaindb.engine.cometbft.files import Layout, make_folders
from bigchaindb.errors import StoreError

DATABASES: Final = ("blockstore.db", "state.db", "evidence.db")
TRY_COUNT_MAX: Final = 500
TRY_S: Final = 0.01
"""Time between two tries: together five seconds, in which CometBFT pauses many times."""

_UNUSED: Final = frozenset({"LOCK", "LOG", "LOG.old"})
_ONCE: Final = ".ldb"
"""Of a file that is written once; until it is whole, nothing refers to it."""
_MODE: Final = 0o600


def copy_blocks(source: Layout, target: Layout) -> None:
    """Copy genesis, blocks and state; those that do not exist yet are left out.

    Args:
        source: of a node that runs or is stopped.
        target: of a data directory that holds nothing of CometBFT's.

    Raises:
        StoreError: CometBFT never paused.
        OSError: a file cannot be copied, or so many cannot be open at once.
    """
    make_folders(target)
    shutil.copyfile(source.genesis, target.genesis)
    target.genesis.chmod(_MODE)
    with _opened(source.blocks) as files:
        for name, (descriptor, size) in files.items():
            path = target.blocks / name
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _copy(descriptor, path, size)


def size_of(layout: Layout) -> int:
    """Return about how many bytes a copy takes."""
    return sum(size for size, _ in _seen(layout.blocks).values())


@contextmanager
def _opened(folder: Path) -> Iterator[Mapping[str, tuple[int, int]]]:
    """Open files that together are one state; yield descriptor and size of each by name."""
    _allow_files()
    for _ in range(TRY_COUNT_MAX):
        with ExitStack() as stack, suppress(FileNotFoundError):  # deleted between two lines: the next try
            before = _seen(folder)
            files = {name: (_open(folder / name, stack), size) for name, (size, _) in before.items()}
            if _growing(_seen(folder)) == _growing(before):
                opened = stack.pop_all()
                break
        time.sleep(TRY_S)
    else:
        raise StoreError(f"{str(folder)!r}: CometBFT wrote without a pause; try again, or stop the node first")
    with opened:
        yield files


def _open(path: Path, stack: ExitStack) -> int:
    descriptor = os.open(path, os.O_RDONLY)
    stack.callback(os.close, descriptor)
    return descriptor


def _seen(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and inode of each file that matters, by its name below the folder."""
    found = {}
    for database in DATABASES:
        if (folder / database).is_dir():
            for entry in os.scandir(folder / database):
                if entry.name not in _UNUSED:
                    about = entry.stat()
                    found[f"{database}/{entry.name}"] = (about.st_size, about.st_ino)
    return found


def _growing(seen: Mapping[str, tuple[int, int]]) -> Mapping[str, tuple[int, int]]:
    """Leave out sizes that do not distinguish two states: of files to which nothing refers before they are complete."""
    return {name: (0 if name.endswith(_ONCE) else size, inode) for name, (size, inode) in seen.items()}


def _copy(descriptor: int, path: Path, size: int) -> None:
    """Copy the first bytes of an open file: bytes appended since then belong to a later state."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb") as file:
        position = 0
        while position < size:
            count = os.sendfile(file.fileno(), descriptor, position, size - position)
            if not count:
                raise StoreError(f"{path.name}: it has become shorter while it was copied")
            position += count


def _allow_files() -> None:
    """Raise the limit of open files to the maximum: a database has one for each two megabytes."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
