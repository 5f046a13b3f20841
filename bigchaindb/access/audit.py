"""The audit log: a line for each call that was refused, and for each order of a person. Belongs to the event loop."""

import logging
from collections.abc import Mapping
from typing import Final

from bigchaindb.access.lines import Lines

LINES_A_SECOND: Final = 100
"""Refusals beyond it are counted in one line."""
PATH_CHARACTERS_MAX: Final = 200

_log: Final = logging.getLogger("bigchaindb.access")


class Audit:
    """Writes the lines of refused calls."""

    def __init__(self) -> None:
        self._lines = Lines(LINES_A_SECOND, _summarise)

    def refuse(self, status: int, who: str, scope: str | None, *, method: str, target: str, address: str) -> None:
        """Write the line of a refused call; nothing of its query, which may hold a key by mistake.

        Args:
            status: of the answer.
            who: `key:ID`, or `anonymous`.
            scope: what the call needs.
            method: as sent.
            target: as sent; the path alone is written.
            address: that the client counts for.
        """
        if self._lines.has_room(str(status)):
            path = target.partition("?")[0][:PATH_CHARACTERS_MAX]
            about = {"status": status, "who": who, "scope": scope or "-", "method": method, "path": path}
            _log.info("refused", extra={**about, "address": address})


def ordered(who: str, order: str, **about: object) -> None:
    """Write the line of an order."""
    _log.info("ordered", extra={"who": who, "order": order, **about})


def _summarise(counts: Mapping[str, int]) -> None:
    _log.info("refused: %d more", sum(counts.values()), extra={"counts": counts})
