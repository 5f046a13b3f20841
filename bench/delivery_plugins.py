"""The plugins that benchmarks of delivery run: one notes when it has each event, one reads, two are bad."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bigchaindb.events import EventQueue


class Stamping:
    """Notes for each event the moment at which it has its content."""

    def __init__(self) -> None:
        self._options: dict[str, Any] = {}

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take `count`, how many events to note; `read`, `data` or `body`; `result`, the file to write."""
        self._options.update(options)

    def run(self, queue: EventQueue) -> None:
        """Take events; the moments stay in memory until all are there."""
        read, result = self._options["read"], Path(self._options["result"])
        stamps = {}
        for _ in range(self._options["count"]):
            event = queue.get()
            assert event.data if read == "data" else event.body
            stamps[event.position] = time.monotonic()
        result.with_suffix(".new").write_text(json.dumps(stamps))
        result.with_suffix(".new").rename(result)
        while True:
            queue.get()


class Reading:
    """Takes every event as a dict, as plugins of 2017 do."""

    def run(self, queue: EventQueue) -> None:
        """Take events until the queue ends."""
        for event in queue:
            assert event.data


class Hanging:
    """Takes one event and never comes back."""

    def run(self, queue: EventQueue) -> None:
        """Take one."""
        queue.get()
        while True:
            time.sleep(3600)


class Crashing:
    """Its process dies with every event, without a word, as out of memory."""

    def run(self, queue: EventQueue) -> None:
        """Take one and die."""
        queue.get()
        os._exit(1)


stamping, reading, hanging, crashing = Stamping(), Reading(), Hanging(), Crashing()
