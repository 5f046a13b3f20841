"""Documents that check processes fall over, and the nursery whose children do.

Run as a program it is that nursery. The fixture `poison` of tests/conftest.py makes nodes of the test's own process
start it instead of the real one.
"""

import os
import signal
import time
from typing import Final

from bigchaindb.engine import check_process, nursery
from bigchaindb.ledger import verifying
from bigchaindb.transaction import Transaction, build
from bigchaindb.transaction.parsing import parse
from tests.support.chains import ALICE

MARK: Final = b"poison: "
HANG_CPU_S: Final = 0.2
"""Instead of 10 s."""


def poisoned(how: str, serial: int = 0, *, padding: int = 0) -> build.Signed:
    """Make a transaction that is valid, and that a check process falls over.

    Args:
        how: `fail`, `die`, `hang` (computing), `sleep`, `swell` or `babble`.
        serial: makes it another.
        padding: more bytes, which make it heavy.
    """
    return build.create([ALICE], data={"text": f"poison: {how}", "serial": serial, "padding": padding * "x"})


def _parse(body: bytes, *, elections: bool = False) -> Transaction:
    _, found, how = body.partition(MARK)
    if found:
        _fall_over(how.partition(b'"')[0])
    return parse(body, elections=elections)


def _fall_over(how: bytes) -> None:
    match how:
        case b"fail":
            raise RuntimeError("nobody thought of this")
        case b"die":
            os.kill(os.getpid(), signal.SIGKILL)
        case b"hang":
            while True:
                pass
        case b"sleep":
            time.sleep(3600)
        case b"swell":
            held = []
            while True:
                held.append(bytearray(1 << 20))
        case b"babble":
            os.write(3, b"nonsense, and more of it than a head has")


if __name__ == "__main__":
    setattr(verifying, "parse", _parse)  # noqa: B010 - a constant for all others
    setattr(check_process, "BATCH_CPU_S_MAX", HANG_CPU_S)  # noqa: B010 - as above
    nursery.main()
