"""Checking documents and choosing among candidates: what the ledger of every network does alike."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from bigchaindb.errors import ValidationError
from bigchaindb.ledger.effects import Tip
from bigchaindb.ledger.ports import LedgerStore
from bigchaindb.ledger.proposal import Fault
from bigchaindb.ledger.proven import Proven
from bigchaindb.ledger.validating import Parsed, ParseResult, require_exact, transactions_of, validate_in_order
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.ledger.verifying import DocumentRules, verify_all
from bigchaindb.ledger.view import LoadedView, Needs, View
from bigchaindb.transaction import Transaction

NONE_KNOWN: Final[Mapping[bytes, ParseResult]] = MappingProxyType({})


class Chosen(NamedTuple):
    """What a proposer puts into its block, and which candidates it found to break a rule, by their index."""

    transactions: tuple[bytes, ...]
    rejected: tuple[tuple[int, ValidationError], ...]


class BlockLimits(NamedTuple):
    """How large a block may be: its transactions, and their bytes."""

    count_max: int
    bytes_max: int


class Checker:
    """Checks documents over a store: the part of every ledger that asks the rules alone.

    Attributes:
        rules: of each document by itself.
        proven: what was verified before; any thread may use it.
    """

    def __init__(self, store: LedgerStore, count_max: int, rules: DocumentRules, proven: Proven) -> None:
        """Make the checker of one ledger.

        Args:
            store: the ledger's.
            count_max: transactions of a block.
            rules: of each document by itself.
            proven: what was verified before.
        """
        self.rules = rules
        self.proven = proven
        self._store = store
        self._count_max = count_max
        self._viewed: tuple[Tip | None, Needs, View] = (None, Needs(frozenset(), frozenset()), LoadedView(0, set(), {}))

    def verify(self, bodies: Sequence[bytes], known: Mapping[bytes, ParseResult] = NONE_KNOWN) -> list[ParseResult]:
        """Parse documents and verify signatures; return for each, in order, the transaction or what is wrong.

        Args:
            bodies: of the documents.
            known: results of this node's own for some of them.
        """
        found = {body: result for body in bodies if (result := known.get(body) or self._recall(body)) is not None}
        checked = verify_all([body for body in bodies if body not in found], self.rules)
        self.proven.add(one.transaction for one in checked if isinstance(one, Parsed) and one.signatures_valid)
        rest = iter(checked)
        return [found[body] if body in found else next(rest) for body in bodies]

    def forget(self, bodies: Sequence[bytes]) -> None:
        """Drop documents from the memory of `verify`; they are verified again when they come back."""
        self.proven.forget(bodies)

    def check_block(
        self,
        bodies: Sequence[bytes],
        validators: ValidatorSet | None = None,
        *,
        first: int = 0,
        known: Mapping[bytes, ParseResult] = NONE_KNOWN,
    ) -> tuple[tuple[Transaction, ...], Fault | None]:
        """Check the transactions of a proposal; return them all, or none and the first fault.

        Args:
            bodies: in order.
            validators: see `validate`.
            first: index of the first of them in the proposal.
            known: see `verify`.
        """
        parsed = [require_exact(body, one) for body, one in zip(bodies, self.verify(bodies, known), strict=True)]
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
            if room < 0 or len(chosen) == self._count_max:
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

    def _recall(self, body: bytes) -> Parsed | None:
        proven = self.proven.get(body)
        return None if proven is None else Parsed(proven, signatures_valid=True)
