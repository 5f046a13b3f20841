"""Pools of transactions that wait for a block, for tests."""

from bigchaindb.ledger.pool import Pool
from bigchaindb.transaction import Transaction, build, parse
from tests.support.chains import ALICE, Committed


def pool_of(*transactions: Transaction, count_max: int = 100, bytes_max: int = 1_000_000) -> Pool:
    """Make a pool that has admitted transactions."""
    pool = Pool(count_max=count_max, bytes_max=bytes_max)
    for transaction in transactions:
        pool.admit(transaction, Committed(), signatures_valid=True)
    return pool


def heavy(serial: int, size: int) -> Transaction:
    """Make a CREATE of about `size` bytes."""
    return parse(build.create([ALICE], data={"serial": serial, "text": size * "x"}).body)


def wordy(serial: int, count: int) -> Transaction:
    """Make a CREATE of `count` words."""
    return parse(
        build.create([ALICE], data={"serial": serial, "text": " ".join(f"w{serial}x{n}" for n in range(count))}).body
    )
