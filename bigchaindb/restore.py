"""A restore: replaces a data directory by a backup, whole or not at all, and keeps the old data.

The backup is copied beside the data directory and checked there, so that the checked copy is the one put in place. Then
the two folders exchange their names in one step of the file system: a killed process leaves the old data or the new.

Source: docs/decisions/0043; docs/decisions/0037 for the files of a network.
"""

import ctypes
import errno
import os
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from bigchaindb.backup import copy_new
from bigchaindb.config import Settings
from bigchaindb.engine.cometbft.copying import DATABASES
from bigchaindb.engine.cometbft.files import Layout, is_network
from bigchaindb.errors import BigchainDBError, StoreError, StoreFull
from bigchaindb.files import PRIVATE, make_folder, sync
from bigchaindb.identity import CHAIN_ID_FILE, KEYPAIR_FILE, read_chain_id
from bigchaindb.key_files import read_keypair
from bigchaindb.store.backup import has_access_keys
from bigchaindb.store.checking import check_copy
from bigchaindb.store.database import Progress
from bigchaindb.store.directory import MODE, DataDirectory, DirectoryLock
from bigchaindb.transaction.keys import KeyPair

STAGING: Final = "restoring"
"""Suffix of the folder in which the copy is made, beside the data directory."""
UNFINISHED: Final = "unfinished"
"""A file in that folder while the copy is not whole: all beside it may be deleted."""
HELD: Final = (
    "Access keys are held, as one may have been revoked after the backup: revoke what may not be used, then run "
    "`bigchaindb access key list --confirm`."
)
PARTS: Final = (CHAIN_ID_FILE, "ledger.db", "node.db")
"""Files of every backup."""

_AT_FDCWD: Final = -100
_RENAME_NOREPLACE: Final = 1
_RENAME_EXCHANGE: Final = 2


class Restored(NamedTuple):
    """The outcome of a restore.

    Attributes:
        path: of the data directory.
        kept: where the old data are now; None if there were none.
        chain: the id of the chain.
        height: of the last block.
        position: of the last event.
        notes: for the operator, about key and signatures.
        damages: of the backup; if there are any, nothing was changed.
    """

    path: Path
    kept: Path | None
    chain: str
    height: int
    position: int
    notes: Sequence[str]
    damages: Sequence[str] = ()


def restore(source: Path, settings: Settings, progress: Progress) -> Restored:
    """Replace the node's data by a backup; durable when this returns.

    Args:
        source: made by `bigchaindb backup`; only read.
        settings: of the node; `database.path` is replaced.
        progress: is called with the progress of the check.

    Raises:
        DirectoryInUse: the node runs.
        StoreError: `source` is no backup, or cannot be restored there; StoreFull if there is no room.
        StartupError: a small file cannot be read, or has another content.
        OSError: a file cannot be copied.
    """
    source, place = source.resolve(), settings.database.path.resolve()
    _require_backup(source)
    _require_place(place, source)
    make_folder(place.parent)
    with ExitStack() as locks:
        if place.exists():
            locks.enter_context(closing(DirectoryLock(DataDirectory(place))))
        with _staged(place) as copy:
            _copy(source, copy)
            notes = _take_over(DataDirectory(place), copy, settings)
            for path in (*copy.path.rglob("*"), copy.path):
                sync(path)
            chain_id = read_chain_id(copy.path)
            checked, damages = check_copy(copy, chain_id, progress)
            about = (chain_id, checked.height, checked.position, notes)
            if damages:
                return Restored(place, None, *about, damages)
            if has_access_keys(copy.node):
                notes.append(HELD)
            locks.enter_context(closing(DirectoryLock(copy)))  # no node starts before all is in its place
            return Restored(place, _put(copy.path, place), *about)


def _require_backup(source: Path) -> None:
    """Require that the files of a folder are those of a backup, by their names."""
    wrong = next((name for name in PARTS if not (source / name).is_file()), None)
    if wrong is not None:
        raise StoreError(
            f"{str(source)!r} is not a backup, as it has no {wrong}: name a folder that `bigchaindb backup` made"
        )
    wal = source / "ledger.db-wal"
    if (source / "lock").exists() or (wal.exists() and wal.stat().st_size):
        raise StoreError(
            f"{str(source)!r} is not a backup but a node's data directory, whose latest writes may be in memory or in "
            "its write-ahead log: make a backup of it with `bigchaindb backup`, or set database.path to it"
        )


def _require_place(place: Path, source: Path) -> None:
    if place.is_mount():
        raise StoreError(
            f"database.path: {str(place)!r} is a mount point, which cannot be exchanged for another folder: set it to "
            "a folder in it, or copy by hand as in docs/how-to/back-up.md"
        )
    if place.exists() and not place.is_dir():
        raise StoreError(f"database.path: {str(place)!r} is not a directory")
    if source.is_relative_to(place) or place.is_relative_to(source):
        raise StoreError(
            f"{str(source)!r} and database.path {str(place)!r} lie one in the other: move the backup elsewhere"
        )
    folder = next(folder for folder in place.parents if folder.exists())
    needed = sum(file.stat().st_size for file in source.rglob("*") if file.is_file())
    if (free := shutil.disk_usage(folder).free) < needed:
        raise StoreFull(f"{str(folder)!r}: {free} bytes are free there, and the copy takes about {needed}: make room")


