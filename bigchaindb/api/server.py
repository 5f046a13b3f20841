"""The HTTP API as a server: passes each request to its handler and writes the reply."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, cast

from aiohttp import web

from bigchaindb.api.answers import Answer
from bigchaindb.api.bodies import Bodies
from bigchaindb.api.call import Call, Context, ElectionSource, NodeInfo, PluginStatuses
from bigchaindb.api.problems import RETRY_AFTER, ProblemLog, plain
from bigchaindb.api.reads import Reads
from bigchaindb.api.routes import reply_to
from bigchaindb.api.wire import ANY_ORIGIN, CLOSE, send, whole, write_answer
from bigchaindb.config import Limits
from bigchaindb.engine.engine import Engine
from bigchaindb.ledger.ports import ProofSource, Queries
from bigchaindb.serving.arrival import Reason
from bigchaindb.serving.connection import CROWDED, Connection, ConnectionLimits, Texts, unimplemented, unknown_coding
from bigchaindb.serving.listener import Listener
from bigchaindb.streams.cloud_events import Choice
from bigchaindb.streams.pages import Pages
from bigchaindb.streams.shared_log import LogSource, SharedLog
from bigchaindb.streams.sse import HEARTBEAT_S, EventStreams, read_frames

STOP_GRACE_S: Final = 1.0
"""How long running requests may take at a stop, once nothing can be committed any more: a client that does not read
its list must not delay the stop."""


class HttpApi:
    """The HTTP API of a node. Belongs to the event loop."""

    def __init__(
        self,
        engine: Engine,
        queries: Queries,
        node: NodeInfo,
        limits: Limits,
        *,
        log: LogSource,
        plugins: PluginStatuses,
        elections: ElectionSource = lambda: None,
        proofs: ProofSource | None = None,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._reads = Reads(limits, queries.interrupt)
        self._log: SharedLog[Choice] = SharedLog(log, "events", read_frames)
        self._streams = EventStreams(self._log, count_max=limits.sse_connection_count_max, heartbeat_s=heartbeat_s)
        self._bodies = Bodies(limits)
        self._problems = ProblemLog()
        self._context = Context(
            engine=engine,
            queries=queries,
            reads=self._reads,
            pages=Pages(self._log, limits),
            streams=self._streams,
            plugins=plugins,
            elections=elections,
            limits=limits,
            proofs=proofs,
            node=node,
        )
        full = plain(503, f"more than {limits.connection_count_max} connections", headers=RETRY_AFTER, close=True)
        crowded = plain(503, CROWDED, headers=RETRY_AFTER, close=True)
        slow = plain(408, f"the request did not arrive within {limits.body_read_s_max:g} s", close=True)
        self._listener = Listener(
            self._serve,
            ConnectionLimits.of(limits, limits.connection_count_max),
            Texts(*(whole(one, ANY_ORIGIN + CLOSE) for one in (full, crowded, slow))),
            _malformed,
            name="http",
        )

    @property
    def port(self) -> int:
        """The bound port."""
        return self._listener.port

    @property
    def connection_count(self) -> int:
        """How many connections are open."""
        return self._listener.connection_count

    @property
    def refused_counts(self) -> Mapping[Reason, int]:
        """How many clients got no connection since the start."""
        return self._listener.refused_counts

    @property
    def stream_count(self) -> int:
        """How many clients of Server-Sent Events there are."""
        return self._streams.count

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 selects a free one.

        Raises:
            StartupError: an address cannot be bound.
        """
        await self._listener.start(host, port)

    def close(self) -> None:
        """Accept no more requests; running ones continue, and their connections end with the answer."""
        self._listener.close()
        self._listener.end_idle()

    async def stop(self) -> None:
        """Accept no more requests; wait for the running ones, for a second at most."""
        self._streams.stop()
        await self._listener.stop(STOP_GRACE_S)
        await self._reads.close()
        self._log.close()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = cast("Connection", request.protocol)
        connection.begin(request)
        try:
            path, query = target(request.raw_path)

            async def body() -> bytes:
                return await self._bodies.read(request)

            headers = request.headers
            accept, last, host = (headers.get(name, "") for name in ("Accept", "Last-Event-ID", "Host"))
            call = Call("", query, body, accept, last, host)
            if (coding := unknown_coding(request)) is None:
                reply = await reply_to(self._context, request.method, path, call)
            else:
                reply = plain(501, unimplemented(coding), close=True)
            if isinstance(reply, Answer):
                self._problems.tell(reply, request.method, path)
            return await send(request, reply)
        finally:
            connection.end()


def target(raw: str) -> tuple[str, str]:
    """Return path and query of a request target; proxies send the absolute form, whose host is ignored."""
    if not raw.startswith("/") and "://" in raw:
        raw = "/" + raw.partition("://")[2].partition("/")[2]
    path, _, query = raw.partition("?")
    return path, query


def _malformed(request: web.BaseRequest, status: int, text: str) -> web.StreamResponse:
    return write_answer(request, replace(plain(status, text, close=True), logged=None))
