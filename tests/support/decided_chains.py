"""Chains of decisions as `finalize` makes them, for tests."""

from collections.abc import Sequence

from bigchaindb.errors import DoubleSpend
from bigchaindb.ledger.effects import Effects, Tip
from bigchaindb.ledger.proposal import Fault, Verdict, sign_proposal
from bigchaindb.ledger.transition import finalize
from bigchaindb.transaction import KeyPair, Transaction
from tests.support.chains import NODE, create

CREATES = [create(serial) for serial in range(8)]


def verdict(tip: Tip, transactions: Sequence[Transaction], *, valid: bool) -> Verdict:
    """Propose transactions after `tip`, and judge them: one is a double spend where they are not valid."""
    block = sign_proposal(
        [one.body for one in transactions],
        height=tip.height + 1,
        timestamp=1_700_000_000 + tip.position,
        voters=[NODE.public_key],
        key=NODE,
    )
    if valid:
        return Verdict(block, tuple(transactions), None)
    return Verdict(block, (), Fault("transactions", DoubleSpend("a text"), 0))


def chain(decisions: Sequence[tuple[int, bool]], key: KeyPair = NODE) -> list[Effects]:
    """Decide blocks one after the other, each of so many transactions and valid or not."""
    tip, made = Tip(), []
    for count, valid in decisions:
        made.append(finalize(verdict(tip, CREATES[:count], valid=valid), tip, key))
        tip = made[-1].tip
    return made
