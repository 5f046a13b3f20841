"""What commands that read a whole ledger share: their progress, and their end where it is damaged."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bigchaindb.cli.output import say
from bigchaindb.errors import StoreDamaged

DAMAGED: Final = 3
"""Exit code of a damaged ledger."""
SAY_EVERY_S: Final = 2.0
"""Time between two lines."""


class Progress:
    """Lines such as `checked: 4,000 of 10,000 events`."""

    def __init__(self, what: str, unit: str) -> None:
        """Print nothing for the first `SAY_EVERY_S`: most work is short."""
        self._what, self._unit = what, unit
        self._said_s = time.monotonic()

    def tell(self, done: int, total: int) -> None:
        """Print how many of how many are done, if a line is due."""
        if (now_s := time.monotonic()) - self._said_s >= SAY_EVERY_S:
            self._said_s = now_s
            say(f"{self._what}: {done:,} of {total:,} {self._unit}")


@contextmanager
def ending_with_damage() -> Iterator[None]:
    """End the process with exit code `DAMAGED` where something that is read is damaged."""
    try:
        yield
    except StoreDamaged as error:
        say(f"bigchaindb: {error}")
        sys.exit(DAMAGED)
