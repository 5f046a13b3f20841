"""The disk under lane pages and node.db: it fails for a while, and forgets with the power what was not synced."""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, Final

import pytest

from bigchaindb.errors import StoreFull
from bigchaindb.store.node_db import NodeDb
from bigchaindb.subscribers import advice, answers, gate, lane_files, lane_page, queue, reading, window
from tests.simulation.delivery.virtual_time import Agenda, NodeDies

SECTOR_BYTES: Final = 512
MEND_S: Final = 4.0
"""Time after a failure in which what could not be written is written."""


class Disk:
    """Stands for the module `os` in `lane_page`: what is synced goes through here."""

    def __init__(self, agenda: Agenda, draw: Random) -> None:
        self._agenda = agenda
        self._draw = draw
        self._durable: dict[int, bytes] = {}
        self._keeps_synced_alone = False
        self.boot = 1
        self.is_full = self.fails_to_sync = False
        self.dies_in: int | None = None
        self._was_well_s = self._mended_s = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def fdatasync(self, fd: int) -> None:
        self.reach()
        if self.fails_to_sync:
            raise OSError(errno.EIO, "the disk does not answer")
        self._durable[os.fstat(fd).st_ino] = Path(f"/proc/self/fd/{fd}").read_bytes()

    def fsync(self, fd: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{fd}"):  # noqa: PTH112 - a descriptor
            self.reach()
        else:
            self.fdatasync(fd)

    def reach(self) -> None:
        """A moment between two effects, at which the node may die."""
        if self.dies_in is not None:
            self.dies_in -= 1
            if self.dies_in < 0:
                raise NodeDies

    @property
    def is_well(self) -> bool:
        return not (self.is_full or self.fails_to_sync)

    def fail(self, *, is_full: bool, fails_to_sync: bool) -> None:
        """Begin to fail, or work again."""
        if self.is_well:
            self._was_well_s = self.worked_s
        self.is_full, self.fails_to_sync = is_full, fails_to_sync
        self._mended_s = self._agenda.elapsed_s

    @property
    def worked_s(self) -> float:
        """When it was last known to write down whatever it was given."""
        is_known = self.is_well and self._agenda.elapsed_s - self._mended_s > MEND_S
        return self._agenda.elapsed_s if is_known else self._was_well_s

    def cut_power_to_what_was_synced(self) -> None:
        """Leave nothing else at the next power cut."""
        self._keeps_synced_alone = True

    def cut_power(self, lanes: Path) -> None:
        """Leave of each page, sector by sector, what was synced or what stood there when the power failed."""
        self.boot += 1
        for path in sorted(lanes.iterdir()):
            now = path.read_bytes()
            synced = self._durable.get(path.stat().st_ino)
            if synced is None or len(synced) != len(now):
                continue
            both = (synced, now)
            sectors = [
                (synced if self._keeps_synced_alone else self._draw.choice(both))[at : at + SECTOR_BYTES]
                for at in range(0, len(now), SECTOR_BYTES)
            ]
            path.write_bytes(b"".join(sectors))


class UnreliableNodeDb(NodeDb):
    """node.db on that disk. Reports what is parked after each commit."""

    def __init__(self, path: Path, disk: Disk, on_commit: Callable[[sqlite3.Connection], None]) -> None:
        super().__init__(path)
        self._disk = disk
        self._on_commit = on_commit

    @contextmanager
    def batch(self, bytes_count: int = 0) -> Iterator[sqlite3.Connection]:
        self._disk.reach()
        if self._disk.is_full:
            raise StoreFull("node.db: no room on the disk; nothing was written")
        with super().batch(bytes_count) as connection:
            yield connection
            self._disk.reach()
        self._on_commit(self._connection)
        self._disk.reach()


def read_parked(connection: sqlite3.Connection) -> list[tuple[str, int, int | None]]:
    """Return lane, position, and the epoch from which it comes again, of all that is set aside."""
    found = "SELECT lane, position, returns_in FROM troubles WHERE parked_at IS NOT NULL ORDER BY lane, position"
    return connection.execute(found).fetchall()


def read_cursors(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    return connection.execute("SELECT name, acked FROM lanes ORDER BY name").fetchall()


def copy_ledger(source: Path, target: Path) -> None:
    """Copy the ledger as `bigchaindb backup` does, or bring such a copy back; nobody has the target open."""
    for suffix in ("", "-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def put_in_force(patch: pytest.MonkeyPatch, agenda: Agenda, disk: Disk) -> None:
    """Put the clocks of an agenda and a disk under the code under test."""
    for module in (advice, answers, gate, queue, window):
        patch.setattr(module, "monotonic", agenda.monotonic)
    for module in (reading, window):
        patch.setattr(module, "monotonic_ns", agenda.monotonic_ns)
    patch.setattr(lane_files, "time", SimpleNamespace(time=agenda.now))
    patch.setattr(lane_page, "os", disk)
    patch.setattr(lane_page, "_boot", lambda: disk.boot)
