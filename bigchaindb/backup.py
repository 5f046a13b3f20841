"""A backup: a whole copy of the data directory of a running or stopped node.

The lane pages are copied first, then node.db, then ledger.db: no cursor is ahead of the copied log. On a node of a
network CometBFT's blocks come last: blocks that the ledger lacks are given to it again, one that CometBFT lacked would
stop it. The copy gets its name at the end, when it is on the disk: one that was cut short is no backup.

Source: decision 0023; promises P2 and P8.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from bigchaindb.engine.cometbft.copying import copy_blocks, size_of
from bigchaindb.engine.cometbft.files import Layout, is_network
from bigchaindb.errors import DirectoryInUse, StoreError, StoreFull
from bigchaindb.files import PRIVATE, make_folder, sync
from bigchaindb.identity import CHAIN_ID_FILE, KEYPAIR_FILE, read_chain_id
from bigchaindb.store.backup import back_up_ledger, back_up_node
from bigchaindb.store.checking import check_copy
from bigchaindb.store.database import Progress
from bigchaindb.store.directory import MODE, DataDirectory, DirectoryLock
from bigchaindb.store.wal import require_whole
from bigchaindb.subscribers.lane_page import Word

COPY_BYTES: Final = 1024 * 1024
"""Bytes of a file that are in memory at once."""


class BackedUp(NamedTuple):
    """The content of a backup.

    Attributes:
        path: of the backup.
        chain: the id of its chain.
        height: of its last block.
        position: of its last event.
        size_bytes: of its files.
        has_key: whether the node's private key is in it.
        damages: of the ledger; if there are any, no backup was made.
    """

    path: Path
    chain: str
    height: int
    position: int
    size_bytes: int
    has_key: bool
    damages: Sequence[str] = ()


class _Damaged(Exception):
    pass


def back_up(directory: DataDirectory, target: Path, *, with_key: bool, progress: Progress) -> BackedUp:
    """Copy a data directory; durable when this returns.

    Args:
        directory: of a node, which may run in another process.
        target: a directory to make, with its parents; it may exist if it is empty.
        with_key: whether to copy `keypair.json`, if there is one.
        progress: is called with the number of copied pages of the ledger.

    Raises:
        StoreError: there is no ledger, or `target` cannot hold a backup; StoreFull if it is too small.
        StartupError: the directory's chain id cannot be read.
        OSError: a file cannot be copied.
    """
    if not directory.ledger.exists():
        raise StoreError(
            f"there is no ledger in {str(directory.path)!r} (database.path): name a node's configuration with -c"
        )
    _check_target(target, directory)
    chain = read_chain_id(directory.path)
    make_folder(target.resolve().parent)
    damages: Sequence[str] = ()
    with suppress(_Damaged), _named_at_end(target.resolve()) as copy:
        with _left_alone(directory):
            _copy_pages(directory.lanes, copy.lanes)
            back_up_node(directory.node, copy.node)
            tip = back_up_ledger(directory.ledger, copy.ledger, progress)
            copy_new(directory.path / CHAIN_ID_FILE, copy.path / CHAIN_ID_FILE)
            if is_network(directory.path):
                copy_blocks(Layout(directory.path), Layout(copy.path))
            has_key = with_key and (directory.path / KEYPAIR_FILE).exists()
            if has_key:
                copy_new(directory.path / KEYPAIR_FILE, copy.path / KEYPAIR_FILE)
        size_bytes = sum(file.stat().st_size for file in copy.path.rglob("*") if file.is_file())
        _, damages = check_copy(copy, chain, lambda _done, _total: None)
        if damages:
            raise _Damaged
    return BackedUp(target, chain, tip.height, tip.position, size_bytes, has_key, damages)


def _check_target(target: Path, directory: DataDirectory) -> None:
    place = target.resolve()  # follows links, and `.`
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StoreError(f"{str(target)!r} exists and is not empty: name a new directory")
    if place.is_mount():
        raise StoreError(f"{str(target)!r} is a mount point: name a directory in it")
    folder = next(folder for folder in place.parents if folder.exists())
    if not folder.is_dir():
        raise StoreError(f"{str(target)!r}: {str(folder)!r} is not a directory: name another one")
    if place.is_relative_to(directory.path.resolve()):
        raise StoreError(
            f"{str(target)!r} is in the data directory, with which it would be lost: name a directory elsewhere"
        )
    needed = sum(file.stat().st_size for file in (directory.ledger, directory.node))
    if is_network(directory.path):
        needed += size_of(Layout(directory.path))
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StoreFull(f"{str(target)!r}: {free} bytes are free there, and the copy takes about {needed}: make room")


@contextmanager
def _named_at_end(target: Path) -> Iterator[DataDirectory]:
    """Yield a directory that becomes `target` once all of it is on the disk; after an error it is deleted."""
    partial = target.with_name(f"{target.name}.partial")
    try:
        partial.mkdir(MODE)
    except FileExistsError as error:
        text = "of a backup that was cut short or is being made"
        raise StoreError(f"{str(partial)!r} exists, {text}; delete it unless a backup runs") from error
    try:
        yield DataDirectory(partial)
        for path in (*partial.rglob("*"), partial):
            sync(path)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    sync(target.parent)


@contextmanager
def _left_alone(directory: DataDirectory) -> Iterator[None]:
    """Keep a stopped node from starting meanwhile; a running one goes on."""
    try:
        lock = DirectoryLock(directory)
    except DirectoryInUse:
        yield
        return
    try:
        for database in (directory.ledger, directory.node):
            require_whole(database)
        # A crash may have left blocks that never reached the disk: the copy must not have more than the ledger (P4).
        with suppress(FileNotFoundError):
            sync(directory.ledger.with_name(f"{directory.ledger.name}-wal"))
        yield
    finally:
        lock.close()


def _copy_pages(lanes: Path, target: Path) -> None:
    """Copy the lane pages as after a restart of the machine: hosts are writing, so only the cursor counts."""
    target.mkdir(MODE)
    for page in lanes.glob("*"):
        if not page.suffix[1:].isdecimal():  # a page that is being made
            continue
        with suppress(FileNotFoundError):  # the page of an ended epoch
            words = memoryview(bytearray(page.read_bytes())).cast("Q")
            words[Word.BOOT] = words[Word.CHECK] = 0  # some words may be of before, and some of after a store
            (target / page.name).write_bytes(words)


def copy_new(source: Path, target: Path) -> None:
    """Copy a file to a new one that only its owner may read."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
    with os.fdopen(descriptor, "wb") as file, source.open("rb") as original:
        shutil.copyfileobj(original, file, COPY_BYTES)
