"""What `doctor` finds in the data directory: its files, the ledger in it, and the disk under it."""

import os
import shutil
import stat
from collections.abc import Generator, Iterator
from pathlib import Path

from bigchaindb import belonging
from bigchaindb.config import Settings
from bigchaindb.doctor import sharing
from bigchaindb.doctor.finding import Finding, way_on
from bigchaindb.doctor.versions import examine_versions
from bigchaindb.engine.cometbft.files import Layout, is_network
from bigchaindb.errors import BigchainDBError, StartupError, StoreError
from bigchaindb.owners import refusal_to_make, user
from bigchaindb.serving.unix_socket import SOCKET_PATH_BYTES_MAX
from bigchaindb.store.access import complaints
from bigchaindb.store.beside import is_blank, read_node
from bigchaindb.store.damages import read_mark
from bigchaindb.store.directory import DataDirectory, require_folder
from bigchaindb.store.wal import require_whole


def examine_files(directory: DataDirectory, settings: Settings) -> Generator[Finding, None, bool]:
    """Examine the data directory; return whether this version can read both databases. A fault is one finding."""
    if not (yield from _directory(directory, settings)):
        return False
    other_version = list(examine_versions(directory))
    yield from other_version
    return not other_version and (yield from examine_tip(directory))


def _directory(directory: DataDirectory, settings: Settings) -> Generator[Finding, None, bool]:
    """Examine the folder and what it lies on; return whether it makes sense to read its databases."""
    path, is_readable = directory.path, True
    if (unusable := examine_path(path)) is not None:
        yield unusable
        return False
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    if not path.exists() and (found := refusal_to_make(path)) is not None:
        text, _, advice = found.partition("; ")
        yield Finding("data directory", "fix", f"{path} cannot be made: {text}", advice)
        return False
    if not path.exists():
        yield Finding("data directory", "note", f"{path} does not exist", "`bigchaindb init` or `start` makes it")
    else:
        of_files = list(examine_access_to_files(directory))
        yield from of_files
        is_readable = not any(map(_hides_a_database, of_files)) and (yield from _ledger(directory, settings))
    yield _socket_path(Layout(path).abci if is_network(path) else directory.control)
    yield _free_space(existing, settings.limits.disk_free_bytes_min)
    yield _file_system(existing)
    return is_readable


def examine_path(path: Path) -> Finding | None:
    """Examine whether the data directory is a folder, or can become one."""
    try:
        require_folder(path)
    except StartupError as error:
        text, _, advice = str(error).partition("; ")
        return Finding("data directory", "fix", text, advice)
    return None


def examine_access_to_files(directory: DataDirectory) -> Iterator[Finding]:
    """Examine whether this process may use the files of the data directory, and others may not."""
    path = directory.path
    found = list(complaints(directory))
    for complaint in found:
        text, _, advice = complaint.partition("; ")
        yield Finding("data directory", "fix", text, advice)
    if found:
        return
    about = path.stat()
    if about.st_uid != os.geteuid():
        text = f"{path} belongs to {user(about.st_uid)}, and {user(os.geteuid())} would leave own files in it"
        yield Finding("data directory", "fix", text, "run the node as that user")
    elif about.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mode = stat.S_IMODE(about.st_mode)
        yield Finding("data directory", "fix", f"{path} has mode {mode:04o} and holds keys", f"chmod 700 {path}")
    else:
        yield Finding("data directory", "ok", f"{path}, mode 0700")


def _hides_a_database(finding: Finding) -> bool:
    return finding.status == "fix" and any(name in finding.text for name in ("/ledger.db", "/node.db"))


def _ledger(directory: DataDirectory, settings: Settings) -> Generator[Finding, None, bool]:
    try:
        for database in (directory.ledger, directory.node):
            require_whole(database)
        text = belonging.complaint(settings)
    except StoreError as error:
        yield _unreadable(directory, error)
        return False
    except BigchainDBError as error:
        text = str(error)
    if text is None:
        return True
    yield Finding("ledger", "fix", text, "the node does not start before this is mended")
    return directory.has_ledger and not is_blank(directory)


def _unreadable(directory: DataDirectory, error: StoreError) -> Finding:
    return Finding("ledger", "fix", f"{directory.path}: {error}", way_on(error))


def _socket_path(path: Path) -> Finding:
    count = len(os.fsencode(path))
    if count <= SOCKET_PATH_BYTES_MAX:
        return Finding("socket path", "ok", f"{count} of {SOCKET_PATH_BYTES_MAX} bytes")
    text = f"{path} has {count} bytes, and the system allows {SOCKET_PATH_BYTES_MAX}"
    return Finding("socket path", "fix", text, "set database.path to a shorter path")


def _free_space(folder: Path, bytes_min: int) -> Finding:
    free = shutil.disk_usage(folder).free
    text = f"{free / 2**30:.1f} GiB free, {bytes_min / 2**30:.2f} needed (limits.disk_free_bytes_min)"
    if free < bytes_min:
        return Finding("disk", "fix", text, "make room: the node accepts no transactions")
    if free < 4 * bytes_min:
        return Finding("disk", "note", text, "make room before the node stops accepting transactions")
    return Finding("disk", "ok", text)


def _file_system(folder: Path) -> Finding:
    wrong = sharing.complaint(folder)
    if wrong is None:
        return Finding(
            "file system", "ok", f"two processes share memory and locks, {sharing.COMMIT_COUNT} commits seen"
        )
    advice = "set database.path to a directory on a local disk; network, 9p and virtiofs mounts are not fit"
    return Finding("file system", "fix", wrong, advice)


def examine_tip(directory: DataDirectory) -> Generator[Finding, None, bool]:
    """Examine the tip of the ledger, as a start does, and return whether it was read.

    `bigchaindb check` reads the whole ledger.
    """
    try:
        seen = read_node(directory)
    except StoreError as error:
        yield _unreadable(directory, error)
        return False
    if (mark := read_mark(directory.damage)) is not None:
        halts = "; no transaction is accepted" if mark.halts else ""
        text = f"{directory.ledger}: damage was found: {mark.damage}{halts}"
        advice = f"run `bigchaindb check`; restore a backup, or, if all is whole again, delete {directory.damage}"
        yield Finding("ledger", "fix", text, advice)
    elif seen is not None:
        text = f"{directory.ledger}: height {seen.tip.height}, position {seen.tip.position}"
        yield Finding("ledger", "ok", text)
    return True
