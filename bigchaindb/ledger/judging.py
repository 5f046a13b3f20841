"""Transactions one after the other, each judged by the state that the valid ones before it leave."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bigchaindb.errors import DuplicateTransaction, MalformedJson, ValidationError
from bigchaindb.ledger.rules import check_state
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.ledger.view import Overlay, View
from bigchaindb.transaction.model import Transaction


class Examined(NamedTuple):
    """A transaction whose structure, id and content hold (T0 to T7), and the verdict on its signatures."""

    transaction: Transaction
    signatures_valid: bool


Examination = Examined | ValidationError
"""Result of the check without state: the transaction, or what is wrong with the document."""


def transactions_of(examined: Sequence[Examination]) -> list[Transaction]:
    """Return the transactions of the documents that could be read."""
    return [one.transaction for one in examined if isinstance(one, Examined)]


def judge(
    examined: Sequence[Examination], committed: View, *, validators: ValidatorSet | None = None
) -> Iterator[ValidationError | None]:
    """Judge the transactions of a block in order; yield what is wrong with each, or None (L1, L2).

    A transaction may spend what stands before it. Source: docs/reference/contract/transactions.md, section 6.

    Args:
        examined: of the block, in order.
        committed: the state before the block.
        validators: see `check_state`; the same for all of the block.
    """
    overlay = Overlay(committed)
    for one in examined:
        yield one if isinstance(one, ValidationError) else _place(one, overlay, validators)


def _place(one: Examined, overlay: Overlay, validators: ValidatorSet | None) -> ValidationError | None:
    if one.transaction.id in overlay.added:
        return DuplicateTransaction("Block has duplicate transaction")  # blocks-and-votes.md, section 1
    try:
        check_state(one.transaction, overlay, signatures_valid=one.signatures_valid, validators=validators)
    except ValidationError as error:
        return error
    overlay.add(one.transaction)
    return None


def require_exact(body: bytes, one: Examination) -> Examination:
    """Refuse a document that is not in canonical form: a block's bytes are its transactions' own, joined."""
    if isinstance(one, Examined) and one.transaction.body != body:
        return MalformedJson("not in canonical form")
    return one
