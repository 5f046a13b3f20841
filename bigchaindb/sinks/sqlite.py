"""The plugin `sqlite`: the ledger as tables in a file of SQLite's, each event exactly once, to be asked by SQL.

Source: docs/how-to/query-with-sql.md; decisions 0160 and 0161.
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from bigchaindb.delivery import Format, Per, ShapedOptions, batches, read_options
from bigchaindb.delivery.rows import rows_of
from bigchaindb.events import EventQueue, EventTypes, Unavailable
from bigchaindb.sinks.paths import absolute, no_folder
from bigchaindb.sinks.sqlite_file import RowsFile, read_progress
from bigchaindb.sinks.sqlite_schema import INDEXES_MAX, expression_of

_COLUMNS: Final = "the rows are those of the tables in docs/how-to/query-with-sql.md; leave the option out"
_SHOWN_MAX: Final = 60
_BLOCKS: Final = EventTypes.BLOCK_VALID | EventTypes.BLOCK_INVALID
_log: Final = logging.getLogger(__name__)


class SqliteOptions(ShapedOptions, frozen=True, kw_only=True):
    """The options of the sink.

    Attributes:
        path: of the file; its folder must be there.
        indexes: places in metadata or data that queries compare, such as `metadata.weight`.
    """

    path: str
    indexes: tuple[str, ...] = ()

    refused_formats: ClassVar[Mapping[Format, str]] = dict.fromkeys(Format, _COLUMNS)

    def __post_init__(self) -> None:
        """Refuse what rows cannot be, and places that cannot be indexed."""
        super().__post_init__()
        if self.fields:
            raise ValueError(f"fields: cannot be chosen here: {_COLUMNS}")
        if self.per is not Per.BLOCK:
            raise ValueError(f"per: cannot be {self.per} here: {_COLUMNS}")
        absolute(self.path)
        if len(self.indexes) > INDEXES_MAX:
            raise ValueError(f"indexes: must be at most {INDEXES_MAX}, found {len(self.indexes)}")
        for number, place in enumerate(self.indexes):
            try:
                expression_of(place)
            except ValueError as error:
                raise ValueError(f"indexes[{number}]: {error}; found {place[:_SHOWN_MAX]!r}") from None
            if place in self.indexes[:number]:
                raise ValueError(f"indexes[{number}]: {place[:_SHOWN_MAX]!r} is there twice; take one out")


class SqliteSink:
    """What the entry point names."""

    acknowledge = "next_get"
    event_types = EventTypes.ALL
    select: Mapping[str, Any] = {}

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the options."""
        self._options = read_options(options, SqliteOptions)
        self.event_types, self.select = self._options.event_mask, self._options.select

    def check(self) -> str:
        """Return how far the file is, without making or changing it."""
        path = self._path
        if not path.parent.is_dir():
            raise Unavailable(no_folder(path))
        for needed in (path.parent, path):
            if needed.exists() and not os.access(needed, os.R_OK | os.W_OK):
                raise Unavailable(f"{path}: {needed} may not be written; change its mode, or give another path")
        if not path.exists():
            return f"{path} will be made"
        noted = read_progress(path)
        return f"{path} is empty" if noted is None else f"{path} holds events up to position {noted.position}"

    def run(self, queue: EventQueue) -> None:
        """Write rows until the queue has ended."""
        path, is_begun = self._path, False
        with RowsFile(path, queue.plugin, self._options.indexes) as file:
            for events in batches(queue):
                if not is_begun and self._takes_all:
                    _warn_of_gap(path, queue.plugin, events[0].position)
                is_begun = True
                file.write([(event.id, rows_of(event)) for event in events])

    @property
    def _takes_all(self) -> bool:
        return not self.select and self.event_types & _BLOCKS == _BLOCKS

    @property
    def _path(self) -> Path:
        return absolute(self._options.path)


def _warn_of_gap(path: Path, plugin: str, position: int) -> None:
    """Warn where the file ends before the event that comes first: it may be an old copy, which lacks what is between.

    The plugin goes on: events that were parked, skipped or passed by a seek are not in the file either.
    """
    noted = read_progress(path)
    last = 0 if noted is None else noted.position
    if position > last + 1:
        _log.warning(
            "%s lacks the events from %d to %d: it is new or an old copy, or a person has passed them; "
            "`bigchaindb plugins seek %s position:%d` writes them",
            path,
            last + 1,
            position - 1,
            plugin,
            last + 1,
        )


plugin = SqliteSink()
"""Reads its options in `configure`."""
