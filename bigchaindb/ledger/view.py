"""The part of the state that validation needs, as a value.

The edge loads a `LoadedView` for the transactions at hand in one batch; rules then run over it without I/O. An
`Overlay` adds what a proposal, or the pool, holds on top.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from bigchaindb.transaction.model import OutputRef, Transaction


class HeldOutput(NamedTuple):
    """An output as the state knows it; `spent_by` is the id of the transaction that spent it, or None."""

    amount: int
    fingerprint: bytes
    asset_id: str
    spent_by: str | None


class View(Protocol):
    """The questions that the rules T8 to T16 ask."""

    def has_transaction(self, transaction_id: str) -> bool:
        """Whether a transaction of that id exists."""
        ...

    def output(self, ref: OutputRef) -> HeldOutput | None:
        """Return the output, or None if the transaction or the index does not exist."""
        ...


class Needs(NamedTuple):
    """What has to be loaded to validate some transactions."""

    transaction_ids: AbstractSet[str]
    outputs: AbstractSet[OutputRef]

    @classmethod
    def of(cls, transactions: Iterable[Transaction]) -> "Needs":
        """Collect the ids and the spent outputs of `transactions`."""
        ids: set[str] = set()
        refs: set[OutputRef] = set()
        for transaction in transactions:
            ids.add(transaction.id)
            refs.update(i.fulfills for i in transaction.inputs if i.fulfills is not None)
        return cls(ids, refs)


@dataclass(frozen=True, slots=True)
class LoadedView:
    """Committed state at one height, limited to what `Needs` names."""

    height: int
    present: AbstractSet[str]
    outputs: Mapping[OutputRef, HeldOutput]

    def has_transaction(self, transaction_id: str) -> bool:
        """See `View`."""
        return transaction_id in self.present

    def output(self, ref: OutputRef) -> HeldOutput | None:
        """See `View`."""
        return self.outputs.get(ref)


@dataclass(slots=True)
class Overlay:
    """A view with further transactions on top, in order: those before it in its block, or in the pool."""

    below: View
    added: dict[str, Transaction] = field(default_factory=dict)
    spent: dict[OutputRef, str] = field(default_factory=dict)

    def add(self, transaction: Transaction) -> None:
        """Put a transaction on top; the caller has checked it against this very view."""
        self.added[transaction.id] = transaction
        for input_ in transaction.inputs:
            if input_.fulfills is not None:
                assert input_.fulfills not in self.spent, input_.fulfills  # L1
                self.spent[input_.fulfills] = transaction.id

    def has_transaction(self, transaction_id: str) -> bool:
        """See `View`."""
        return transaction_id in self.added or self.below.has_transaction(transaction_id)

    def output(self, ref: OutputRef) -> HeldOutput | None:
        """See `View`."""
        if (transaction := self.added.get(ref.transaction_id)) is not None:
            if ref.output_index >= len(transaction.outputs):
                return None
            output = transaction.outputs[ref.output_index]
            return HeldOutput(output.amount, output.fingerprint, transaction.asset_id, self.spent.get(ref))
        held = self.below.output(ref)
        if held is not None and held.spent_by is None and (spender := self.spent.get(ref)) is not None:
            return held._replace(spent_by=spender)
        return held
