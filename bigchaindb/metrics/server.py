"""`GET /metrics` on an address of its own, so that monitoring needs no access to the API."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Metric, ProcessCollector, generate_latest
from prometheus_client.registry import Collector

from bigchaindb.config import Limits
from bigchaindb.errors import StoreError
from bigchaindb.metrics.families import Figures, families
from bigchaindb.serving.connection import ConnectionLimits, Texts
from bigchaindb.serving.listener import Listener
from bigchaindb.serving.phrases import STATUS_LINES, plain, refusal
from bigchaindb.serving.server import Server

PATH: Final = "/metrics"
CONNECTION_COUNT_MAX: Final = 16
"""Open connections: a few Prometheus servers, and a person with a browser."""
STOP_GRACE_S: Final = 0.5
_NOTHING: Final = b"Content-Length: 0\r\nConnection: close\r\n\r\n"
_FULL: Final = STATUS_LINES[503] + _NOTHING
_SLOW: Final = STATUS_LINES[408] + _NOTHING


class MetricsServer(Server):
    """Serves the figures of a node. Belongs to the event loop."""

    def __init__(self, read: Callable[[], Awaitable[Figures]], limits: Limits) -> None:
        """Make a server that calls `read` at each scrape."""
        self._read = read
        self._process = ProcessCollector(registry=None)
        connections = ConnectionLimits.of(limits, CONNECTION_COUNT_MAX)
        super().__init__(Listener(self._serve, connections, Texts(_FULL, _FULL, _SLOW), refusal, name="metrics"))

    async def stop(self) -> None:
        """Close; end the connections."""
        await self._listener.stop(STOP_GRACE_S)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.raw_path.partition("?")[0] != PATH:
            return plain(404, f"the metrics are at {PATH}")
        if request.method not in {"GET", "HEAD"}:
            return plain(405, "use GET or HEAD", {"Allow": "GET, HEAD"})
        try:
            figures = await self._read()
        except StoreError:  # The node stops, or its disk fails; the log has the reason.
            return plain(503, "the ledger cannot be read; the node's log has the reason")
        exposition = generate_latest(_Scrape(figures, self._process))
        return web.Response(body=exposition, headers={"Content-Type": CONTENT_TYPE_LATEST})


class _Scrape(Collector):
    """The metrics of one scrape, as the collector that the library requires."""

    def __init__(self, figures: Figures, process: ProcessCollector) -> None:
        self._figures = figures
        self._process = process

    def collect(self) -> Iterator[Metric]:
        yield from families(self._figures)
        yield from self._process.collect()
