"""The time of a transaction by step: each on its own, in one thread, by CPU time.

The steps are the node's own functions, called in the node's order over real state; what is left to the whole is the
engine's loop, hops between threads, and waiting for the interpreter lock.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from time import thread_time
from typing import Final, TypeVar

from bench.documents import Documents
from bench.ledgers import KEY, TIMESTAMP
from bench.measure import Scale
from bench.report import Figure
from bigchaindb.ledger.application import Ledger
from bigchaindb.ledger.checking import BlockLimits
from bigchaindb.ledger.pool import Pool
from bigchaindb.ledger.proposal import sign_proposal
from bigchaindb.ledger.proven import Proven
from bigchaindb.ledger.validating import Parsed
from bigchaindb.ledger.view import Needs
from bigchaindb.store import Store
from bigchaindb.transaction import parse, verify

COUNT: Final = 10_000
BATCH_SIZE: Final = 32
"""Bodies checked at a time, and `BLOCK_SIZE` transactions in a block: about what 64 connections make of it."""
BLOCK_SIZE: Final = 64
STEPS: Final = {
    "parse": "parse (T0 to T7)",
    "verify": "verify signatures",
    "state": "state: load the view, judge at admission",
    "propose": "block: propose (judge again), hash, sign",
    "vote": "block: vote (judge once more)",
    "finalize": "block: finalize",
    "store": "store: write and fsync",
    "tidy": "store: checkpoint, merge search segments",
}

T = TypeVar("T")


class _Clock:
    """Adds up what each step costs."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STEPS, 0.0)

    def time(self, step: str, work: Callable[[], T]) -> T:
        begin = thread_time()
        result = work()
        self.seconds[step] += thread_time() - begin
        return result


def breakdown(scale: Scale, *, http_us: float, whole_us: float) -> list[Figure]:
    """Return the cost of each step, beside the whole that was measured over HTTP."""
    bodies = [document.body for document in Documents(2).pairs(scale.count(COUNT))]
    clock = _Clock()
    with closing(Store(scale.folder / "breakdown")) as store:
        blocks = _Blocks(store, clock)
        for start in range(0, len(bodies), BLOCK_SIZE):
            blocks.decide(bodies[start : start + BLOCK_SIZE])
    steps = {name: clock.seconds[step] * 1e6 / len(bodies) for step, name in STEPS.items()}
    rest = {"HTTP: the handler that does nothing": http_us, **steps}
    rest["engine's loop, hops between threads, answers"] = whole_us - sum(rest.values())
    return [
        Figure(what=f"- {name}", value=value, unit="µs", peer=whole_us, peer_name="µs in all")
        for name, value in rest.items()
    ]


class _Blocks:
    """Does in order what the node does in three threads."""

    def __init__(self, store: Store, clock: _Clock) -> None:
        self._store, self._clock = store, clock
        self._proven = Proven(count_max=COUNT, bytes_max=1 << 30)
        limits = BlockLimits(1_000, 4 << 20)
        self._ledger = Ledger(store.writer, key=KEY, voters=[KEY.public_key], block=limits, proven=self._proven)
        self._pool = Pool(count_max=COUNT, bytes_max=1 << 30)

    def decide(self, bodies: Sequence[bytes]) -> None:
        """Bring documents from bytes to disk."""
        for start in range(0, len(bodies), BATCH_SIZE):
            self._admit(bodies[start : start + BATCH_SIZE])
        time, ledger, writer = self._clock.time, self._ledger, self._store.writer
        candidates = [one.body for one in self._pool]
        height = writer.tip().height + 1
        proposal = time(
            "propose",
            lambda: sign_proposal(
                ledger.propose(candidates).transactions,
                height=height,
                timestamp=TIMESTAMP,
                voters=[KEY.public_key],
                key=KEY,
            ),
        )
        verdict = time("vote", lambda: ledger.accepts(proposal))
        effects = time("finalize", lambda: ledger.finalize(verdict))
        time("store", lambda: ledger.commit(effects))
        time("tidy", writer.tidy)
        self._pool.remove([one.id for one in effects.transactions])

    def _admit(self, bodies: Sequence[bytes]) -> None:
        time = self._clock.time
        transactions = time("parse", lambda: [parse(body) for body in bodies])
        verdicts = time("verify", lambda: [verify(transaction) for transaction in transactions])
        parsed = [Parsed(*pair) for pair in zip(transactions, verdicts, strict=True)]
        self._proven.add(transactions)
        time("state", lambda: self._judge(parsed))

    def _judge(self, parsed: Sequence[Parsed]) -> None:
        view = self._store.writer.view(Needs.of(one.transaction for one in parsed))
        for one in parsed:
            self._pool.admit(one.transaction, view, signatures_valid=one.signatures_valid)
