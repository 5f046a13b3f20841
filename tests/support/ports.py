"""TCP ports for whatever a test starts."""

import random
import socket
from typing import Final

PORTS: Final = range(20_000, 32_000)
"""Below those that outgoing connections take, which a server that is started again would find taken."""

_untried: Final = iter(random.sample(PORTS, len(PORTS)))


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback interface that nobody listens on.

    None is given twice: between the look and the start of who listens there, nobody holds a port.
    """
    found: list[int] = []
    while len(found) < count:
        with socket.socket() as trial:
            port = next(_untried)
            if trial.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
    return found
