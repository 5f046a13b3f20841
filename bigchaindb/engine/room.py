"""The room on the ledger's disk: warns long before there is none, and tells when too little is left to go on.

The log lives as long as the ledger (P7), so a disk that nobody watches fills up for certain. Nothing here deletes.
"""

import logging
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from bigchaindb.config import Limits
from bigchaindb.errors import StoreFull

MEASURE_S: Final = 1.0
"""Time between two measurements."""
RATE_COUNT: Final = 600
"""Measurements over which rates are computed: ten minutes even out the resets of the write-ahead log."""
AGAIN: Final = 9 / 8
"""Free bytes over the warning's limit, as a factor, from which it is withdrawn: not at each swing around it."""

_log: Final = logging.getLogger(__name__)


class Usage(NamedTuple):
    """One measurement of the disk.

    Attributes:
        free_bytes: what this user may still write.
        ledger_bytes: of the ledger's files, its write-ahead log included.
    """

    free_bytes: int
    ledger_bytes: int


def usage_of(ledger: Path) -> Usage:
    """Measure the disk of the ledger's file without opening it."""
    about = os.statvfs(ledger.parent)
    files = (ledger, ledger.with_name(f"{ledger.name}-wal"))
    return Usage(about.f_bavail * about.f_frsize, sum(file.stat().st_size for file in files if file.exists()))


class Room:
    """The room left on the disk, as last measured. Belongs to the event loop."""

    def __init__(self, read_usage: Callable[[], Usage], limits: Limits, clock: Callable[[], float]) -> None:
        """Measure nothing before the first call.

        Args:
            read_usage: measures the disk.
            limits: of free bytes.
            clock: monotonic, in seconds.
        """
        self._read_usage = read_usage
        self._least, self._few = limits.disk_free_bytes_min, limits.disk_free_bytes_warn
        self._clock = clock
        self._measured: deque[tuple[float, Usage]] = deque(maxlen=RATE_COUNT)
        self._warn_below = self._few
        self._warned = False

    def measure(self) -> None:
        """Measure the disk, and log what an operator should know."""
        usage = self._read_usage()
        self._measured.append((self._clock(), usage))
        free = usage.free_bytes
        if free < self._warn_below:
            self._warned, self._warn_below = True, free // 2
            _log.warning("the disk of the ledger is filling up", extra=self._outlook())
        elif self._warned and free >= self._few * AGAIN:
            self._warned, self._warn_below = False, self._few
            _log.info("the disk of the ledger has room again", extra={"free_bytes": free})
        elif self._warned:  # somebody made a little room: again at the half of that
            self._warn_below = max(self._warn_below, free // 2)

    def shortage(self, least: int | None = None) -> StoreFull | None:
        """Whether the disk is nearly full: what is left is for a stop to commit what was accepted.

        Args:
            least: free bytes that are enough, where that is less than `limits.disk_free_bytes_min`.
        """
        if not self._measured or self._clock() - self._measured[-1][0] >= MEASURE_S:
            self.measure()
        free = self._measured[-1][1].free_bytes
        if free >= (self._least if least is None else min(least, self._least)):
            return None
        return StoreFull(f"{free} bytes are free, limits.disk_free_bytes_min is {self._least}")

    def _outlook(self) -> dict[str, object]:
        (begin_s, before), (now_s, now) = self._measured[0], self._measured[-1]
        fields: dict[str, object] = {"free_bytes": now.free_bytes, "ledger_bytes": now.ledger_bytes}
        passed_s, used = now_s - begin_s, before.free_bytes - now.free_bytes
        if passed_s > 0:
            fields["ledger_bytes_per_s"] = round((now.ledger_bytes - before.ledger_bytes) / passed_s)
            if used > 0:
                left_s = max(0, now.free_bytes - self._least) * passed_s / used
                fields["hours_left"] = round(left_s / 3600, 1)
        return fields
