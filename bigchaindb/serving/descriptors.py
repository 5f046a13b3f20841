"""How many files and connections the system lets this process have open.

Where the limit is that of a shell, 1,024, as many idle clients would leave none to read the ledger with.
"""

import logging
import resource
from dataclasses import replace
from typing import Final

from bigchaindb.config import Limits

OWN_COUNT: Final = 512
"""For all that is no client: the ledger's readers, plugins, logs."""

_log: Final = logging.getLogger(__name__)


def make_room(limits: Limits) -> Limits:
    """Raise the soft limit to what all clients that may come take, as far as the hard one lets it.

    Returns:
        The limits, with fewer connections where the hard one is too low for all of them.
    """
    clients = limits.connection_count_max + limits.stream_connection_count_max
    wanted = clients + OWN_COUNT
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    may = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < may:
        resource.setrlimit(resource.RLIMIT_NOFILE, (may, hard))
    if may == wanted:
        return limits
    room = max(may - OWN_COUNT, may // 2)
    fewer = replace(
        limits,
        connection_count_max=max(1, limits.connection_count_max * room // clients),
        stream_connection_count_max=max(1, limits.stream_connection_count_max * room // clients),
    )
    _log.warning(
        "the system lets the node have fewer files open than clients may connect: fewer may; "
        "raise the hard limit (ulimit -Hn) to let all in",
        extra={
            "hard_limit": hard,
            "wanted": wanted,
            "connections": fewer.connection_count_max,
            "streams": fewer.stream_connection_count_max,
        },
    )
    return fewer
