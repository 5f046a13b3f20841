"""All of a check that needs no state: from bytes to a transaction, and whether its signatures verify. Pure.

A check process runs this for what strangers send; the ledger runs it again for what it does not remember.
"""

from collections.abc import Sequence

from msgspec import Struct

from bigchaindb.errors import ValidationError
from bigchaindb.ledger.validating import Parsed, ParseResult
from bigchaindb.transaction import Transaction, parse, verify


class DocumentRules(Struct, frozen=True):
    """The rules of a network that a document is checked by.

    Attributes:
        elections: see `parse`.
        bytes_max: of the canonical text: what a block can hold.
        bound: what people know `bytes_max` by.
    """

    elections: bool
    bytes_max: int
    bound: str


def verify_all(bodies: Sequence[bytes], rules: DocumentRules) -> list[ParseResult]:
    """Parse documents and verify their signatures; return for each, in order, the transaction or what is wrong."""
    # All are read, then all signatures verified: 4 % less than in turn, since either code stays in the cache.
    read = [_parsed(body, rules) for body in bodies]
    return [Parsed(one, verify(one)) if isinstance(one, Transaction) else one for one in read]


def _parsed(body: bytes, rules: DocumentRules) -> Transaction | ValidationError:
    try:
        transaction = parse(body, elections=rules.elections)
    except ValidationError as error:
        return error
    return _find_too_long(transaction, rules) or transaction


def _find_too_long(transaction: Transaction, rules: DocumentRules) -> ValidationError | None:
    """Refuse what no block can hold: canonical text may be five times as long as what was posted (`1e20`)."""
    size = len(transaction.body)
    if size <= rules.bytes_max:
        return None
    return ValidationError(f"its canonical text has {size} bytes, and {rules.bound} is {rules.bytes_max}")
