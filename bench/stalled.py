"""A plugin hangs while 1,000,000 events go by: its memory and the node's stay what they were (P10, S1)."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.measure import Scale
from bench.processes import Process, python
from bench.report import Figure, at_most

EVENT_COUNT: Final = 1_000_000
GROWTH_MB_MOST: Final = 8.0
"""A few megabytes: a byte kept for each event would be one, an object kept for each would be a hundred."""
MEMORY: Final = Path("/dev/shm")
"""A file system in memory: how fast a disk is has no part in this, and 1,000,000 commits to one take hours."""
BYTES_AT_FIRST, EVENT_BYTES = 1_000_000_000, 2_000
"""Room for what is there before, and for an event; indexes and write-ahead log included."""
RUN_S_MAX: Final = 3_600.0


def run(scale: Scale) -> list[Figure]:
    """Pass the events by in a process of its own; compare its memory after a tenth with that after all of them."""
    count = scale.count(EVENT_COUNT)
    result = scale.folder / "stalled.json"
    with _fast_folder(scale, BYTES_AT_FIRST + count * EVENT_BYTES) as folder:
        command = python("bench.stalled_node", str(folder), str(count), str(result))
        with Process(command, log=scale.folder / "stalled.log") as node:
            node.wait_until(result.exists, within_s=RUN_S_MAX)
    marks = json.loads(result.read_bytes())
    first, last = marks[0], marks[-1]
    return [
        figure
        for who in ("node", "plugin")
        for figure in (
            Figure(
                what=f"memory of the {who} after {last['events']:,} events, of which the plugin took 1",
                value=last[f"{who}_mb"],
                unit="MB",
                peer=first[f"{who}_mb"],
                peer_name=f"MB after {first['events']:,}",
            ),
            Figure(
                what=f"growth of the {who} between the two, the most at any tenth",
                value=max(mark[f"{who}_mb"] for mark in marks) - first[f"{who}_mb"],
                unit="MB",
                limit=at_most(GROWTH_MB_MOST),
            ),
        )
    ]


@contextmanager
def _fast_folder(scale: Scale, bytes_needed: int) -> Iterator[Path]:
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > bytes_needed
    with tempfile.TemporaryDirectory(prefix="bench-", dir=MEMORY if has_room else scale.folder) as folder:
        yield Path(folder)
