"""Lane pages that tests map, closed at the end of each: a mapped page keeps two descriptors open."""

from contextlib import ExitStack, suppress
from typing import Final

from bigchaindb.subscribers.lane_page import LanePage

OPEN: Final = ExitStack()
"""What the running test has left open. `tests/unit/subscribers/conftest.py` closes it."""


def kept(page: LanePage) -> LanePage:
    """Have a page closed at the end of the test."""
    OPEN.callback(close, page)
    return page


def close(page: LanePage) -> None:
    """Close a page unless it is closed."""
    with suppress(ValueError):
        len(page.words)
        page.close()
