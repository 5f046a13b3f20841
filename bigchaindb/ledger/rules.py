"""The rules that need state, T8 to T16 and those of elections, in the order that fixes which error a client sees.

What a transaction's bytes alone decide (T0 to T7) stands in `bigchaindb.transaction`; signatures are verified there
too, in batches, and only their verdict comes in. Source: docs/reference/contract/transactions.md, sections 6 and 7.
"""

from collections.abc import Sequence
from typing import Final, assert_never

from bigchaindb.errors import (
    AmountError,
    AssetIdMismatch,
    DoubleSpend,
    DuplicateTransaction,
    GenesisBlockAlreadyExistsError,
    InputDoesNotExist,
    InvalidSignature,
)
from bigchaindb.ledger.elections import validate_election
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.ledger.view import HeldOutput, View
from bigchaindb.transaction.model import OutputRef, Transaction

BAD_SIGNATURE: Final = "Transaction signature is invalid."


def validate(
    transaction: Transaction, view: View, *, signatures_valid: bool, validators: ValidatorSet | None = None
) -> None:
    """Validate a transaction against `view`.

    Args:
        transaction: parsed, so T0 to T7 hold.
        view: the state it would come after: committed, and whatever precedes it in its block or in the pool.
        signatures_valid: whether all its signatures verify.
        validators: those that elections are checked against; None where `parse` knows no elections.

    Raises:
        ValidationError: the first rule that it breaks, as the contract orders them.
    """
    match transaction.operation:
        case "CREATE":
            validate_new(transaction, view)
            validate_signatures(signatures_valid=signatures_valid)
        case "TRANSFER" | "VOTE":
            _validate_transfer(transaction, view, signatures_valid=signatures_valid)
        case "VALIDATOR_ELECTION":
            assert validators is not None, transaction.id
            validate_new(transaction, view)
            validate_signatures(signatures_valid=signatures_valid)
            validate_election(transaction, validators)
        case "GENESIS":
            raise GenesisBlockAlreadyExistsError("Duplicate GENESIS transaction")  # transactions.md, section 7
        case _:
            assert_never(transaction.operation)


def _validate_transfer(transaction: Transaction, view: View, *, signatures_valid: bool) -> None:
    refs = [input_.fulfills for input_ in transaction.inputs if input_.fulfills is not None]
    assert len(refs) == len(transaction.inputs), transaction.id  # T3: every input of a TRANSFER or a VOTE spends
    spent = [validate_unspent(ref, view) for ref in refs]
    validate_distinct(transaction.id, refs)
    validate_one_asset(spent)
    validate_asset(transaction.asset_id, spent)
    validate_amounts(transaction, spent)
    validate_conditions(transaction, spent)
    validate_signatures(signatures_valid=signatures_valid)


def validate_new(transaction: Transaction, view: View) -> None:
    """Require an id that is neither committed nor earlier in the same block. Source: T8.

    Raises:
        DuplicateTransaction: the id exists.
    """
    if view.has_transaction(transaction.id):
        raise DuplicateTransaction(f"transaction `{transaction.id}` already exists")


def validate_signatures(*, signatures_valid: bool) -> None:
    """Require that every signature verifies. Source: T9 and T16.

    Raises:
        InvalidSignature: one does not.
    """
    if not signatures_valid:
        raise InvalidSignature(BAD_SIGNATURE)


def validate_unspent(ref: OutputRef, view: View) -> HeldOutput:
    """Return the output that an input spends. Source: T10 and T11; invariant L1.

    Raises:
        InputDoesNotExist: no such transaction, or it has no such output.
        DoubleSpend: the output is spent.
    """
    held = view.output(ref)
    if held is None:
        raise InputDoesNotExist(f"input `{ref.transaction_id}` doesn't exist")
    if held.spent_by is not None:  # L1
        raise DoubleSpend(f"input `{ref.transaction_id}` was already spent")
    return held


def validate_distinct(transaction_id: str, refs: Sequence[OutputRef]) -> None:
    """Require that no two inputs spend the same output. Source: T12; invariant L1.

    Raises:
        DoubleSpend: two do.
    """
    if len(set(refs)) < len(refs):  # L1
        raise DoubleSpend(f'tx "{transaction_id}" spends inputs twice')


def validate_one_asset(spent: Sequence[HeldOutput]) -> None:
    """Require that all spent outputs are of one asset. Source: T13.

    Raises:
        AssetIdMismatch: they are of several.
    """
    if len({held.asset_id for held in spent}) > 1:
        raise AssetIdMismatch("All inputs of all transactions passed need to have the same asset id")


def validate_asset(asset_id: str, spent: Sequence[HeldOutput]) -> None:
    """Require that the transaction names the asset that it spends. Source: T14.

    Raises:
        AssetIdMismatch: it names another.
    """
    if asset_id != spent[0].asset_id:
        raise AssetIdMismatch("The asset id of the input does not match the asset id of the transaction")


def validate_amounts(transaction: Transaction, spent: Sequence[HeldOutput]) -> None:
    """Require that exactly what is spent is passed on. Source: T15; invariant L2.

    Raises:
        AmountError: the sums differ.
    """
    held = sum(output.amount for output in spent)
    passed = sum(output.amount for output in transaction.outputs)
    if held != passed:  # L2
        raise AmountError(
            f"The amount used in the inputs `{held}` needs to be same as the amount used in the outputs `{passed}`"
        )


def validate_conditions(transaction: Transaction, spent: Sequence[HeldOutput]) -> None:
    """Require that each fulfillment opens the condition of the output it spends. Source: T16.

    Raises:
        InvalidSignature: one opens another condition.
    """
    for input_, held in zip(transaction.inputs, spent, strict=True):
        if input_.fulfillment.fingerprint != held.fingerprint:
            raise InvalidSignature(BAD_SIGNATURE)
