"""Whether this process may use the files of a data directory: one that another user made is found before a start."""

from collections.abc import Iterator
from pathlib import Path

from bigchaindb.owners import refusal
from bigchaindb.store.directory import DataDirectory


def complaints(directory: DataDirectory) -> Iterator[str]:
    """Return for each file of the node's own that it may not use why, and what to do."""
    if (found := refusal(directory.path)) is not None:
        yield found
        return
    for path in _files(directory):
        if (found := _of_another_kind(path, is_folder=path == directory.lanes)) is not None:
            yield found
            continue
        # A key may be mounted for reading alone.
        is_written = path.parent == directory.lanes or ".db" in path.name or path == directory.lock
        if (found := refusal(path, is_written=is_written)) is not None:
            yield found


def _of_another_kind(path: Path, *, is_folder: bool) -> str | None:
    """Return what is wrong with something that is neither a file nor, where one is wanted, a folder; None: nothing."""
    if path.is_symlink() and not path.exists():
        return f"`{path}` is a link to `{path.readlink()}`, which is not there; put that back, or delete the link"
    if not path.exists() or path.is_dir() == is_folder:
        return None
    if is_folder:
        return f"`{path}` is no folder, and the node keeps its lane pages in one; move it away"
    return f"`{path}` is a folder, and the node keeps a file there; move it away"


def _files(directory: DataDirectory) -> Iterator[Path]:
    """Return what the node itself made; what else lies there is none of its business."""
    yield from (directory.path / name for name in ("keypair.json", "chain_id"))
    yield directory.lock
    for database in (directory.ledger, directory.node):
        yield from (database.with_name(f"{database.name}{ending}") for ending in ("", "-wal", "-shm"))
    yield directory.lanes
    if refusal(directory.lanes) is None and directory.lanes.is_dir():
        yield from sorted(path for path in directory.lanes.iterdir() if path.is_file() or path.suffix[1:].isdecimal())
