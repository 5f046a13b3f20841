"""A memory of the documents that this node has proven, so that voter and proposer need not prove them again."""

from collections.abc import Iterable
from threading import Lock

from bigchaindb.transaction.model import Transaction


class Proven:
    """Transactions whose structure, id and signatures hold, by their exact canonical bytes. Any thread may use it.

    Bytes that differ in any way are another document: a `true` for a `1` is never taken for what was proven
    (transactions.md, section 9). Only what holds is kept, and nothing that depends on state. The oldest goes first
    once a bound is reached: that costs the time of proving it again, no more.
    """

    def __init__(self, *, count_max: int, bytes_max: int) -> None:
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._transactions: dict[bytes, Transaction] = {}
        self._bytes = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._transactions)

    def get(self, body: bytes) -> Transaction | None:
        """Give the transaction of exactly these bytes if it was proven."""
        return self._transactions.get(body)

    def add(self, transactions: Iterable[Transaction]) -> None:
        """Remember transactions that were proven just now."""
        with self._lock:
            for transaction in transactions:
                if transaction.body not in self._transactions:
                    self._transactions[transaction.body] = transaction
                    self._bytes += len(transaction.body)
            while len(self._transactions) > self._count_max or self._bytes > self._bytes_max:
                oldest = next(iter(self._transactions))
                self._forget(oldest)

    def forget(self, bodies: Iterable[bytes]) -> None:
        """Drop what nobody will ask for again."""
        with self._lock:
            for body in bodies:
                self._forget(body)

    def _forget(self, body: bytes) -> None:
        if self._transactions.pop(body, None) is not None:
            self._bytes -= len(body)
