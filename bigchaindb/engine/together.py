"""Transactions that come together: each has its place in the admission queue, and one future waits for all."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bigchaindb.engine.admission import Entry
from bigchaindb.transaction.model import Transaction

Outcome = Transaction | Exception
"""The transaction, which is in the pool now, or why it is not."""


class Together:
    """The entries of transactions that come together, and their outcomes. Belongs to the event loop.

    Attributes:
        entries: one for each body, in order.
    """

    def __init__(self, bodies: Sequence[bytes]) -> None:
        """Make an entry for each body."""
        self._outcomes: dict[int, Outcome] = {}
        self._all: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.entries = [_Member(body, None, self._all, self, index) for index, body in enumerate(bodies)]

    async def outcomes(self) -> list[Outcome]:
        """Wait until every entry is resolved; return what became of each, in order."""
        if self.entries:
            await self._all
        return [self._outcomes[index] for index in range(len(self.entries))]

    def resolve(self, index: int, outcome: Outcome) -> None:
        """Note the outcome of an entry, unless it has one."""
        self._outcomes.setdefault(index, outcome)
        if len(self._outcomes) == len(self.entries) and not self._all.done():
            self._all.set_result(None)


@dataclass(slots=True, eq=False)
class _Member(Entry):
    """One of several entries that come together."""

    together: Together
    index: int

    def resolve(self, outcome: Outcome) -> None:
        """Note the outcome for whoever waits for all."""
        self.together.resolve(self.index, outcome)
