"""Tries a check process: a machine may have no room for one, or refuse what it needs."""

import asyncio
import os
import time
from typing import Final

from bigchaindb.engine.checks import Checks
from bigchaindb.errors import BigchainDBError
from bigchaindb.ledger.proven import Proven
from bigchaindb.ledger.verifying import DocumentRules
from bigchaindb.transaction.build import create
from bigchaindb.transaction.keys import KEY_BYTES, KeyPair

TRIAL_S_MAX: Final = 30.0


class _NoLedger:
    """What checks need of a ledger."""

    def __init__(self) -> None:
        self.rules = DocumentRules(elections=False, bytes_max=1 << 20, bound="")
        self.proven = Proven(count_max=1, bytes_max=1 << 20)


def try_check_process() -> float:
    """Start a check process and have it check a document; return the seconds that it took.

    Raises:
        OSError, TimeoutError, BigchainDBError: there is no answer, or the wrong one.
    """
    begin_s = time.monotonic()
    asyncio.run(_try(create([KeyPair.from_seed(os.urandom(KEY_BYTES))]).body))
    return time.monotonic() - begin_s


async def _try(body: bytes) -> None:
    checks = Checks(_NoLedger(), 1)
    try:
        async with asyncio.timeout(TRIAL_S_MAX):
            checks.open()
            [outcome] = await checks.check([body])
    finally:
        checks.close()
    if isinstance(outcome, BigchainDBError):
        raise outcome
