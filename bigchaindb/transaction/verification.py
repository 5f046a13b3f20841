"""Whether a transaction's signatures verify: the costly part of a check, on its own so that threads can share it."""

from bigchaindb.transaction.keys import verify_signature
from bigchaindb.transaction.model import Transaction


def verify(transaction: Transaction) -> bool:
    """Whether every signature of every input is valid over that input's message (half of T9 and T16).

    Whether a fulfillment opens the condition of the output that it spends is a question to the state.
    """
    return all(
        verify_signature(public_key, input_.message, signature)
        for input_ in transaction.inputs
        for public_key, signature in input_.fulfillment.signatures
    )
