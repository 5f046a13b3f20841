"""The intake: the work of every engine before a block is made, and the answers to submitters afterwards.

Admission, checks, the pool, and the answers. An engine takes candidates out of the pool, and reports the outcome.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from bigchaindb.config import Limits
from bigchaindb.engine.admission import AdmissionQueue, Answer, Entry, answer_all, answer_in_slices
from bigchaindb.engine.check_places import CheckOutcome
from bigchaindb.engine.checks import Checks, Verifies
from bigchaindb.engine.engine import EngineFigures, Mode, Standing, Status
from bigchaindb.engine.rejected import Rejected
from bigchaindb.engine.together import Outcome, Together
from bigchaindb.errors import (
    CheckFailed,
    CommitTimeout,
    EngineError,
    Overloaded,
    Stopping,
    StoreDamaged,
    ValidationError,
    WriterNotAllowed,
)
from bigchaindb.ledger.elections import validate_election
from bigchaindb.ledger.pool import Pool, RejectedTransaction
from bigchaindb.ledger.ports import LedgerStore
from bigchaindb.ledger.validating import Parsed, ParseResult
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.ledger.view import Needs, View
from bigchaindb.ledger.weight import is_heavy
from bigchaindb.transaction.model import Transaction


class Intake:
    """Takes transactions in until it is closed. Belongs to the event loop; one `run` each.

    Attributes:
        pool: what was admitted and is in no block.
        proposed: ids that stand in the block that is being decided.
        work: set whenever something was admitted, and at the end.
        has_ended: whether nothing more will be admitted.
    """

    def __init__(
        self,
        ledger: Verifies,
        store: LedgerStore,
        *,
        limits: Limits,
        pool: Pool,
        refusal: Callable[[bytes], EngineError | None],
        accepted: Callable[[Entry, Transaction], None],
        rejected: Rejected,
        elected: Callable[[], ValidatorSet | None] = lambda: None,
        workers: int | None = None,
    ) -> None:
        """Make the intake of one engine.

        Args:
            ledger: has the rules that need no state, and remembers what was found right.
            store: the ledger's own.
            limits: of admission and waiters.
            pool: empty.
            refusal: returns why a body is not taken now; None: it may be.
            accepted: called with an entry and the transaction just put into the pool, and answers it: see `accept`.
            rejected: takes each transaction that breaks a rule after it was in the pool.
            elected: returns the validators that elections are checked against; None where there are no elections.
            workers: see `bigchaindb.engine.checks.process_count`.
        """
        self._proven = ledger.proven
        self._store = store
        self._limits = limits
        self._refusal = refusal
        self._accepted = accepted
        self._elected = elected
        self._queue = AdmissionQueue(limits.admission_bytes_max)
        self._checks = Checks(ledger, workers)
        # As many as there can be batches at a time, the heavy one included: none waits for the disk of another.
        self._readers = ThreadPoolExecutor(self._checks.width + 1, thread_name_prefix="view")
        self._waiting: dict[str, Entry] = {}
        self._waiting_count = 0
        self._rejected = rejected
        self._height = store.tip().height
        self._commit_count = 0
        self._stopping = False
        self.has_ended = False
        self.pool = pool
        self.proposed: frozenset[str] = frozenset()
        self.work = asyncio.Event()

    async def run(self) -> None:
        """Check and admit until `close`."""
        self._checks.open()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._checks.width):
                tasks.create_task(self._admit_batches())
            tasks.create_task(self._admit_heavy())
        self.has_ended = True
        self.work.set()

    def close(self) -> None:
        """Take nothing more; `run` returns once what was taken is admitted or refused."""
        self._stopping = True
        self._queue.close(Stopping("the node is about to stop"))
        self._checks.end_soon()
        self.work.set()

    def end(self) -> None:
        """Answer all waiting submitters, and end the check processes."""
        self.close()
        self.answer_waiting(EngineError("the engine stopped; the transaction may be committed"))
        self._checks.close()
        self._readers.shutdown()

    def answer_waiting(self, error: EngineError) -> None:
        """Answer all who wait for a block with `error`, since none comes."""
        answer_all(self._waiting.values(), error)
        self._waiting.clear()

    async def submit(self, body: bytes, mode: Mode) -> Transaction:
        """See `Engine`."""
        if self._stopping:
            raise Stopping("the node is about to stop")
        if (refusal := self._refusal(body)) is not None:
            raise refusal
        if mode is not Mode.COMMIT:
            return await self.admit(body, mode)
        if self._waiting_count >= self._limits.commit_waiter_count_max:
            raise Overloaded(
                f"{self._waiting_count:,} requests wait for their commit (limits.commit_waiter_count_max); try again "
                "later"
            )
        loop = asyncio.get_running_loop()
        entry = self._put(body, mode)
        timer = loop.call_later(self._limits.commit_wait_s_max, self._give_up, entry)
        self._waiting_count += 1
        try:
            return await entry.answer
        finally:
            self._waiting_count -= 1
            timer.cancel()

    async def admit(self, body: bytes, mode: Mode | None = None) -> Transaction:
        """Check a transaction and put it into the pool; one without a mode came from another node.

        Raises:
            ValidationError: it breaks a rule.
            Overloaded: a bound of the pool or of the checks is reached.
            Stopping, CheckFailed: as `submit`.
        """
        return await self._put(body, mode).answer

    async def admit_all(self, bodies: Sequence[bytes]) -> list[Outcome]:
        """Check transactions that came together from another node; return for each what `admit` returns or raises."""
        together = Together(bodies)
        for entry in together.entries:
            try:
                self._take(entry)
            except EngineError as error:
                entry.resolve(error)
        return await together.outcomes()

    def standing(self, transaction_id: str) -> Standing | None:
        """See `Engine`."""
        if transaction_id in self.pool:
            return Standing(Status.UNDECIDED if transaction_id in self.proposed else Status.BACKLOG)
        error = self._rejected.get(transaction_id)
        return None if error is None else Standing(Status.REJECTED, error)

    @property
    def figures(self) -> EngineFigures:
        """What is in hand, and what was done."""
        return EngineFigures(
            admission_bytes=self._queue.bytes,
            pool_count=len(self.pool),
            pool_bytes=self.pool.bytes,
            waiting_count=self._waiting_count,
            commit_count=self._commit_count,
            rejected_count=self._rejected.added_count,
            rejected_bytes=self._rejected.bytes,
            checks=self._checks.figures(),
        )

    def committed(self, transactions: Sequence[Transaction], height: int) -> list[Answer]:
        """Take note of a block; return the answers to those who waited for it."""
        self._height = height
        rivals = self.pool.settle(transactions)
        waiting = self._waiting
        answers: list[Answer] = [(waiting.pop(one.id), one) for one in transactions if one.id in waiting]
        return answers + self.report(rivals)

    def decided(self) -> None:
        """Count a decision."""
        self._commit_count += 1

    def report(self, rejections: Iterable[RejectedTransaction]) -> list[Answer]:
        """Leave word of each rejected transaction (L4); return the answers to those who waited for it."""
        answers: list[Answer] = []
        for transaction, error in rejections:
            self._rejected.add(transaction, error)
            if (entry := self._waiting.pop(transaction.id, None)) is not None:
                answers.append((entry, error))
        return answers

    def turn_away(self, transaction_id: str, error: ValidationError) -> None:
        """Drop a transaction that breaks a rule now and its descendants from the pool, and leave word of each (L4)."""
        answer_in_slices(self.report(self.pool.reject(transaction_id, error)))

    def revalidate_elections(self) -> None:
        """Turn away the elections of the pool that were made among other validators than there are now (L4).

        A node without a vote never proposes, and so would never notice.
        """
        validators = self._elected()
        assert validators is not None, "elections, and nobody to hold them"
        for one in [one for one in self.pool if one.operation == "VALIDATOR_ELECTION"]:
            try:
                validate_election(one, validators)
            except ValidationError as error:
                self.turn_away(one.id, error)

    async def judge(self, bodies: Sequence[bytes]) -> Mapping[bytes, ParseResult]:
        """Check the documents of a block that nobody posted here, before anything of clients; see `Checks.judge`."""
        return await self._checks.judge(bodies)

    def _put(self, body: bytes, mode: Mode | None) -> Entry:
        entry = Entry(body, mode, asyncio.get_running_loop().create_future())
        self._take(entry)
        return entry

    def _take(self, entry: Entry) -> None:
        if self._stopping:
            raise Stopping("the node is about to stop")
        self._queue.put(entry)

    def _give_up(self, entry: Entry) -> None:
        limit_s = self._limits.commit_wait_s_max
        entry.resolve(CommitTimeout(f"undecided after {limit_s:g} s; the transaction may still be committed"))

    async def _admit_batches(self) -> None:
        while entries := await self._queue.take():
            await self._admit_checked(entries, self._checks.check([entry.body for entry in entries]))
            self._queue.finish()

    async def _admit_heavy(self) -> None:
        """Check heavy documents one by one, in a process of their own: nobody else waits behind one."""
        while (entry := await self._queue.take_heavy()) is not None:
            if (refusal := None if entry.mode is None else self._refusal(entry.body)) is not None:
                entry.resolve(refusal)  # there was room when it came; checking it would be for nothing
                continue
            await self._admit_checked([entry], self._checks.check_heavy(entry.body))

    async def _admit_checked(self, entries: Sequence[Entry], checking: Awaitable[list[CheckOutcome]]) -> None:
        try:
            outcomes, view = await self._with_view(await checking)
        except (Stopping, Overloaded) as error:
            answer_all(entries, error)
            return
        except BaseException:
            answer_all(entries, EngineError("the engine stopped before the transaction was checked"))
            raise
        self._admit(entries, outcomes, view)

    async def _with_view(self, outcomes: Sequence[CheckOutcome]) -> tuple[Sequence[CheckOutcome | StoreDamaged], View]:
        """Load the state; documents that need what is damaged fail alone, and the others are checked as ever."""
        try:
            return outcomes, await self._view(outcomes)
        except StoreDamaged:
            found = [await self._load_alone(one) for one in outcomes]
            return found, await self._view(found)

    async def _load_alone(self, outcome: CheckOutcome) -> CheckOutcome | StoreDamaged:
        try:
            await self._view([outcome])
        except StoreDamaged as error:
            return error
        return outcome

    async def _view(self, outcomes: Sequence[CheckOutcome | StoreDamaged]) -> View:
        """Load the state for the rules: in a thread if it may lie anywhere on the disk, as older outputs do."""
        needs = Needs.of([one.transaction for one in outcomes if isinstance(one, Parsed)])
        while True:
            if (near := self._near(needs)) is not None:
                view = self._store.view(near)
            else:
                view = await asyncio.get_running_loop().run_in_executor(self._readers, self._store.view, needs)
            if view.height >= self._height:  # L1: never judge by a state that a commit has overtaken
                return view

    def _near(self, needs: Needs) -> Needs | None:
        """Return what to load where none of it waits for a disk; else None.

        The pool answers for what stands in it, before any state: what is judged in this turn needs no more of that.
        """
        outputs = {ref for ref in needs.outputs if ref.transaction_id not in self.pool}
        ids = {ref.transaction_id for ref in outputs} - needs.transaction_ids
        return needs._replace(outputs=outputs) if all(map(self._store.is_recent, ids)) else None

    def _admit(self, entries: Sequence[Entry], outcomes: Sequence[CheckOutcome | StoreDamaged], view: View) -> None:
        for entry, outcome in zip(entries, outcomes, strict=True):
            try:
                transaction = self._admit_one(outcome, view)
            except (ValidationError, Overloaded, CheckFailed, WriterNotAllowed, StoreDamaged) as error:
                entry.resolve(error)
                self._forget(outcome)
                continue
            if entry.mode is Mode.COMMIT:
                self._waiting[transaction.id] = entry
            self._accepted(entry, transaction)
        self.work.set()

    def _forget(self, outcome: CheckOutcome | StoreDamaged) -> None:
        """Forget a heavy transaction that is refused: strangers would fill the memory of proven ones with them."""
        if isinstance(outcome, Parsed) and is_heavy(body := outcome.transaction.body) and not self.pool.holds(body):
            self._proven.forget([body])

    def _admit_one(self, outcome: CheckOutcome | StoreDamaged, view: View) -> Transaction:
        if isinstance(outcome, (ValidationError, CheckFailed, StoreDamaged)):
            raise outcome
        self.pool.admit(
            outcome.transaction, view, signatures_valid=outcome.signatures_valid, validators=self._elected()
        )
        return outcome.transaction


def accept(entry: Entry, transaction: Transaction) -> None:
    """Answer a submitter that does not wait for a block: the transaction is in the pool (L5)."""
    if entry.mode is not Mode.COMMIT:
        entry.resolve(transaction)
