"""Bounds on the handshakes of TLS: a stranger pays a packet for one, the node a signature.

A client that has to wait counts as a connection, its bytes stay in its own system, and addresses take turns. Of the
handshakes that are under way one step is done in each turn of the event loop.
"""

import asyncio
import logging
import ssl
from collections import Counter, deque
from typing import Final

from bigchaindb.access.addresses import group
from bigchaindb.serving.secured import Secured
from bigchaindb.serving.summary import Summary

ADDRESS_PART: Final = 8
"""One address may have this part of all handshakes."""

_log: Final = logging.getLogger(__name__)


class Handshakes:
    """Grants handshakes to clients; those of all listeners of a node share the bounds. Belongs to the event loop."""

    def __init__(self, context: ssl.SSLContext, count_max: int) -> None:
        """Allow `count_max` handshakes at once; `context` is for those that begin before it is replaced."""
        self.context = context
        self._count_max = count_max
        self._address_count_max = max(1, count_max // ADDRESS_PART)
        self._addresses: dict[Secured, str] = {}
        self._counts: Counter[str] = Counter()
        self._waiting: dict[str, dict[Secured, None]] = {}
        self._due: deque[Secured] = deque()
        self._failures = Summary(_log_failures)

    def secured(self, protocol: asyncio.Protocol) -> Secured:
        """Return what serves one client over TLS, with `protocol` above."""
        return Secured(protocol, self)

    def close(self) -> None:
        """Write the failures that are not logged yet."""
        self._failures.close()

    def arrived(self, connection: Secured, peer: object) -> None:
        """See `Guard`."""
        address = self._addresses[connection] = group(peer)
        self._waiting.setdefault(address, {})[connection] = None
        self._admit()

    def work(self, connection: Secured) -> None:
        """See `Guard`."""
        self._due.append(connection)
        if len(self._due) == 1:
            asyncio.get_running_loop().call_soon(self._work_on)

    def left(self, connection: Secured) -> None:
        """See `Guard`."""
        if (address := self._addresses.pop(connection, None)) is None:
            return
        if connection in (waiting := self._waiting.get(address, {})):
            self._forget(address, waiting, connection)
            return
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]
        self._admit()

    def failed(self, connection: Secured, reason: str) -> None:
        """See `Guard`."""
        address = group(connection.get_extra_info("peername"))
        self._failures.note(f"{address}: {reason.replace('_', ' ').lower()}")

    def _admit(self) -> None:
        """Begin as many handshakes as may run, of each address in turn."""
        while self._counts.total() < self._count_max:
            address = next((one for one in self._waiting if self._counts[one] < self._address_count_max), None)
            if address is None:
                return
            waiting = self._waiting[address]
            connection = next(iter(waiting))
            self._forget(address, waiting, connection)
            self._counts[address] += 1
            connection.begin(self.context)

    def _forget(self, address: str, waiting: dict[Secured, None], connection: Secured) -> None:
        """Take a connection out of those that wait; its address goes behind the others."""
        del waiting[connection], self._waiting[address]
        if waiting:
            self._waiting[address] = waiting

    def _work_on(self) -> None:
        connection = self._due.popleft()
        if self._due:
            asyncio.get_running_loop().call_soon(self._work_on)
        connection.shake()


def _log_failures(count: int, last: str) -> None:
    _log.info("TLS handshakes failed", extra={"count": count, "last": last})
