"""TCP ports for whatever a test starts: no two test processes of a machine have one in common."""

import random
import socket
from collections.abc import Iterator
from typing import Final

PORTS: Final = range(20_000, 32_000)
"""Below those that outgoing connections take, which a server that is started again would find taken."""
BLOCK_COUNT: Final = 500
"""Ports that a test process takes at a time: a whole run takes some 2,000, and four may run at once."""

_claims: Final[list[socket.socket]] = []


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback interface that nobody listens on.

    None is given twice: between the look and the start of who listens there, nobody holds a port. For the same reason
    each test process, be it a worker of this run or another run, takes ports from blocks that it alone has.
    """
    found: list[int] = []
    while len(found) < count:
        port = next(_untried)
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
    return found


def _ports() -> Iterator[int]:
    firsts = list(PORTS[::BLOCK_COUNT])
    for first in random.sample(firsts, len(firsts)):
        if _claim(first):
            yield from random.sample(range(first, first + BLOCK_COUNT), BLOCK_COUNT)
    message = f"the test processes of this machine have taken all ports from {PORTS[0]} to {PORTS[-1]}"
    raise RuntimeError(f"{message}; end other test runs, then run this one again")


def _claim(first: int) -> bool:
    """Hold a name that the kernel gives to one process at a time, and frees when that process ends."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0bigchaindb-test-ports-{first}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)  # for as long as the process lives
    return True


_untried: Final = _ports()
