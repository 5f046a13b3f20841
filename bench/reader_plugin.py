"""The plugin that the events benchmark runs: takes so many events and notes how long that took.

An ordinary plugin, found by its entry point `bench_reader`, in a process that the supervisor starts.
"""

import json
from collections.abc import Mapping
from multiprocessing.queues import Queue
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

_options: dict[str, Any] = {}


def configure(options: Mapping[str, Any]) -> None:
    """Take `count`, how many events to take; `read`, `data` or `body`; `result`, the file to write."""
    _options.update(options)


def run(queue: "Queue[Any]") -> None:
    """Take events; each is acknowledged by asking for the next."""
    count, read = _options["count"], _options["read"]
    begin, used = perf_counter(), process_time()
    for _ in range(count):
        event = queue.get()
        assert event.data if read == "data" else event.body
    found = {"per_s": count / (perf_counter() - begin), "cpu_us": (process_time() - used) * 1e6 / count}
    result = Path(_options["result"])
    result.with_suffix(".new").write_text(json.dumps(found))
    result.with_suffix(".new").rename(result)
    while True:
        queue.get()
