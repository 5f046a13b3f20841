"""The pool: transactions that passed the check and wait for a block. Pure; its owner orders the calls to it.

Its transactions lie as an overlay on committed state: what one of them spends is taken, what one of them creates can be
spent. They keep the order of their admission, so that parents precede children.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from bigchaindb.errors import DoubleSpend, DuplicateTransaction, InputDoesNotExist, Overloaded, ValidationError
from bigchaindb.ledger.rules import validate
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.ledger.view import Overlay, View
from bigchaindb.ledger.weight import is_heavy, weight_ms
from bigchaindb.transaction.model import OutputRef, Transaction

HEAVY_SHARE: Final = 8
"""One part in so many of the pool's bytes is for heavy transactions: all others have room while strangers send those,
and the objects that one stands for in memory take up to four times its bytes."""
HEAVY_BLOCK_MS: Final = 5.0
"""Time that the heavy transactions of a block take to write together, as estimated: as long as sixty usual ones. What
takes more by itself is dear: writing 60,000 new words takes 50 ms (measured), and a request for a commit waits for the
block that is being written and for the next."""

Body = bytes
"""Canonical bytes of a transaction; within the pool `bytes` is its size."""


class RejectedTransaction(NamedTuple):
    """A transaction that was accepted and turned out to break a rule (L4)."""

    transaction: Transaction
    error: ValidationError


class Pool:
    """Checked transactions in order, bounded by number and bytes.

    Attributes:
        require_writer: raises WriterNotAllowed for a transaction that this node does not take.
    """

    def __init__(self, *, count_max: int, bytes_max: int) -> None:
        self.require_writer: Callable[[Transaction], None] = lambda _: None
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._transactions: dict[str, Transaction] = {}
        self._bodies: set[bytes] = set()
        self._spent: dict[OutputRef, str] = {}
        self._bytes = 0
        self._heavy: dict[str, float] = {}
        self._heavy_bytes = 0

    def __len__(self) -> int:
        return len(self._transactions)

    def __iter__(self) -> Iterator[Transaction]:
        return iter(self._transactions.values())

    def __contains__(self, transaction_id: str) -> bool:
        return transaction_id in self._transactions

    @property
    def bytes(self) -> int:
        """The size of all bodies."""
        return self._bytes

    def get(self, transaction_id: str) -> Transaction | None:
        """Return the transaction of that id; None if it is not in the pool."""
        return self._transactions.get(transaction_id)

    def holds(self, body: Body) -> bool:
        """Whether a transaction of exactly these bytes is in the pool; answered without parsing."""
        return body in self._bodies

    def shortage(self, body: Body) -> Overloaded | None:
        """Return which bound leaves no room for one more body; None: there is room."""
        if len(self._transactions) >= self._count_max:
            return Overloaded(
                f"{self._count_max:,} transactions are in the pool (limits.pool_count_max); try again later"
            )
        if self._bytes + len(body) > self._bytes_max:
            return Overloaded(
                f"{self._bytes:,} of {self._bytes_max:,} bytes are in the pool (limits.pool_bytes_max); try again later"
            )
        heavy_bytes = self._heavy_bytes + len(body)
        if self._heavy and heavy_bytes * HEAVY_SHARE > self._bytes_max and is_heavy(body):
            share = f"1/{HEAVY_SHARE} of the pool's {self._bytes_max:,} bytes"
            return Overloaded(f"large transactions fill {share} (limits.pool_bytes_max); try again later")
        return None

    def admit(
        self,
        transaction: Transaction,
        committed: View,
        *,
        signatures_valid: bool,
        validators: ValidatorSet | None = None,
    ) -> None:
        """Add a transaction that is valid after everything committed and everything in the pool.

        Args:
            transaction: with structure, id and content checked.
            committed: not older than the last block whose transactions were removed; it may be newer, for what is in
                the pool as well as committed changes no verdict.
            signatures_valid: whether its signatures verify.
            validators: see `validate`; of the state that `committed` is of.

        Raises:
            ValidationError: the rule that it breaks; a repeat of what is in the pool is `DuplicateTransaction`.
            WriterNotAllowed: this node does not take it.
            Overloaded: a bound is reached.
        """
        self.require_writer(transaction)
        if transaction.id in self._transactions:
            raise DuplicateTransaction(f"transaction `{transaction.id}` already exists")  # http-api.md, section 4
        overlay = Overlay(committed, self._transactions, self._spent)
        validate(transaction, overlay, signatures_valid=signatures_valid, validators=validators)
        if (shortage := self.shortage(transaction.body)) is not None:
            raise shortage
        overlay.add(transaction)  # L1: it asserts that nothing in the pool spends the same
        self._bodies.add(transaction.body)
        self._bytes += len(transaction.body)
        if is_heavy(transaction.body):
            self._heavy[transaction.id] = weight_ms(transaction)
            self._heavy_bytes += len(transaction.body)

    def candidates(self, *, count_max: int, bytes_max: int, heavy_ms_max: float = HEAVY_BLOCK_MS) -> list[Transaction]:
        """Return what a block may hold, in order; whatever a candidate spends is committed or before it.

        It is the longest beginning of the pool that fits, without heavy transactions beyond `heavy_ms_max`, and without
        those that stand on them: others do not wait for them.

        Args:
            count_max: transactions.
            bytes_max: of them all.
            heavy_ms_max: weight of the heavy ones together.
        """
        chosen: list[Transaction] = []
        room, heavy_room = bytes_max, heavy_ms_max
        left: set[str] = set()
        for transaction in self._transactions.values():
            weight = self._heavy.get(transaction.id, 0.0)
            if weight > heavy_room or (left and not left.isdisjoint(_spent_ids(transaction))):
                left.add(transaction.id)
                continue
            heavy_room -= weight
            room -= len(transaction.body)
            if room < 0 or len(chosen) == count_max:
                break
            chosen.append(transaction)
        return chosen

    def first_dear(self, *, bytes_max: int) -> list[Transaction]:
        """Return the first transaction that takes over `HEAVY_BLOCK_MS` and spends nothing of the pool, or none."""
        for id_, weight in self._heavy.items():
            if weight > HEAVY_BLOCK_MS:
                found = self._transactions[id_]
                if self._transactions.keys().isdisjoint(_spent_ids(found)):
                    return [found] if len(found.body) <= bytes_max else []
        return []

    @property
    def heavy_count(self) -> int:
        """How many heavy transactions wait in it."""
        return len(self._heavy)

    def has_heavy(self, transactions: Iterable[Transaction]) -> bool:
        """Whether one of these, which are in the pool, is heavy."""
        return any(one.id in self._heavy for one in transactions)

    def remove(self, transaction_ids: Iterable[str]) -> None:
        """Drop what was committed; ids that are not in the pool are passed over."""
        for transaction_id in transaction_ids:
            self._drop(transaction_id)

    def settle(self, committed: Sequence[Transaction]) -> list[RejectedTransaction]:
        """Drop what was committed, and what that leaves without the outputs that it spends.

        Returns:
            Each transaction that lost to a committed one, with its error, parents first (L4).
        """
        self.remove(one.id for one in committed)
        rejections: list[RejectedTransaction] = []
        for transaction in committed:
            for input_ in transaction.inputs:
                if input_.fulfills is not None and (rival := self._spent.get(input_.fulfills)) is not None:
                    spent = DoubleSpend(f"input `{input_.fulfills.transaction_id}` was already spent")
                    rejections += self.reject(rival, spent)
        return rejections

    def reject(self, transaction_id: str, error: ValidationError) -> list[RejectedTransaction]:
        """Drop a transaction that turned out to be invalid, and all that stand on it.

        Returns:
            Each dropped transaction with its error, parents first; empty if the id is not in the pool (L4).
        """
        rejections: list[RejectedTransaction] = []
        doomed = deque([(transaction_id, error)])
        while doomed:
            doomed_id, reason = doomed.popleft()
            children = self._children(doomed_id)
            if (transaction := self._drop(doomed_id)) is not None:
                rejections.append(RejectedTransaction(transaction, reason))
                orphaned = InputDoesNotExist(f"input `{doomed_id}` doesn't exist")
                doomed.extend((child_id, orphaned) for child_id in children)
        return rejections

    def _children(self, transaction_id: str) -> list[str]:
        transaction = self._transactions.get(transaction_id)
        if transaction is None:
            return []
        refs = (OutputRef(transaction_id, index) for index in range(len(transaction.outputs)))
        return [child_id for ref in refs if (child_id := self._spent.get(ref)) is not None]

    def _drop(self, transaction_id: str) -> Transaction | None:
        transaction = self._transactions.pop(transaction_id, None)
        if transaction is not None:
            self._bodies.discard(transaction.body)
            self._bytes -= len(transaction.body)
            if transaction_id in self._heavy:
                del self._heavy[transaction_id]
                self._heavy_bytes -= len(transaction.body)
            for input_ in transaction.inputs:
                if input_.fulfills is not None:
                    del self._spent[input_.fulfills]
        return transaction


def _spent_ids(transaction: Transaction) -> Iterator[str]:
    return (one.fulfills.transaction_id for one in transaction.inputs if one.fulfills is not None)
