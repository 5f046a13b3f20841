"""What CometBFT's mempool should hold. It only carries: this node proposes from its pool.

A bundle comes in if half of its bytes are new in the pool, and stays as long as any of it waits there, since CometBFT
makes no block while its mempool is empty; for that reason an empty one takes whatever waits. So the mempool holds
little more than twice what has come into the pool since the oldest there, whatever peers put together. What is new is
taken into the pool in any case, so an honest node whose bundle is refused has lost nothing but a relay.

Source: docs/explanation/network.md; docs/decisions/0083-bundles.md.
"""

import asyncio
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.intake import Intake
from bigchaindb.errors import (
    CheckFailed,
    InputDoesNotExist,
    InvalidHash,
    InvalidSignature,
    MalformedJson,
    Overloaded,
    SchemaValidationError,
    Stopping,
    ThresholdTooDeep,
    ValidationError,
)
from bigchaindb.ledger.bundle import BUNDLE_MARK, members_of
from bigchaindb.ledger.rejections import INTERNAL_MARK
from bigchaindb.transaction.model import Transaction

ORPHAN_COUNT_MAX: Final = 1_000
"""Transactions of other nodes whose inputs are not there yet: their parents may be on the way."""
ORPHAN_BYTES_MAX: Final = 32 * 1024 * 1024
"""Of what brings them: the mempool has room for it beside the pool."""
REFUSED: Final = 1
"""Code of a transaction that the mempool should not hold."""
FAULTS: Final = (InvalidHash, InvalidSignature, MalformedJson, SchemaValidationError, ThresholdTooDeep)
"""Rules that a node's clients break and its own bundles never do, whatever it knows of the ledger."""

_PASSED: Final = (ValidationError, Overloaded, CheckFailed, Stopping)


class _Found(NamedTuple):
    """What the check of a bundle found: the bytes that came into the pool, the orphans, and what no node sends."""

    new_bytes: int
    orphans: Sequence[bytes]
    fault: Exception | None


