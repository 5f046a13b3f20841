"""Transactions one after the other, each validated by the state that the valid ones before it leave."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bigchaindb.errors import DuplicateTransaction, MalformedJson, ValidationError
from bigchaindb.ledger.rules import validate
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.ledger.view import Overlay, View
from bigchaindb.transaction.model import Transaction


class Parsed(NamedTuple):
    """A transaction whose structure, id and content hold (T0 to T7), and whether its signatures verify."""

    transaction: Transaction
    signatures_valid: bool


ParseResult = Parsed | ValidationError
"""Result of the check without state: the transaction, or what is wrong with the document."""


def transactions_of(parsed: Sequence[ParseResult]) -> list[Transaction]:
    """Return the transactions of the documents that could be read."""
    return [one.transaction for one in parsed if isinstance(one, Parsed)]


def validate_in_order(
    parsed: Sequence[ParseResult], committed: View, *, validators: ValidatorSet | None = None
) -> Iterator[ValidationError | None]:
    """Validate the transactions of a block in order; yield what is wrong with each, or None (L1, L2).

    A transaction may spend what stands before it. Source: docs/reference/contract/transactions.md, section 6.

    Args:
        parsed: of the block, in order.
        committed: the state before the block.
        validators: see `validate`; the same for all of the block.
    """
    overlay = Overlay(committed)
    for one in parsed:
        yield one if isinstance(one, ValidationError) else _place(one, overlay, validators)


def _place(one: Parsed, overlay: Overlay, validators: ValidatorSet | None) -> ValidationError | None:
    if one.transaction.id in overlay.added:
        return DuplicateTransaction("Block has duplicate transaction")  # blocks-and-votes.md, section 1
    try:
        validate(one.transaction, overlay, signatures_valid=one.signatures_valid, validators=validators)
    except ValidationError as error:
        return error
    overlay.add(one.transaction)
    return None


def require_exact(body: bytes, one: ParseResult) -> ParseResult:
    """Refuse a document that is not in canonical form: a block's bytes are its transactions' own, joined."""
    if isinstance(one, Parsed) and one.transaction.body != body:
        return MalformedJson("not in canonical form")
    return one
