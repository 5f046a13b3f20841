"""What consumers must have worked on, and the judgement of what they did: the set, the order per key, the repeats."""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Final, NamedTuple

from bigchaindb.transaction import Transaction
from tests.support.chains import ALICE, Coin, create, transfer
from tests.support.node import Node
from tests.support.waiting import until

POSTER_COUNT: Final = 8
WINDOW_COUNT: Final = 16
"""Deliveries that a consumer has at most: so few that it does not run through all events in a moment."""
POST_S: Final = 120.0


class Assets:
    """Assets on a node, each with the ids of its transactions in the order in which they were committed."""

    def __init__(self, node: Node, count: int, *, first_serial: int = 0, key: str | None = None) -> None:
        self.histories: list[list[Transaction]] = [[] for _ in range(count)]
        self._node = node
        self._first_serial = first_serial
        self._key = key

    @property
    def ids(self) -> list[list[str]]:
        """The ids of all transactions by asset."""
        return [[one.id for one in history] for history in self.histories]

    def grow(self, rounds: int) -> None:
        """Commit so many more transactions of each asset."""
        with ThreadPoolExecutor(POSTER_COUNT) as threads:
            for _ in threads.map(partial(self._grow, rounds), range(len(self.histories))):
                pass

    def _grow(self, rounds: int, number: int) -> None:
        history = self.histories[number]
        for _ in range(rounds):
            last = history[-1] if history else None
            following = (
                create(self._first_serial + number)
                if last is None
                else transfer(Coin(last), to=ALICE, note=len(history))
            )
            until(partial(self._post, following), what="the node to commit", within_s=POST_S)
            history.append(following)

    def _post(self, transaction: Transaction) -> bool:
        """Send it; the same bytes again after a lost answer are known to the node and done once."""
        with suppress(OSError, HTTPException):  # the node was killed before it had answered, or amid its answer
            answer = self._node.post(transaction.body, key=self._key)
            if answer.status == 202 or b"DuplicateTransaction" in answer.body:
                return True
            assert answer.status in {503, 504}, answer
        return False


class Fault(NamedTuple):
    """Something that was broken.

    Attributes:
        begin: events that had been worked on before it, repeats included.
        end: and after it.
        repeats: as many may come again.
    """

    begin: int
    end: int
    repeats: int


@dataclass
class Work:
    """What consumers of one subscription did: a line for each event, in a file that all of them add to."""

    file: Path
    faults: list[Fault] = field(default_factory=list)
    _ids: list[str] = field(default_factory=list)
    _read_bytes: int = 0

    def ids(self) -> Sequence[str]:
        """Return the ids of transactions in the order of the work so far."""
        with self.file.open("rb") as file:
            file.seek(self._read_bytes)
            for line in file:
                if not line.endswith(b"\n"):  # it is being written
                    break
                self._read_bytes += len(line)
                self._ids.append(json.loads(line)["data"]["id"])
        return self._ids

    def count(self) -> int:
        """Return how often an event was worked on."""
        return len(self.ids())

    @contextmanager
    def fault(self, *, repeats: int = WINDOW_COUNT) -> Iterator[None]:
        """Take note that something breaks meanwhile."""
        begin = self.count()
        yield
        self.faults.append(Fault(begin, self.count(), repeats))

    def wait_for(self, wanted: Sequence[Sequence[str]], *, within_s: float = 60) -> None:
        """Wait until every transaction was worked on, then judge."""
        whole = {one for history in wanted for one in history}
        until(
            lambda: self.count() >= len(whole) and whole <= set(self.ids()),
            what=f"{len(whole)} events",
            within_s=within_s,
            every_s=0.2,
        )
        self.judge(wanted)

    def judge(self, wanted: Sequence[Sequence[str]]) -> None:
        """Require the exact set, the order of each key, and repeats after faults alone."""
        ids = self.ids()
        firsts: dict[str, int] = {}
        for line, one in enumerate(ids):
            firsts.setdefault(one, line)
        assert firsts.keys() == {one for history in wanted for one in history}
        for history in wanted:
            assert [firsts[one] for one in history] == sorted(firsts[one] for one in history), history[0]
        self._judge_repeats(ids)

    def _judge_repeats(self, ids: Sequence[str]) -> None:
        """Require a fault between two times of one event, and of no fault more repeats than were in hand.

        A consumer may work on what it holds for a moment before it takes note of the fault.
        """
        latest: dict[str, int] = {}
        left = [fault.repeats for fault in self.faults]
        for line, one in enumerate(ids):
            if (before := latest.get(one)) is not None:
                reasons = (
                    number
                    for number, fault in enumerate(self.faults)
                    if before - fault.repeats < fault.end and fault.begin <= line and left[number] > 0
                )
                number = next(reasons, None)
                assert number is not None, f"{one} came again without a fault: lines {before}, {line}; {self.faults}"
                left[number] -= 1
            latest[one] = line


def definition(**members: object) -> Mapping[str, object]:
    """Return a subscription to every transaction from the first one on."""
    return {"granularity": "transaction", "start": "genesis", **members}