@contextmanager
def _staged(place: Path) -> Iterator[DataDirectory]:
    """Yield an empty directory beside `place`; it is deleted at the end unless it is whole."""
    staging = place.with_name(f"{place.name}.{STAGING}")
    _clear(staging, place)
    staging.mkdir(MODE)
    (staging / UNFINISHED).touch(PRIVATE)
    sync(staging)
    copy = DataDirectory(staging / "data")
    copy.path.mkdir(MODE)
    try:
        yield copy
    finally:
        _clear(staging, place)


def _clear(staging: Path, place: Path) -> None:
    """Delete a copy that is not whole, also of a killed process; any other folder is renamed and kept."""
    if not staging.exists():
        return
    data = staging / "data"
    if not (staging / UNFINISHED).exists() and data.exists():
        data.rename(_free_name(place))
        sync(place.parent)
    shutil.rmtree(staging)


def _copy(source: Path, copy: DataDirectory) -> None:
    """Copy the files that belong to a backup, and no others, for the owner alone."""
    names = [Path(name) for name in (*PARTS, KEYPAIR_FILE) if (source / name).exists()]
    layout = Layout(source)
    folders = [source / copy.lanes.name, *(layout.blocks / database for database in DATABASES)]
    names += [file.relative_to(source) for folder in folders for file in sorted(folder.glob("*"))]
    if is_network(source):
        names.append(layout.genesis.relative_to(source))
    copy.lanes.mkdir(MODE)
    for name in names:
        if not stat.S_ISREG((source / name).lstat().st_mode):
            raise StoreError(
                f"{str(source / name)!r} is not a regular file, so this is not a backup: name another folder"
            )
        _make_private(copy.path, name.parent)
        copy_new(source / name, copy.path / name)


def _make_private(folder: Path, below: Path) -> None:
    for part in below.parts:
        folder /= part
        folder.mkdir(MODE, exist_ok=True)


def _take_over(old: DataDirectory, copy: DataDirectory, settings: Settings) -> list[str]:
    """Bring what no backup holds from the data that are there: the key, and what it has signed (decision 0037)."""
    notes: list[str] = []
    before, after = _public_key(old, settings), _public_key(copy, settings)
    if after is None and before is not None:
        copy_new(old.path / KEYPAIR_FILE, copy.path / KEYPAIR_FILE)
        after = before
        notes.append("The backup holds no key pair: that of the old data was taken over.")
    elif after is None:
        notes.append(
            "There is no key pair in the backup or the old data: put keypair.json in place, or set keypair.private."
        )
    elif before is not None and before != after:
        notes.append(f"The public key has changed from {before} to {after}.")
    if is_network(copy.path):
        signed, target = Layout(old.path).validator_state, Layout(copy.path).validator_state
        if signed.exists() and before == after and _chain(old) == read_chain_id(copy.path):
            _make_private(copy.path, target.parent.relative_to(copy.path))
            copy_new(signed, target)
            notes.append("The record of what this node's key has signed was taken over from the old data.")
        else:
            notes.append(
                "There is no record of what this node's key has signed, so a validator does not start. Make sure that "
                "the old node runs nowhere, then run `bigchaindb network signed HEIGHT` (docs/how-to/back-up.md)."
            )
    return notes


def _public_key(directory: DataDirectory, settings: Settings) -> str | None:
    """Return the public key that a node with these data signs with, None if there is no readable one."""
    if settings.keypair.private is not None:
        return KeyPair.from_private_key(settings.keypair.private).public_key
    with suppress(BigchainDBError):
        return read_keypair(directory.path / KEYPAIR_FILE).public_key
    return None


def _chain(directory: DataDirectory) -> str | None:
    with suppress(BigchainDBError):
        return read_chain_id(directory.path)
    return None


def _put(copy: Path, place: Path) -> Path | None:
    """Put the whole copy in its place in one step; return where the old data are now."""
    (copy.parent / UNFINISHED).unlink()
    sync(copy.parent)
    was_there = place.exists()
    try:
        _rename(copy, place, _RENAME_EXCHANGE if was_there else _RENAME_NOREPLACE)
    except BaseException:
        (copy.parent / UNFINISHED).touch(PRIVATE)
        raise
    sync(copy.parent)
    sync(place.parent)
    if not was_there:
        return None
    kept = _free_name(place)
    copy.rename(kept)
    sync(place.parent)
    return kept


def _free_name(place: Path) -> Path:
    name = f"{place.name}.before-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}"
    names = (place.with_name(f"{name}{suffix}") for suffix in ("", *(f"-{n}" for n in range(1, 1000))))
    return next(path for path in names if not path.exists())


def _rename(source: Path, target: Path, flags: int) -> None:
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    number = errno.ENOSYS
    if renameat2 is not None:
        if not renameat2(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), flags):
            return
        number = ctypes.get_errno()
    if number in {errno.ENOSYS, errno.EINVAL}:
        raise StoreError(
            f"{str(target.parent)!r}: this system cannot exchange two folders in one step; copy by hand as in "
            "docs/how-to/back-up.md"
        )
    raise OSError(number, os.strerror(number), os.fspath(target))
