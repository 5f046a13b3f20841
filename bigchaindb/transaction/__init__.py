"""Transactions: from bytes to checked values (pure).

`parse` checks everything but state and signatures, `verify` the signatures; `build` makes and signs.
"""

from bigchaindb.transaction.content import strings_of
from bigchaindb.transaction.keys import KeyPair, verify_signature
from bigchaindb.transaction.model import Transaction
from bigchaindb.transaction.parsing import parse
from bigchaindb.transaction.verification import verify

__all__ = ["KeyPair", "Transaction", "parse", "strings_of", "verify", "verify_signature"]
