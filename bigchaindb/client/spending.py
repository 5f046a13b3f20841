"""Which outputs a transfer spends, and what it pays: the change goes back under the lock of the last one. Pure.

The same arguments always choose the same outputs, so that a transfer that is made again is the same transaction.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import msgspec

from bigchaindb.documents import Output, Transaction
from bigchaindb.errors import CannotSpend
from bigchaindb.transaction.build import Payment, Spend
from bigchaindb.transaction.conditions import Details, Ed25519Details, details_of
from bigchaindb.transaction.keys import KeyPair, decode_key
from bigchaindb.transaction.model import AMOUNT_MAX, OutputRef

Owners = str | Sequence[str]
"""A public key, or several that own together."""
Signers = KeyPair | Sequence[KeyPair]


class Spending(NamedTuple):
    """What a transfer is made of."""

    asset_id: str
    spends: tuple[Spend, ...]
    payments: tuple[Payment, ...]


def signers_of(given: Signers) -> tuple[KeyPair, ...]:
    """Return the keys that sign."""
    return (given,) if isinstance(given, KeyPair) else tuple(given)


def payment(to: Owners, amount: int) -> Payment:
    """Return a payment to owners.

    Raises:
        CannotSpend: a text is no public key, or the amount is no number of shares.
    """
    owners = (to,) if isinstance(to, str) else tuple(to)
    if not 1 <= amount <= AMOUNT_MAX:
        raise CannotSpend(f"amount: {amount} is no number of shares; name 1 to {AMOUNT_MAX}")
    if not owners:
        raise CannotSpend("to: no owner is named; name at least one public key")
    for key in owners:
        try:
            decode_key(key)
        except ValueError as error:
            raise CannotSpend(f"to: {error}; a public key has 43 or 44 characters") from None
    return Payment(details_of(owners), amount)


def spending(
    held: Sequence[Transaction], signers: Sequence[KeyPair], to: Owners, amount: int | None, index: int | None
) -> Spending:
    """Return the outputs to spend, and the payments.

    Args:
        held: transactions of one asset, whose outputs are spent in this order.
        signers: who signs: outputs that they cannot open are passed over.
        to: the new owner.
        amount: how many shares; None passes on all that the signers can spend.
        index: of the only output to spend, of the first transaction; None chooses as many as are needed.

    Raises:
        CannotSpend: the outputs are of several assets, are not the signers' or hold too few shares.
    """
    assets = {asset_of(one) for one in held}
    if len(assets) != 1:
        raise CannotSpend(f"a transfer is of one asset; found {len(assets)}: {', '.join(sorted(assets))}")
    payment(to, 1 if amount is None else amount)  # refused before the outputs are
    given = _candidates(held, signers) if index is None else iter([_only(held[0], signers, index)])
    spends, sum_, details = [], 0, None
    while amount is None or sum_ < amount:
        if (found := next(given, None)) is None:
            break
        spend, shares = found
        spends.append(spend)
        sum_, details = sum_ + shares, spend.details
    if details is None:
        raise CannotSpend(f"none of the outputs belongs to {_names(signers)}; sign with an owner's key")
    paid = sum_ if amount is None else amount
    if paid > sum_:
        what = "output holds" if len(spends) == 1 else f"{len(spends)} outputs hold"
        raise CannotSpend(f"amount: the {what} {sum_} shares, found {paid}; name at most that many")
    payments = [payment(to, paid)]
    if paid < sum_:
        payments.append(Payment(details, sum_ - paid))
    return Spending(assets.pop(), tuple(spends), tuple(payments))


def asset_of(transaction: Transaction) -> str:
    """Return the id of the asset of a transaction."""
    asset = transaction.get("asset") or {}
    return asset.get("id") or transaction["id"]


def _candidates(held: Sequence[Transaction], signers: Sequence[KeyPair]) -> Iterator[tuple[Spend, int]]:
    for transaction in held:
        for index, output in enumerate(transaction["outputs"]):
            details = _details(output)
            if details is not None and _opens(details, signers):
                yield _spend(transaction, index, details, signers), int(output["amount"])


def _only(transaction: Transaction, signers: Sequence[KeyPair], index: int) -> tuple[Spend, int]:
    outputs = transaction["outputs"]
    if not 0 <= index < len(outputs):
        raise CannotSpend(f"{transaction['id']} has {len(outputs)} outputs, counted from 0; there is no output {index}")
    output = outputs[index]
    details = _details(output)
    if details is None or not _opens(details, signers):
        owners = ", ".join(output["public_keys"] or ["nobody by name"])  # an index for queries, which may be null
        raise CannotSpend(
            f"output {index} belongs to {owners}, and the signing key is {_names(signers)}; sign with an owner's key"
        )
    return _spend(transaction, index, details, signers), int(output["amount"])


def _spend(transaction: Transaction, index: int, details: Details, signers: Sequence[KeyPair]) -> Spend:
    return Spend(OutputRef(transaction["id"], index), details, tuple(signers))


def _details(output: Output) -> Details | None:
    """Return the lock of an output; None if it is of a kind that this release cannot open."""
    try:
        found = msgspec.convert(output["condition"]["details"], cast("Any", Details))
    except (msgspec.ValidationError, RecursionError):
        return None
    return cast("Details", found)


def _opens(details: Details, signers: Sequence[KeyPair]) -> bool:
    if isinstance(details, Ed25519Details):
        return any(details.public_key == signer.public_key for signer in signers)
    return sum(_opens(member, signers) for member in details.subconditions) >= details.threshold


def _names(signers: Sequence[KeyPair]) -> str:
    return ", ".join(signer.public_key for signer in signers)
