"""A plugin's queue in the process of a test, over a generated log that ends."""

from contextlib import ExitStack, closing
from pathlib import Path
from queue import Empty
from typing import Final, Self

from bigchaindb.eventlog.lane import Progress
from bigchaindb.events import Event, EventTypes
from bigchaindb.simulated.chain import Recipe, read_events, write_data
from bigchaindb.store import Log
from bigchaindb.subscribers.lane_page import LanePage, Word
from bigchaindb.subscribers.plugins import Wants
from bigchaindb.subscribers.queue import LogQueue

PLUGIN: Final = "plugin"
"""The name by which the plugin of a test is enabled."""
SLOT_COUNT: Final = 256
"""Events that a plugin may hold unsettled, as on a node by default."""


class GeneratedQueue(LogQueue):
    """The real queue, but where the log ends it raises `Closed`, as at a node's stop, instead of waiting.

    Attributes:
        events: all events of the log, of whatever type.
    """

    def __init__(self, folder: Path, recipe: Recipe, event_types: int | None = None) -> None:
        """Begin at the first event.

        Args:
            folder: for the log; must be empty.
            recipe: of the chain.
            event_types: which events the queue returns, as a plugin asks for them; None is all.
        """
        write_data(folder / "data", recipe)
        with ExitStack() as files:
            log = files.enter_context(closing(Log(folder / "data" / "ledger.db")))
            self.events = read_events(log, recipe.chain_id)
            page = LanePage.create(folder / "page", Progress(), head=len(self.events), slot_count=SLOT_COUNT)
            files.callback(page.close)
            mask = EventTypes.ALL if event_types is None else event_types
            super().__init__(page, log, chain_id=recipe.chain_id, plugin=PLUGIN, wants=Wants(event_types=mask))
            self._lane_page = page
            self._files = files.pop_all()

    @property
    def acked(self) -> int:
        """The position up to which everything is settled."""
        return self._lane_page.cursor

    def get(self, block: bool = True, timeout: float | None = None) -> Event:  # noqa: FBT001, FBT002 - stdlib's
        """Do as the real queue; see the class."""
        try:
            return super().get(block=False)
        except Empty:
            if self._is_exhausted():
                self.close()
            return super().get(block, timeout)

    def get_many(self, count_max: int, timeout: float | None = None) -> list[Event]:
        """Do as the real queue; see the class."""
        events = super().get_many(count_max, 0.0)
        if not events and self._is_exhausted():
            self.close()
        return events or super().get_many(count_max, timeout)

    def release(self) -> None:
        """Close the files; the queue cannot be used any more."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _is_exhausted(self) -> bool:
        words = self._lane_page.words
        return bool(words[Word.REACHED] >= words[Word.HEAD])
