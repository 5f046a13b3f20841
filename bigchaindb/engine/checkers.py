"""The threads that check: structure, signatures, and the loading of what the rules will ask of the state.

The interpreter lock is free while libsodium verifies and while SQLite reads, so that threads suffice: as many as there
are cores. Batches spare hops between threads; 128 bodies take about 10 ms, which bounds the delay that a batch adds.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, Protocol

from bigchaindb.errors import CheckFailed, StoreDamaged
from bigchaindb.ledger.ports import LedgerStore
from bigchaindb.ledger.validating import Parsed, ParseResult
from bigchaindb.ledger.view import LoadedView, Needs

BATCH_COUNT_MAX: Final = 128
"""Bodies that one thread checks at a time. Source: storage.md of the design: 1 to 128 were tried."""

LOGGED_BYTES_MAX: Final = 4_000
"""Most of a document that the log repeats."""

_log = logging.getLogger(__name__)


class Verifies(Protocol):
    """The calls of a ledger that the checkers make."""

    def verify(self, bodies: Sequence[bytes]) -> list[ParseResult]:
        """See `bigchaindb.ledger.application.Ledger`."""
        ...

    def forget(self, bodies: Sequence[bytes]) -> None:
        """See `bigchaindb.ledger.application.Ledger`."""
        ...


CheckOutcome = ParseResult | CheckFailed | StoreDamaged
"""Outcome of the check without state, or the defect of this software or the damage that it met."""


class Checked(NamedTuple):
    """A batch after the checks, and the committed state that it has to be judged against, at one height."""

    verdicts: list[CheckOutcome]
    view: LoadedView


class Checkers:
    """A pool of checking threads. Belongs to the event loop."""

    def __init__(self, ledger: Verifies, store: LedgerStore, width: int | None = None) -> None:
        """Make a pool of `width` threads, by default one per core."""
        self.width = width or os.cpu_count() or 1
        self._ledger = ledger
        self._store = store
        self._threads = ThreadPoolExecutor(self.width, thread_name_prefix="checker")
        self._heavy = ThreadPoolExecutor(1, thread_name_prefix="heavy-checker")
        self._voters = ThreadPoolExecutor(self.width, thread_name_prefix="voter")  # a vote waits for no client

    async def check(self, bodies: Sequence[bytes]) -> Checked:
        """Check a batch in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._check, bodies)

    async def check_heavy(self, bodies: Sequence[bytes]) -> Checked:
        """Check what takes long in a thread of its own."""
        return await asyncio.get_running_loop().run_in_executor(self._heavy, self._check, bodies)

    async def verify(self, bodies: Sequence[bytes]) -> None:
        """Verify a batch in a thread, so that the ledger remembers what it has proven."""
        await asyncio.get_running_loop().run_in_executor(self._voters, self._verify, bodies)

    async def reload(self, checked: Checked) -> Checked:
        """Load the state again for a batch that a commit has overtaken."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._load, checked.verdicts)

    def close(self) -> None:
        """End the threads; a batch in hand is finished."""
        self._threads.shutdown()
        self._heavy.shutdown()
        self._voters.shutdown()

    def _check(self, bodies: Sequence[bytes]) -> Checked:
        return self._load(self._verify(bodies))

    def _load(self, verdicts: list[CheckOutcome]) -> Checked:
        """Load the state; documents that need what is damaged fail alone, and the others are checked as ever."""
        try:
            return Checked(verdicts, self._view(verdicts))
        except StoreDamaged:
            verdicts = [self._load_alone(verdict) for verdict in verdicts]
            return Checked(verdicts, self._view(verdicts))

    def _load_alone(self, verdict: CheckOutcome) -> CheckOutcome:
        try:
            self._view([verdict])
        except StoreDamaged as error:
            return error
        return verdict

    def _verify(self, bodies: Sequence[bytes]) -> list[CheckOutcome]:
        """Parse and verify a batch; documents that meet a defect fail alone: nobody may stop a node by posting one."""
        with contextlib.suppress(Exception):  # it is met again below, where the log can name the document
            return [*self._ledger.verify(bodies)]
        return [self._verify_alone(body) for body in bodies]

    def _verify_alone(self, body: bytes) -> CheckOutcome:
        try:
            [verdict] = self._ledger.verify([body])
        except Exception as error:  # noqa: BLE001  logged with its traceback
            about = {"bytes": len(body), "document": repr(body[:LOGGED_BYTES_MAX])}
            _log.exception("a document could not be checked", extra=about)
            return CheckFailed(repr(error))
        return verdict

    def _view(self, verdicts: Sequence[CheckOutcome]) -> LoadedView:
        return self._store.view(Needs.of([one.transaction for one in verdicts if isinstance(one, Parsed)]))
