"""Admission of clients: each one gets a connection, or a refusal with its reason."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Final, cast

from bigchaindb.access.addresses import Proxies, group
from bigchaindb.serving.connection import Connection, Texts
from bigchaindb.serving.places import Places
from bigchaindb.serving.summary import Summary

REFUSAL_S: Final = 1.0
"""How long the node waits for the request of a refused client before it closes the connection."""
REFUSAL_COUNT_MAX: Final = 64
"""Refused clients whose request is awaited at once; further ones are cut off, since each one uses a descriptor."""

_log: Final = logging.getLogger(__name__)


class Reason(StrEnum):
    """Why a client was refused."""

    PLACES = "places"
    ADDRESS = "address"


class Door:
    """Refuses clients that find no place, and counts them. Belongs to the event loop."""

    def __init__(self, name: str, places: Places[Connection], texts: Texts, proxies: Proxies) -> None:
        self.refused: Counter[Reason] = Counter()
        self.refusing_count = 0
        self.places = places
        self.proxies = proxies
        self._name = name
        self._answers = {Reason.PLACES: texts.full, Reason.ADDRESS: texts.crowded}
        self._summaries = {reason: Summary(self._writer(reason)) for reason in Reason}

    def close(self) -> None:
        """Write the counts that are not logged yet."""
        for summary in self._summaries.values():
            summary.close()

    def reason(self, address: str, *, is_proxy: bool) -> Reason | None:
        """Return why a client of that address gets no place; None if it gets one, as proxies do for their clients."""
        if self.places.is_full:
            return Reason.PLACES
        return Reason.ADDRESS if not is_proxy and self.places.is_crowded(address) else None

    def refuse(self, reason: Reason, address: str) -> bytes:
        """Count a refusal and return the answer."""
        self.refused[reason] += 1
        self._summaries[reason].note(address)
        return self._answers[reason]

    def _writer(self, reason: Reason) -> Callable[[int, str], None]:
        limit = "its connection_count_max" if reason is Reason.PLACES else "limits.address_connection_count_max"

        def write(count: int, address: str) -> None:
            about = {"listener": self._name, "count": count, "last": address, "open": len(self.places)}
            _log.warning("connections refused: %s reached", limit, extra=about)

        return write


class Arrival(asyncio.Protocol):
    """A client whose address is not known yet."""

    def __init__(self, door: Door, connection: Callable[[str, bool], Connection]) -> None:
        self._door = door
        self._connection = connection
        self._answer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        peer = transport.get_extra_info("peername")
        address, is_proxy = group(peer), self._door.proxies.holds(peer)
        if (reason := self._door.reason(address, is_proxy=is_proxy)) is None:
            connection = self._connection(address, is_proxy)
            transport.set_protocol(connection)
            connection.connection_made(transport)
            return
        self._transport = cast("asyncio.Transport", transport)
        self._answer = self._door.refuse(reason, address)
        self._door.refusing_count += 1
        if self._door.refusing_count > REFUSAL_COUNT_MAX:
            self._transport.abort()
        else:
            asyncio.get_running_loop().call_later(REFUSAL_S, self._transport.abort)

    def connection_lost(self, exc: BaseException | None) -> None:  # noqa: ARG002  asyncio's own signature
        """See `asyncio.Protocol`; called for refused clients alone."""
        self._door.refusing_count -= 1

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`. A client that has sent a request reads the answer."""
        assert data
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._answer)
            self._transport.close()
