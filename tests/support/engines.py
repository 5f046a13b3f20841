"""Running engines for tests, over the real store."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from threading import Event

from bigchaindb.config import Limits
from bigchaindb.engine.check_places import CheckOutcome
from bigchaindb.engine.deciding import Proposer
from bigchaindb.engine.engine import Announce
from bigchaindb.engine.rejected import Record
from bigchaindb.engine.room import Room, Usage
from bigchaindb.engine.solo import SoloEngine
from bigchaindb.ledger.effects import Effects, Tip
from bigchaindb.ledger.ports import LedgerStore, RejectedRow
from bigchaindb.ledger.view import LoadedView, Needs
from bigchaindb.store import Store
from bigchaindb.store.damages import Damages
from bigchaindb.transaction import Transaction
from tests.support.chains import NODE
from tests.support.ledgers import ledger_over

START = 1_700_000_000
WITHIN_S = 60.0
"""Time for what a test waits for, on a busy machine."""


def engine_over(
    store: LedgerStore,
    *,
    limits: Limits | None = None,
    announce: Announce | None = None,
    now: Callable[[], float] = lambda: START,
    free_bytes: Callable[[], int] = lambda: 1 << 40,
    propose: Proposer | None = None,
    damages: Damages | None = None,
    require_writer: Callable[[Transaction], None] = lambda _: None,
    record: Record | None = None,
) -> SoloEngine:
    """Make the engine of a node that votes alone."""
    limits = limits or Limits()
    ledger = ledger_over(store, limits=limits)
    damages = damages or Damages()
    engine = SoloEngine(
        ledger,
        store,
        key=NODE,
        limits=limits,
        announce=announce or (lambda _: None),
        now=now,
        room=Room(lambda: Usage(free_bytes(), 0), limits, itertools.count().__next__),  # each look is a fresh one
        record=record or Record(len, lambda _: None),
        propose=propose,
    )
    engine.require_writer(require_writer)
    engine.heed(damages.halting, damages.halt)
    return engine


@asynccontextmanager
async def running(engine: SoloEngine) -> AsyncIterator[SoloEngine]:
    """Run an engine; at the end it is stopped and has committed what it accepted."""
    task = asyncio.create_task(engine.run())
    try:
        yield engine
    finally:
        engine.stop()
        await task


@dataclass
class Recorded:
    """A log of rejected transactions in memory."""

    rows: list[RejectedRow] = field(default_factory=list)
    announced: list[int] = field(default_factory=list)

    @property
    def record(self) -> Record:
        return Record(self._write, self.announced.append)

    @property
    def found(self) -> list[tuple[str, str]]:
        """The id and the class of the error of each."""
        return [(row.id, row.error) for row in self.rows]

    def _write(self, rows: Sequence[RejectedRow]) -> int:
        self.rows += rows
        return len(self.rows)


@dataclass
class GatedClock:
    """A clock that is asked once a block, by the writer thread: closing it holds the next block back."""

    opened: Event = field(default_factory=Event)
    asked: Event = field(default_factory=Event)

    def __call__(self) -> float:
        self.asked.set()
        assert self.opened.wait(WITHIN_S)
        return START


class HeldCheck:
    """The next batch that an engine has checked, handed over late: it may meet damage meanwhile."""

    def __init__(self, engine: SoloEngine) -> None:
        self.checked, self.opened = asyncio.Event(), asyncio.Event()
        checks = engine._intake._checks
        check = checks.check

        async def held(bodies: Sequence[bytes]) -> list[CheckOutcome]:
            setattr(checks, "check", check)  # noqa: B010 - the next one is not held
            outcomes = await check(bodies)
            self.checked.set()
            await self.opened.wait()
            return outcomes

        setattr(checks, "check", held)  # noqa: B010 - a method


@dataclass
class GatedStore:
    """The real store, whose next view is handed over late: a commit can overtake it."""

    store: LedgerStore
    loaded: Event = field(default_factory=Event)
    opened: Event = field(default_factory=Event)
    gated: bool = False

    def tip(self) -> Tip:
        return self.store.tip()

    def view(self, needs: Needs) -> LoadedView:
        view = self.store.view(needs)
        if self.gated:
            self.gated = False
            self.loaded.set()
            assert self.opened.wait(WITHIN_S)
        return view

    def is_recent(self, _: str) -> bool:
        return False  # so that the loop goes on while a view is held

    def commit(self, effects: Effects) -> None:
        self.store.commit(effects)

    def tidy(self) -> bool:
        return self.store.tidy()


def is_committed(store: Store, transaction: Transaction) -> bool:
    """Whether queries find a transaction as it was."""
    return store.queries().transaction(transaction.id) == transaction.body


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, with turns of the loop in between."""
    async with asyncio.timeout(WITHIN_S):
        while not condition():  # noqa: ASYNC110 - what other threads do sets no event of the loop
            await asyncio.sleep(0.001)


def log_of(store: Store) -> list[tuple[int, int, str | None]]:
    """Return type, height and reason of all events."""
    log = store.log_reader()
    try:
        entries = [log.entry(position) for position in range(1, log.head() + 1)]
    finally:
        log.close()
    return [(entry.type, entry.height, entry.reason) for entry in entries if entry is not None]
