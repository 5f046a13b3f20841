"""Transactions for tests, and a model of committed state to judge them by."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from bigchaindb.ledger.effects import Effects, Tip
from bigchaindb.ledger.view import HeldOutput, LoadedView, Needs
from bigchaindb.transaction import KeyPair, Transaction, build, parse
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.model import OutputRef, Version

NODE: Final = KeyPair.from_seed(b"n" * 32)
ALICE: Final = KeyPair.from_seed(b"a" * 32)
BOB: Final = KeyPair.from_seed(b"b" * 32)
CAROL: Final = KeyPair.from_seed(b"c" * 32)


def create(serial: int, owner: KeyPair = ALICE, amounts: Sequence[int] = (1,), version: Version = "2.0") -> Transaction:
    """Make a CREATE whose outputs all belong to `owner`."""
    payments = [build.Payment(details_of([owner.public_key]), amount) for amount in amounts]
    return parse(build.create([owner], payments, data={"serial": serial}, version=version).body)


@dataclass(frozen=True)
class Coin:
    """An output with what is needed to spend it."""

    transaction: Transaction
    index: int = 0
    owner: KeyPair = ALICE

    @property
    def ref(self) -> OutputRef:
        return OutputRef(self.transaction.id, self.index)


def transfer(
    *coins: Coin,
    to: KeyPair = BOB,
    amounts: Sequence[int] | None = None,
    asset_id: str | None = None,
    note: int = 0,
    version: Version = "2.0",
) -> Transaction:
    """Spend `coins`; by default everything goes to `to` in one output."""
    total = sum(coin.transaction.outputs[coin.index].amount for coin in coins)
    spends = [build.Spend(coin.ref, details_of([coin.owner.public_key]), (coin.owner,)) for coin in coins]
    payments = [
        build.Payment(details_of([to.public_key]), amount) for amount in ([total] if amounts is None else amounts)
    ]
    asset = asset_id or coins[0].transaction.asset_id
    return parse(build.transfer(asset, spends, payments, metadata={"note": note}, version=version).body)


PARENT: Final = create(1, amounts=(2, 3))
CHILD: Final = transfer(Coin(PARENT))
RIVAL: Final = transfer(Coin(PARENT), to=CAROL)
"""Spends what CHILD spends."""
GRANDCHILD: Final = transfer(Coin(CHILD, owner=BOB), to=CAROL)


@dataclass
class Committed:
    """The committed state, as a model of a store: enough to judge by, kept in two dictionaries."""

    height: int = 0
    present: dict[str, Transaction] = field(default_factory=dict)
    spent_by: dict[OutputRef, str] = field(default_factory=dict)

    def add(self, *transactions: Transaction) -> None:
        """Commit a block."""
        self.height += 1
        for transaction in transactions:
            assert transaction.id not in self.present
            self.present[transaction.id] = transaction
            for input_ in transaction.inputs:
                if input_.fulfills is not None:
                    assert input_.fulfills not in self.spent_by  # L1
                    self.spent_by[input_.fulfills] = transaction.id

    def has_transaction(self, transaction_id: str) -> bool:
        return transaction_id in self.present

    def output(self, ref: OutputRef) -> HeldOutput | None:
        transaction = self.present.get(ref.transaction_id)
        if transaction is None or ref.output_index >= len(transaction.outputs):
            return None
        output = transaction.outputs[ref.output_index]
        return HeldOutput(output.amount, output.fingerprint, transaction.asset_id, self.spent_by.get(ref))

    def view(self, needs: Needs) -> LoadedView:
        """Return the state now, for good."""
        held = {ref: output for ref in needs.outputs if (output := self.output(ref)) is not None}
        return LoadedView(self.height, needs.transaction_ids & self.present.keys(), held)

    def unspent(self) -> list[tuple[Transaction, int]]:
        """Return all unspent outputs, in the order in which they came to be."""
        return [
            (transaction, index)
            for transaction in self.present.values()
            for index in range(len(transaction.outputs))
            if OutputRef(transaction.id, index) not in self.spent_by
        ]


@dataclass
class ModelStore:
    """The port of a store, as a model: committed state in two dictionaries."""

    state: Committed = field(default_factory=Committed)
    last: Tip = field(default_factory=Tip)
    history: list[Effects] = field(default_factory=list)

    def tip(self) -> Tip:
        return self.last

    def view(self, needs: Needs) -> LoadedView:
        return self.state.view(needs)

    def is_recent(self, transaction_id: str) -> bool:
        return self.state.has_transaction(transaction_id)

    def commit(self, effects: Effects) -> None:
        positions = [one.event.position for one in effects.logged]
        assert positions == list(range(self.last.position + 1, effects.tip.position + 1))  # E2
        if effects.transactions:
            self.state.add(*effects.transactions)  # L1 is asserted there
        self.last = effects.tip
        self.history.append(effects)

    def tidy(self) -> bool:
        return False
