"""`GET /metrics` on an address of its own, so that monitoring needs no access to the API."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from bigchaindb.access.gate import Denial, Gate
from bigchaindb.config import Limits
from bigchaindb.config.access import OPERATE
from bigchaindb.errors import StoreError
from bigchaindb.metrics.figures import Figures
from bigchaindb.serving.answering import CLOSE, whole
from bigchaindb.serving.connection import Connection, ConnectionLimits, Texts
from bigchaindb.serving.listener import Listener
from bigchaindb.serving.request import Request
from bigchaindb.serving.server import Server

PATH: Final = "/metrics"
CONNECTION_COUNT_MAX: Final = 16
"""Open connections: a few Prometheus servers, and a person with a browser."""
STOP_GRACE_S: Final = 0.5
_FULL: Final = whole(503, b"", CLOSE)
_SLOW: Final = whole(408, b"", CLOSE)


class MetricsServer(Server):
    """Serves the figures of a node. Belongs to the event loop."""

    def __init__(
        self, read: Callable[[], Awaitable[Figures]], limits: Limits, gate: Gate, *, needs_key: bool = False
    ) -> None:
        """Make a server that calls `read` at each scrape.

        Args:
            read: returns the figures.
            limits: of its connections.
            gate: decides who may read.
            needs_key: whether the scope `operate` is needed; else anybody may.
        """
        self._read = read
        self._gate = gate
        self._needs_key = needs_key
        connections = ConnectionLimits.of(limits, CONNECTION_COUNT_MAX)
        texts = Texts(_FULL, _FULL, _SLOW)
        super().__init__(Listener(self._serve, connections, texts, self.refuse, name="metrics"))

    async def stop(self) -> None:
        """Close; end the connections."""
        await self._listener.stop(STOP_GRACE_S)

    async def _serve(self, connection: Connection, request: Request) -> None:
        request.lines = self.identify(request)
        if self._needs_key:
            admitted = self._gate.admit(self.visitor(connection, request), OPERATE)
            if isinstance(admitted, Denial):
                connection.answer_text(request, *admitted)
                return
        if request.target.partition("?")[0] != PATH:
            connection.answer_text(request, 404, f"the metrics are at {PATH}")
        elif request.method not in {"GET", "HEAD"}:
            connection.answer_text(request, 405, "use GET or HEAD", b"Allow: GET, HEAD\r\n")
        else:
            await self._scrape(connection, request)

    async def _scrape(self, connection: Connection, request: Request) -> None:
        try:
            figures = await self._read()
        except StoreError:  # The node stops, or its disk fails; the log has the reason.
            connection.answer_text(request, 503, "the ledger cannot be read; the node's log has the reason")
            return
        # In a thread: with a thousand subscriptions it takes a tenth of a second, as does loading the library once.
        content_type, text = await asyncio.to_thread(_expose, figures)
        connection.answer(request, 200, text, b"Content-Type: %b\r\n" % content_type)


def _expose(figures: Figures) -> tuple[bytes, bytes]:
    from bigchaindb.metrics.exposition import CONTENT_TYPE, expose  # a node that nobody scrapes does without

    return CONTENT_TYPE, expose(figures)
