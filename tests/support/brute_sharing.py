"""Dealing out by brute force: one list of rows, read from one end to the other at each question.

It knows nothing of `bigchaindb.eventlog.sharing` and is right at a glance. Source: decision 0096.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

NEVER = float("inf")


@dataclass
class Row:
    """An event that is not settled.

    Attributes:
        attempts: deliveries so far.
        losses: consumers that were lost with it.
        with_: the consumer that it is out with.
        due: the time that it waits for; `NEVER` while it is undecided, None if it waits for none.
    """

    number: int
    key: Hashable
    attempts: int
    is_returning: bool
    losses: int = 0
    with_: str | None = None
    due: float | None = None


class BruteSharing:
    """What `Sharing` should do."""

    def __init__(self, cursor: int, *, keeps_keys: bool) -> None:
        """Begin behind `cursor`."""
        self.reached = cursor
        self.keeps_keys = keeps_keys
        self.rows: list[Row] = []
        self.rooms: dict[str, int] = {}
        self.keepers: dict[Hashable, str] = {}

    def out(self, consumer: str) -> list[Row]:
        """Return what is out with a consumer."""
        return [row for row in self.rows if row.with_ == consumer]

    def row(self, number: int) -> Row | None:
        """Return the row of an event that is not settled."""
        return next((row for row in self.rows if row.number == number), None)

    def cursor(self) -> int:
        """Return up to where everything is settled."""
        return min([row.number - 1 for row in self.rows if not row.is_returning] + [self.reached])

    def give(self, consumer: str, count_max: int) -> list[tuple[int, int]]:
        """Hand events out, one after the other."""
        given: list[tuple[int, int]] = []
        while len(given) < count_max and len(self.out(consumer)) < self.rooms[consumer]:
            if any(row.losses >= 2 for row in self.out(consumer)):
                break
            row = next((row for row in self.rows if self._may_have(consumer, row)), None)
            if row is None:
                break
            if row.losses >= 2:
                if self.out(consumer):
                    self.keepers[row.key] = consumer
                    break
                self.keepers.pop(row.key, None)
            row.with_ = consumer
            row.attempts += 1
            given.append((row.number, row.attempts))
            if self.keeps_keys:
                self.keepers[row.key] = consumer
        return given

    def _may_have(self, consumer: str, row: Row) -> bool:
        same = [other for other in self.rows if other.key == row.key]
        return (
            row.with_ is None
            and row.due is None
            and self.keepers.get(row.key, consumer) == consumer
            and all(other.with_ in {None, consumer} for other in same)
            and all(other.with_ == consumer for other in same if other.number < row.number)
        )

    def is_out(self, consumer: str, number: int, attempt: int) -> bool:
        """Whether an answer is for a delivery that is out."""
        return any(row.number == number and row.attempts == attempt for row in self.out(consumer))

    def take_back(self, number: int) -> list[tuple[int, int]]:
        """Take back an event and the later ones of its key that are out."""
        key = next(row.key for row in self.rows if row.number == number)
        taken = [row for row in self.rows if row.key == key and row.number >= number and row.with_ is not None]
        for row in taken:
            row.with_ = None
        return [(row.number, row.attempts) for row in taken]

    def settle(self, number: int) -> None:
        """Settle an event."""
        self.rows = [row for row in self.rows if row.number != number]

    def lose(self, consumer: str, *, is_blameless: bool) -> tuple[list[tuple[int, int]], list[int]]:
        """Remove a consumer; return what it had, and what is to blame."""
        had = self.out(consumer)
        blamed = [] if is_blameless else self.blame(had)
        for row in had:
            row.with_ = None
        del self.rooms[consumer]
        self.keepers = {key: keeper for key, keeper in self.keepers.items() if keeper != consumer}
        return [(row.number, row.attempts) for row in had], blamed

    def take_back_unseen(self, consumer: str, unseen: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Take back what never reached a consumer, which keeps no key from now on; no attempt counts."""
        numbers = [number for number, attempt in unseen if self.is_out(consumer, number, attempt)]
        taken = [(row.number, row.attempts) for row in self.rows if row.number in numbers]
        for row in self.rows:
            if row.number in numbers:
                row.with_ = None
                row.attempts -= 1
        self.keepers = {key: keeper for key, keeper in self.keepers.items() if keeper != consumer}
        return taken

    def blame(self, lost: Iterable[Row]) -> list[int]:
        """Count a loss of each; return what is undecided now."""
        blamed = []
        for row in lost:
            if row.losses >= 2:
                row.due = NEVER
                blamed.append(row.number)
            row.losses += 1
        return blamed

    def wake(self, now: float) -> None:
        """End the delays that are over."""
        for row in self.rows:
            if row.due is not None and row.due <= now:
                row.due = None
