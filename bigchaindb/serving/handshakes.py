"""Bounds on the handshakes of TLS: a stranger pays a packet for one, the node a signature.

A client that has to wait counts as a connection, its bytes stay in its own system, and addresses take turns. Of the
handshakes that are under way one step is done in each turn of the event loop. A place is no client's for long while
others wait for it: silence would cost a stranger nothing.
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
HURRIED_S: Final = 2.0
"""How long a handshake may take while others wait for its place: what a client beyond a satellite needs, and a lost
packet."""

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
        self._begun: dict[Secured, float] = {}
        self._hurry: asyncio.TimerHandle | None = None
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
        del self._begun[connection]
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]
        self._admit()

    def failed(self, connection: Secured, reason: str) -> None:
        """See `Guard`."""
        address = group(connection.get_extra_info("peername"))
        self._failures.note(f"{address}: {reason.replace('_', ' ').lower()}")

    def _admit(self) -> None:
        """Begin as many handshakes as may run, of each address in turn; hurry them if others wait."""
        while self._counts.total() < self._count_max:
            address = next((one for one in self._waiting if self._counts[one] < self._address_count_max), None)
            if address is None:
                break
            waiting = self._waiting[address]
            connection = next(iter(waiting))
            self._forget(address, waiting, connection)
            self._counts[address] += 1
            self._begun[connection] = asyncio.get_running_loop().time()
            connection.begin(self.context)
        if self._waiting and self._hurry is None:
            self._end_late()

    def _end_late(self) -> None:
        """End the handshakes that others have waited for long enough, now and as soon as there is another one."""
        self._hurry = None
        if not self._waiting:
            return
        loop, is_full = asyncio.get_running_loop(), self._counts.total() >= self._count_max
        for connection, begun_s in list(self._begun.items()):
            if begun_s + HURRIED_S > loop.time():
                self._hurry = loop.call_at(begun_s + HURRIED_S, self._end_late)
                return
            if is_full or self._addresses[connection] in self._waiting:
                connection.give_up(f"longer than {HURRIED_S:g} s while others waited")

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
