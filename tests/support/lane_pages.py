"""Lane pages that tests map, closed at the end of each: a mapped page keeps two descriptors open."""

from array import array
from contextlib import ExitStack, suppress
from itertools import chain
from typing import Final

from bigchaindb.subscribers.lane_page import SLOTS_WORD, LanePage, Word

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


def as_of_1(page: LanePage) -> bytes:
    """Return a page as versions before 4.0 wrote it: without checks."""
    words = page.words.tolist()
    words[Word.MAGIC] = int.from_bytes(b"bcdblan1", "little")
    words[6] = words[Word.HEAD]
    words[Word.HEAD] = words[Word.HEADER_CHECK] = 0
    slots = [words[slot : slot + 2] for slot in page.slots]
    return memoryview(array("Q", [*words[:SLOTS_WORD], *chain.from_iterable(slots)])).tobytes()
