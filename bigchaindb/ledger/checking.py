"""Checking documents and choosing among candidates: what the ledger of every network does alike."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bigchaindb.errors import ValidationError
from bigchaindb.ledger.effects import Tip
from bigchaindb.ledger.ports import LedgerStore
from bigchaindb.ledger.proposal import Fault
from bigchaindb.ledger.proven import Proven
from bigchaindb.ledger.validating import Parsed, ParseResult, require_exact, transactions_of, validate_in_order
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.ledger.view import LoadedView, Needs, View
from bigchaindb.transaction import Transaction, parse, verify


class Chosen(NamedTuple):
    """What a proposer puts into its block, and which candidates it found to break a rule, by their index."""

    transactions: tuple[bytes, ...]
    rejected: tuple[tuple[int, ValidationError], ...]


class BlockLimits(NamedTuple):
    """How large a block may be: its transactions, and their bytes."""

    count_max: int
    bytes_max: int


class Checker:
    """Checks documents over a store: the part of every ledger that asks the rules alone."""

    def __init__(
        self,
        store: LedgerStore,
        block: BlockLimits,
        proven: Proven,
        *,
        elections: bool = False,
        bound: str = "limits.block_bytes_max",
    ) -> None:
        """Make the checker of one ledger.

        Args:
            store: the ledger's.
            block: how large a block may be.
            proven: what was verified before.
            elections: see `parse`.
            bound: what people know `block.bytes_max` by.
        """
        self._store = store
        self._elections = elections
        self._bound = bound
        self._block = block
        self._proven = proven
        self._viewed: tuple[Tip | None, Needs, View] = (None, Needs(frozenset(), frozenset()), LoadedView(0, set(), {}))

    def verify(self, bodies: Sequence[bytes]) -> list[ParseResult]:
        """Parse documents and verify signatures; return for each, in order, the transaction or what is wrong.

        Any thread may call it, and should: signatures are the work. The check ends in `Pool.admit`.
        """
        # All are read, then all signatures verified: 4 % less than in turn, since either code stays in the cache.
        read = [self._proven_or_parsed(body) for body in bodies]
        parsed = [Parsed(one, verify(one)) if isinstance(one, Transaction) else one for one in read]
        self._proven.add(one.transaction for one in parsed if isinstance(one, Parsed) and one.signatures_valid)
        return parsed

    def forget(self, bodies: Sequence[bytes]) -> None:
        """Drop documents from the memory of `verify`; they are verified again when they come back."""
        self._proven.forget(bodies)

    def check_block(
        self, bodies: Sequence[bytes], validators: ValidatorSet | None = None, *, first: int = 0
    ) -> tuple[tuple[Transaction, ...], Fault | None]:
        """Check the transactions of a proposal; return them all, or none and the first fault.

        Args:
            bodies: in order.
            validators: see `validate`.
            first: index of the first of them in the proposal.
        """
        parsed = [require_exact(body, one) for body, one in zip(bodies, self.verify(bodies), strict=True)]
        for index, error in enumerate(self.validate(parsed, validators), first):
            if error is not None:
                return (), Fault("transactions", error, index)
        return tuple(transactions_of(parsed)), None

    def select(
        self,
        candidates: Sequence[bytes],
        *,
        bytes_max: int,
        overhead_bytes: int = 0,
        validators: ValidatorSet | None = None,
    ) -> Chosen:
        """Choose the longest beginning of `candidates` that fits, without those that break a rule.

        Args:
            candidates: in order; one may spend what stands before it.
            bytes_max: of the chosen ones together.
            overhead_bytes: that each takes besides its own.
            validators: see `validate`.
        """
        chosen: list[bytes] = []
        rejected: list[tuple[int, ValidationError]] = []
        room = bytes_max
        validated = self.validate(self.verify(candidates), validators)
        for index, (body, error) in enumerate(zip(candidates, validated, strict=False)):
            if error is not None:
                rejected.append((index, error))
                continue
            room -= len(body) + overhead_bytes
            if room < 0 or len(chosen) == self._block.count_max:
                break  # nothing behind it either: it might spend what stands here
            chosen.append(body)
        return Chosen(tuple(chosen), tuple(rejected))

    def validate(
        self, parsed: Sequence[ParseResult], validators: ValidatorSet | None = None
    ) -> Iterator[ValidationError | None]:
        """Validate the transactions of a block in order by the committed state; yield each error, or None."""
        return validate_in_order(parsed, self._view(Needs.of(transactions_of(parsed))), validators=validators)

    def _view(self, needs: Needs) -> View:
        """Load what `needs` names, unless the last view of this height holds it: a voter proposes as well."""
        tip = self._store.tip()
        seen_at, seen, view = self._viewed
        if seen_at is tip and needs.transaction_ids <= seen.transaction_ids and needs.outputs <= seen.outputs:
            return view
        view = self._store.view(needs)
        self._viewed = (tip, needs, view)
        return view

    def _proven_or_parsed(self, body: bytes) -> ParseResult | Transaction:
        if (proven := self._proven.get(body)) is not None:
            return Parsed(proven, signatures_valid=True)
        try:
            transaction = parse(body, elections=self._elections)
        except ValidationError as error:
            return error
        return self._find_too_long(transaction) or transaction

    def _find_too_long(self, transaction: Transaction) -> ValidationError | None:
        """Refuse what no block can hold: canonical text may be five times as long as what was posted (`1e20`)."""
        size, size_max = len(transaction.body), self._block.bytes_max
        if size <= size_max:
            return None
        return ValidationError(f"its canonical text has {size} bytes, and {self._bound} is {size_max}")
