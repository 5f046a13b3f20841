"""How many files and connections the system lets this process have open.

Where the limit is that of a shell, 1,024, as many idle clients would leave none to read the ledger with.
"""

import logging
import resource
from typing import Final

from bigchaindb.config import Limits

OWN_COUNT: Final = 512
"""For all that is no client: the ledger's readers, plugins, logs."""

_log: Final = logging.getLogger(__name__)


def make_room(limits: Limits) -> None:
    """Raise the soft limit to what all clients that may come take, as far as the hard one lets it."""
    wanted = limits.connection_count_max + limits.stream_connection_count_max + OWN_COUNT
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    may = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < may:
        resource.setrlimit(resource.RLIMIT_NOFILE, (may, hard))
    if may < wanted:
        _log.warning(
            "the system lets the node have fewer files open than clients may connect, and too many of them would stop "
            "it: raise the hard limit (ulimit -Hn), or lower limits.connection_count_max and "
            "limits.stream_connection_count_max",
            extra={"hard_limit": hard, "wanted": wanted},
        )
