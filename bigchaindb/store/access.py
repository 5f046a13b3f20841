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
        # A key may be mounted for reading alone.
        is_written = path.parent == directory.lanes or ".db" in path.name or path == directory.lock
        if (found := refusal(path, is_written=is_written)) is not None:
            yield found


def _files(directory: DataDirectory) -> Iterator[Path]:
    """Return what the node itself made; what else lies there is none of its business."""
    yield from (directory.path / name for name in ("keypair.json", "chain_id"))
    yield directory.lock
    for database in (directory.ledger, directory.node):
        yield from (database.with_name(f"{database.name}{ending}") for ending in ("", "-wal", "-shm"))
    yield directory.lanes
    if refusal(directory.lanes) is None and directory.lanes.is_dir():
        yield from sorted(directory.lanes.iterdir())
