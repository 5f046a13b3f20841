"""Settings of access that are read again while the node runs: `bigchaindb access reload`."""

import asyncio
from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from bigchaindb.access.gate import Gate
from bigchaindb.access.rates import Rates
from bigchaindb.access.writers import Writers
from bigchaindb.config import Settings

FIXED: Final = ("access.origins", "access.proxies", "access.writers", "tls.ended_by_proxy", "metrics.access")
"""Settings that a node reads at its start alone; of the writers the file is read again."""


class Renewing:
    """Takes new rates, and reads the list of writers again. Belongs to the event loop."""

    def __init__(self, running: Settings, gate: Gate, writers: Writers | None) -> None:
        """Take what the node runs with; `writers` is None where everybody may write."""
        self._running = running
        self._gate = gate
        self._writers = writers

    async def __call__(self, settings: Settings) -> Sequence[str]:
        """Take settings that were read again; return a line for each thing that a person should know."""
        self._gate.rates = Rates(settings.access, settings.limits.bucket_count_max)
        lines = []
        if self._writers is not None:
            why = await asyncio.to_thread(self._writers.reload)
            lines.append(
                f"access.writers: read again, keys: {len(self._writers)}"
                if why is None
                else f"{why}; the former list stays in force, keys: {len(self._writers)}"
            )
        changed = [path for path in FIXED if attrgetter(path)(settings) != attrgetter(path)(self._running)]
        if (settings.tls.files is None) != (self._running.tls.files is None):
            changed.append("tls.certificate_file")
        return lines + [f"{path}: the change takes effect at the next start" for path in changed]
