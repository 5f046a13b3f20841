"""An events plugin that takes one event and never comes back; before that, it may take its time to be configured."""

import time
from typing import Any


def configure(options: dict[str, Any]) -> None:
    time.sleep(options.get("configure_s", 0))


def run(queue: Any) -> None:
    queue.get()
    time.sleep(3600)
