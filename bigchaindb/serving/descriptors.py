"""The system's limit on files and connections that this process has open.

Under the usual limit of a shell, 1,024, as many idle clients would leave no descriptor to read the ledger with.
"""

import logging
import resource
from dataclasses import replace
from typing import Final

from bigchaindb.config import Limits

OWN_COUNT: Final = 512
"""Descriptors for everything but clients: the ledger's readers, plugins, logs."""

_log: Final = logging.getLogger(__name__)


def make_room(limits: Limits) -> Limits:
    """Raise the soft limit to the number that all allowed clients need, as far as the hard limit permits.

    Returns:
        The limits, with fewer connections where the hard limit is too low for all of them.
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
        "the limit on open files is too low for all allowed connections, so fewer are accepted; "
        "raise the hard limit (ulimit -Hn)",
        extra={
            "hard_limit": hard,
            "wanted": wanted,
            "connections": fewer.connection_count_max,
            "streams": fewer.stream_connection_count_max,
        },
    )
    return fewer
