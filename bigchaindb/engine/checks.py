"""Checks in processes of their own: structure and signatures of what strangers send.

A document that is slow or deadly harms the process that checks it, and whoever waits for the same place: light ones
share batches, each heavy one has a process for itself, and a vote waits for no client. Source: decision 0079.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha3_256
from typing import Final, Protocol

from bigchaindb.children import PlaceFigures
from bigchaindb.engine.admission import BATCH_BYTES_MAX, BATCH_COUNT_MAX
from bigchaindb.engine.check_nursery import Nursery
from bigchaindb.engine.check_places import CheckOutcome, Place, ProcessLost
from bigchaindb.errors import CheckFailed, EngineError, Overloaded, Stopping
from bigchaindb.ledger.proven import Proven
from bigchaindb.ledger.validating import Parsed, ParseResult
from bigchaindb.ledger.verifying import DocumentRules
from bigchaindb.ledger.weight import is_heavy

BATCHES_OUT: Final = 2
"""Frames that are out with one process: it begins the next while the node reads the answer to the last."""
HEAVY_NICENESS: Final = 5
PROCESSES_MAX: Final = 8
CORES_FOR_TWO: Final = 4
"""Cores from which two processes check; below, node and check process keep two busy."""
VOTE_ATTEMPT_COUNT: Final = 20
VOTE_PAUSE_S: Final = 0.5
"""A validator waits for so many attempts to start a process, with this pause: to end is worse, and to vote unseen is
no choice."""
STOP_S_MAX: Final = 1.0
"""Time for what is being checked at the stop, a hundred times the usual; nobody was promised anything about it."""
LOGGED_BYTES_MAX: Final = 4_000
"""Most of a document that the log repeats."""

_log: Final = logging.getLogger(__name__)


class Verifies(Protocol):
    """What checks need of a ledger.

    Attributes:
        rules: what each document is checked by.
        proven: what was verified before.
    """

    rules: DocumentRules
    proven: Proven


class Checks:
    """The check processes of a node. Belongs to the event loop."""

    def __init__(self, ledger: Verifies, workers: int | None = None) -> None:
        """Start no process before `open`.

        Args:
            ledger: of the node.
            workers: see `process_count`.
        """
        self._proven = ledger.proven
        self._nursery = Nursery(ledger.rules)
        self._closing: asyncio.TimerHandle | None = None
        count = process_count(workers)
        if workers is not None and workers > count:
            _log.warning(
                "server.workers is more than this machine has cores, or than 8; it is taken as that",
                extra={"workers": workers, "taken_as": count},
            )
        self.width = count * BATCHES_OUT
        self._places = {
            "light": Place(self._nursery, count=count, batch_count=BATCHES_OUT),
            "heavy": Place(self._nursery, count=1, niceness=HEAVY_NICENESS),
            # Nobody's vote waits behind a stranger's document. A node alone has none of these: it is asked for no vote.
            "vote_light": Place(self._nursery, count=count, batch_count=BATCHES_OUT),
            "vote_heavy": Place(self._nursery, count=1),
        }

    def open(self) -> None:
        """Start the processes that every node needs; the others are started when they are needed."""
        self._places["light"].open()

    async def check(self, bodies: Sequence[bytes]) -> list[CheckOutcome]:
        """Check a batch of light documents."""
        return await self._known_or(bodies, lambda unknown: self._check_light(unknown, ""))

    async def check_heavy(self, body: bytes) -> list[CheckOutcome]:
        """Check a heavy document."""
        return await self._known_or([body], lambda _: self._check_heavy([body], ""))

    async def judge(self, bodies: Sequence[bytes]) -> dict[bytes, ParseResult]:
        """Check documents of a proposal; return the result of each that was not proven before.

        Raises:
            CheckFailed: one of them could not be checked, which is no result.
            Overloaded: no process can be started, for ten seconds.
            Stopping: the engine stops.
        """
        unknown = [body for body in bodies if self._proven.get(body) is None]
        light = [body for body in unknown if not is_heavy(body)]
        heavy = [body for body in unknown if is_heavy(body)]
        answers = await self._check_for_vote(light, heavy)
        results: dict[bytes, ParseResult] = {}
        for body, outcome in zip([*light, *heavy], (one for answer in answers for one in answer), strict=True):
            if isinstance(outcome, CheckFailed):
                raise outcome
            results[body] = outcome
        self._remember(results.values())
        return results

    async def _check_for_vote(self, light: Sequence[bytes], heavy: Sequence[bytes]) -> list[list[CheckOutcome]]:
        failed_count = 0
        while True:
            work = [self._check_light(batch, "vote_") for batch in batches(light)]
            try:
                return await asyncio.gather(*work, self._check_heavy(heavy, "vote_"))
            except Overloaded:
                failed_count += 1
                if failed_count == VOTE_ATTEMPT_COUNT:
                    raise
            await asyncio.sleep(VOTE_PAUSE_S)

    def figures(self) -> Mapping[str, PlaceFigures]:
        """What the processes do, by place."""
        return {name: place.figures for name, place in self._places.items()}

    @property
    def pids(self) -> Sequence[int]:
        """The ids of the processes that run."""
        return [*self._nursery.pids.values()]

    def end_soon(self) -> None:
        """Abandon what is not checked within `STOP_S_MAX`."""
        if self._closing is None:
            stopping = Stopping("the node is about to stop")
            self._closing = asyncio.get_running_loop().call_later(STOP_S_MAX, self._give_up, stopping)

    def close(self) -> None:
        """End the processes."""
        if self._closing is not None:
            self._closing.cancel()
        self._give_up(EngineError("the engine stopped before the transaction was checked"))
        self._nursery.close()

    def _give_up(self, error: EngineError) -> None:
        for place in self._places.values():
            place.close(error)

    async def _known_or(
        self, bodies: Sequence[bytes], check: Callable[[Sequence[bytes]], Awaitable[list[CheckOutcome]]]
    ) -> list[CheckOutcome]:
        """Check what was not proven before, and remember what is now."""
        proven = {body: Parsed(known, signatures_valid=True) for body in bodies if (known := self._proven.get(body))}
        unknown = [body for body in bodies if body not in proven]
        found = await check(unknown) if unknown else []
        self._remember(found)
        rest = iter(found)
        return [proven[body] if body in proven else next(rest) for body in bodies]

    def _remember(self, outcomes: Iterable[CheckOutcome]) -> None:
        self._proven.add(one.transaction for one in outcomes if isinstance(one, Parsed) and one.signatures_valid)

    async def _check_light(self, bodies: Sequence[bytes], side: str) -> list[CheckOutcome]:
        """Check a batch, again if its process was lost; then each document alone, so that one fails alone."""
        for in_front in (False, True):
            try:
                return _told(bodies, await self._places[f"{side}light"].check(bodies, in_front=in_front))
            except ProcessLost:
                pass
        return [await self._check_alone(body, side, (True,)) for body in bodies]

    async def _check_heavy(self, bodies: Sequence[bytes], side: str) -> list[CheckOutcome]:
        return [await self._check_alone(body, side, (False, True)) for body in bodies]

    async def _check_alone(self, body: bytes, side: str, attempts: Sequence[bool]) -> CheckOutcome:
        for in_front in attempts:
            try:
                [outcome] = _told([body], await self._places[f"{side}heavy"].check([body], in_front=in_front))
            except ProcessLost:
                continue
            return outcome
        digest = sha3_256(body).hexdigest()
        _log.critical("a document ended each process that checked it", extra={"sha3_256": digest, "bytes": len(body)})
        return CheckFailed(f"the check of the document with SHA3-256 {digest} did not end; the log has more")


def process_count(workers: int | None, core_count: int | None = None) -> int:
    """Return how many processes check light documents.

    Args:
        workers: the setting `server.workers`; None: this function chooses.
        core_count: of the machine; None: as many as this process may use.
    """
    cores = core_count or len(os.sched_getaffinity(0))
    if workers is None:
        return 1 if cores < CORES_FOR_TWO else 2
    return min(workers, cores, PROCESSES_MAX)


def batches(bodies: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Cut documents into batches of one frame."""
    begin, size = 0, 0
    for end, body in enumerate(bodies):
        size += len(body)
        if end > begin and (end - begin == BATCH_COUNT_MAX or size > BATCH_BYTES_MAX):
            yield bodies[begin:end]
            begin, size = end, len(body)
    if bodies:
        yield bodies[begin:]


def _told(bodies: Sequence[bytes], outcomes: list[CheckOutcome]) -> list[CheckOutcome]:
    """Log the defects among outcomes."""
    for body, one in zip(bodies, outcomes, strict=True):
        if isinstance(one, CheckFailed):
            about = {"bytes": len(body), "document": repr(body[:LOGGED_BYTES_MAX]), "traceback": one.__notes__[0]}
            _log.error("a document could not be checked", extra=about)
    return outcomes