class Mempool:
    """Answers CometBFT's questions about its mempool. Belongs to the event loop."""

    def __init__(self, intake: Intake, *, wakes: Callable[[bytes], bool], is_own: Callable[[bytes], bool]) -> None:
        """Answer for one node.

        Args:
            intake: whose pool is proposed.
            wakes: whether a transaction of the network's own is to wake the chain.
            is_own: whether this node has submitted a bundle.
        """
        self._intake = intake
        self._wakes = wakes
        self._is_own = is_own
        self._is_empty = True
        self._orphans: dict[bytes, int] = {}
        self._orphan_bytes = 0
        self._orphans_before: dict[bytes, int] = {}
        self._late: dict[bytes, asyncio.Task[object]] = {}

    def started(self) -> None:
        """Note that CometBFT has started, so it holds nothing."""
        self._is_empty = True

    def committed(self) -> None:
        """Note a block: what CometBFT still holds is checked again now, also what was without its parents.

        Raises:
            Exception: a check of those failed, and the engine with it.
        """
        self._is_empty = True
        self._orphans_before, self._orphans, self._orphan_bytes = self._orphans, {}, 0
        for digest in [digest for digest, task in self._late.items() if task.done()]:
            self._late.pop(digest).result()

    def check_known(self, request: pb.RequestCheckTx) -> pb.ResponseCheckTx | None:
        """Answer from what the pool holds; None if there is something to check."""
        answer = self._known(request)
        if answer is not None:
            self._note(answer)
        return answer

    async def check(self, request: pb.RequestCheckTx) -> pb.ResponseCheckTx:
        """Take into the pool what belongs there; answer whether the mempool should hold what brought it."""
        answer = await self._check(request)
        self._note(answer)
        return answer

    def _note(self, answer: pb.ResponseCheckTx) -> None:
        if answer.code != REFUSED:
            self._is_empty = False

    def _known(self, request: pb.RequestCheckTx) -> pb.ResponseCheckTx | None:
        tx, is_again = request.tx, request.type == pb.RECHECK
        if tx.startswith(INTERNAL_MARK):
            return _checked(None if self._wakes(tx) else "only this node's own rejections wake a chain")
        if tx.startswith(BUNDLE_MARK):
            return self._check_known_bundle(tx, is_again=is_again)
        if self._intake.pool.holds(tx):
            return _checked(None)
        return self._check_again(tx, [tx]) if is_again else None

    async def _check(self, request: pb.RequestCheckTx) -> pb.ResponseCheckTx:
        tx = request.tx
        if self._orphans_before:
            self._orphans_before.pop(_digest(tx), None)
        if members := members_of(tx):
            return await self._check_bundle(tx, members)
        try:
            await self._intake.admit(tx)
        except InputDoesNotExist as error:
            if not self._keep_orphans(tx, 1):
                return _checked(_named(error))
        except _PASSED as error:
            return _checked(_named(error))
        return _checked(None)

    def _check_known_bundle(self, tx: bytes, *, is_again: bool) -> pb.ResponseCheckTx | None:
        members = members_of(tx)
        if not members:
            return _checked("it begins as a bundle and is none")
        if is_again:
            return _checked(None) if self._waits(members) else self._check_again(tx, members)
        if not all(map(self._intake.pool.holds, members)):
            return None
        return _checked(None if self._is_empty or self._is_own(tx) else "all of it waits here")

    async def _check_bundle(self, tx: bytes, members: Sequence[bytes]) -> pb.ResponseCheckTx:
        found = await self._admit(members)
        if found.fault is not None:
            return _checked(_named(found.fault))
        new_bytes = found.new_bytes
        if found.orphans and self._keep_orphans(tx, len(found.orphans)):
            new_bytes += sum(map(len, found.orphans))
        is_needed = self._is_empty and self._waits(members)
        return _checked(None if is_needed or _is_half(new_bytes, tx) or self._is_own(tx) else "little of it is new")

    async def _admit(self, bodies: Sequence[bytes]) -> _Found:
        """Admit what the pool lacks; what is without its parents once more, for these may stand behind it."""
        bodies = [one for one in bodies if not self._intake.pool.holds(one)]
        new_bytes, fault = 0, None
        for _ in range(2):
            orphans: list[bytes] = []
            before = new_bytes
            for body, outcome in zip(bodies, await self._intake.admit_all(bodies), strict=True):
                if isinstance(outcome, Transaction):
                    new_bytes += len(body)
                elif isinstance(outcome, InputDoesNotExist):
                    orphans.append(body)
                elif isinstance(outcome, FAULTS):
                    fault = outcome
                elif not isinstance(outcome, _PASSED):
                    raise outcome
            bodies = orphans
            if not orphans or new_bytes == before:
                break
        return _Found(new_bytes, bodies, fault)

    def _waits(self, members: Sequence[bytes]) -> bool:
        return any(map(self._intake.pool.holds, members))

    def _keep_orphans(self, tx: bytes, count: int) -> bool:
        """Keep what came before its parents, if there is room for so many transactions: the next block decides."""
        if sum(self._orphans.values()) + count > ORPHAN_COUNT_MAX or self._orphan_bytes + len(tx) > ORPHAN_BYTES_MAX:
            return False
        self._orphans[_digest(tx)] = count
        self._orphan_bytes += len(tx)
        return True

    def _check_again(self, tx: bytes, members: Sequence[bytes]) -> pb.ResponseCheckTx:
        """Answer for what the pool does not hold. What came before its parents stays until the next block.

        It is checked meanwhile: CometBFT decides nothing while it waits for an answer, and strangers' documents may be
        ahead of it. The admission queue bounds what waits.
        """
        digest = _digest(tx) if self._orphans_before or self._late else b""
        if self._orphans_before.pop(digest, None) is not None:
            self._late[digest] = asyncio.create_task(self._admit(members))
        return _checked(None if digest in self._late else "it is decided, or was turned away")


def _is_half(size: int, tx: bytes) -> bool:
    return 2 * size >= len(tx)


def _digest(tx: bytes) -> bytes:
    """Return what represents a transaction in memory, which has up to a mebibyte itself."""
    return sha256(tx).digest()


def _checked(refusal: str | None) -> pb.ResponseCheckTx:
    return pb.ResponseCheckTx() if refusal is None else pb.ResponseCheckTx(code=REFUSED, log=refusal)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
