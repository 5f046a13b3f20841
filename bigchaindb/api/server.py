"""The HTTP API as a server: passes each request to its handler and writes the reply."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Final

from bigchaindb.access.addresses import NO_PROXIES, Proxies
from bigchaindb.access.exchange import Exchange
from bigchaindb.access.gate import Gate, Visitor
from bigchaindb.access.origins import ALL, Origins
from bigchaindb.api import cors
from bigchaindb.api.answers import VARY_ACCEPT, Answer, Reply
from bigchaindb.api.bodies import Bodies
from bigchaindb.api.call import Call, Context, ElectionSource, Lanes, NodeInfo, Rejected
from bigchaindb.api.event_sockets import EventSockets
from bigchaindb.api.node import health_of
from bigchaindb.api.page_files import PREFIX as PAGE_PREFIX
from bigchaindb.api.page_files import Page
from bigchaindb.api.problems import RETRY_AFTER, ProblemLog, plain
from bigchaindb.api.pulls import Pulls
from bigchaindb.api.reads import Reads
from bigchaindb.api.routes import reply_to
from bigchaindb.api.standing import NodeState
from bigchaindb.api.subscription_socket import SubscriptionSockets
from bigchaindb.api.upgrades import Upgrades, WebSocketRoute
from bigchaindb.api.wire import last, send, write_answer
from bigchaindb.config import Limits
from bigchaindb.engine.engine import Engine
from bigchaindb.ledger.ports import ProofSource
from bigchaindb.serving.connection import CROWDED, Connection, ConnectionLimits, Texts
from bigchaindb.serving.listener import Listener
from bigchaindb.serving.places import Room
from bigchaindb.serving.request import Request
from bigchaindb.serving.server import Server
from bigchaindb.store.rejected import RejectedLog
from bigchaindb.streams.cloud_events import Choice
from bigchaindb.streams.shared_log import LogSource, SharedLog
from bigchaindb.streams.sse import HEARTBEAT_S, SSE, TEXTS, EventStreams, Places
from bigchaindb.subscribers.consuming import Desks

STOP_GRACE_S: Final = 1.0
"""How long running requests may take at a stop, once nothing can be committed any more: a client that does not read
its list must not delay the stop."""


Answering = Callable[[str, str, Call, Visitor], Awaitable[Reply]]
"""Answers a request, by its method, its path and who sent it. Raises nothing but ConnectionError."""


class ReplyServer(Server):
    """A server whose requests are answered by values. Belongs to the event loop."""

    def __init__(
        self,
        name: str,
        answer: Answering,
        limits: Limits,
        room: Room,
        full: str,
        *,
        origins: Origins | None = None,
        proxies: Proxies = NO_PROXIES,
    ) -> None:
        """Make a server that is not started.

        Args:
            name: shown in the log.
            answer: answers each request.
            limits: of a request, and of the memory of all.
            room: how many connections are allowed.
            full: the text for a client beyond them.
            origins: of pages that may read its answers; None: no page reaches it.
            proxies: in front of it.
        """
        self._answer = answer
        self._bodies = Bodies(limits)
        self._problems = ProblemLog()
        self._origins = origins
        unread = cors.unread_lines(origins)
        slow = plain(408, f"the request did not arrive within {limits.body_read_s_max:g} s", close=True)
        refused = (plain(503, text, headers=RETRY_AFTER, close=True) for text in (full, CROWDED))
        super().__init__(
            Listener(
                self._serve,
                ConnectionLimits(room, limits.body_read_s_max, limits.stream_stall_s_max, proxies),
                Texts(*(last(one, unread) for one in (*refused, slow))),
                self._refuse,
                name=name,
            )
        )

    async def _serve(self, connection: Connection, request: Request) -> None:
        path, query = target(request.target)
        request.lines = self.identify(request)
        if not path.startswith(PAGE_PREFIX):  # No other page needs the files of this one.
            request.lines += cors.lines(self._origins, request)
        body, given = partial(self._bodies.read, connection, request), request.headers.get
        call = Call(
            "",
            query,
            body,
            given("accept", ""),
            given("last-event-id", ""),
            given("host", ""),
            while_there=connection.while_there,
            accept_encoding=given("accept-encoding", ""),
        )
        reply = await self._answer(request.method, path, call, self.visitor(connection, request))
        if isinstance(reply, Answer):
            self._bodies.answered(request, reply.status)
            self._problems.write(reply, request.method, path)
            if cors.VARY in request.lines and VARY_ACCEPT in reply.headers:  # one line for both
                request.lines = request.lines.replace(cors.VARY, b"")
                reply = replace(reply, headers=reply.headers.replace(VARY_ACCEPT, cors.VARY_BOTH))
        await send(connection, request, reply)

    def _write(self, connection: Connection, request: Request, path: str, answer: Answer) -> None:
        self._problems.write(answer, request.method, path)
        write_answer(connection, request, answer)

    def _refuse(self, connection: Connection, request: Request, status: int, text: str) -> None:
        answer = plain(status, text, close=True)
        lines = cors.lines(self._origins, request)
        if status == HTTPStatus.NOT_IMPLEMENTED:  # the only refusal of bytes that are an HTTP request
            lines = self.identify(request) + lines
            self._problems.write(answer, request.method, target(request.target)[0])
        request.lines = lines
        write_answer(connection, request, answer)


class HttpApi(ReplyServer):
    """The HTTP API of a node. Belongs to the event loop."""

    def __init__(  # noqa: PLR0913 - half of them by keyword
        self,
        engine: Engine,
        reads: Reads,
        node: NodeInfo,
        state: NodeState,
        limits: Limits,
        gate: Gate,
        *,
        log: LogSource,
        lanes: Lanes,
        desks: Desks,
        rejected: LogSource,
        rejected_log: RejectedLog,
        elections: ElectionSource = lambda: None,
        proofs: ProofSource | None = None,
        heartbeat_s: float = HEARTBEAT_S,
        websockets: Sequence[WebSocketRoute] = (),
        origins: Origins = ALL,
        proxies: Proxies = NO_PROXIES,
        page: Page | None = None,
        exchange: Exchange | None = None,
    ) -> None:
        self._reads = reads
        self._places = Places(limits.sse_connection_count_max)
        self._log: SharedLog[Choice] = SharedLog(log, "events", SSE.read)
        texts: SharedLog[Choice] = SharedLog(log, "texts", TEXTS.read)
        of_rejected: SharedLog[Choice] = SharedLog(rejected, "rejected", SSE.read)
        self._streams, *others = (
            EventStreams(one, self._places, form=form, heartbeat_s=heartbeat_s)
            for one, form in ((self._log, SSE), (of_rejected, SSE), (texts, TEXTS))
        )
        rejected_streams, text_streams = others
        self._all_streams = (self._streams, *others)
        sockets = EventSockets(text_streams, gate, limits)
        self._upgrades = Upgrades(
            gate, origins, (SubscriptionSockets(desks, gate, limits).route(), sockets.route, *websockets)
        )
        context = Context(
            engine=engine,
            queries=reads.queries,
            reads=reads,
            streams=self._streams,
            lanes=lanes,
            rejected=Rejected(rejected_log, rejected.chain_id, rejected_streams),
            elections=elections,
            limits=limits,
            proofs=proofs,
            node=node,
            state=state,
            gate=gate,
            pull=Pulls(desks, gate, limits).serve,
            page=page,
            exchange=exchange,
        )
        self._context = context
        count = limits.connection_count_max
        open_now = f"{count} connections are open (limits.connection_count_max); try again later"
        room = Room.of(limits, count)
        super().__init__("http", partial(reply_to, context), limits, room, open_now, origins=origins, proxies=proxies)

    @property
    def stream_count(self) -> int:
        """How many clients of Server-Sent Events there are."""
        return self._places.count

    async def health(self) -> dict[str, object]:
        """Return the node's health, as its operator sees it."""
        return await health_of(self._context, sorted(self._context.lanes.subscriptions))

    def close(self) -> None:
        """Accept no more requests; running ones continue, and their connections end with the answer."""
        self._listener.close()
        self._listener.end_idle()

    async def _serve(self, connection: Connection, request: Request) -> None:
        path, query = target(request.target)
        if (found := self._upgrades.find(request, path)) is None:
            await super()._serve(connection, request)
            return
        request.lines = self.identify(request) + cors.lines(self._origins, request)
        refusal = await self._upgrades.open(found, connection, request, self.visitor(connection, request), query)
        if refusal is not None:
            self._write(connection, request, path, refusal)

    async def stop(self) -> None:
        """Accept no more requests; wait for the running ones, for a second at most."""
        for streams in self._all_streams:
            streams.stop()
        self._upgrades.stop()
        await self._listener.stop(STOP_GRACE_S)
        await self._reads.close()
        for streams in self._all_streams:
            streams.close()


def target(raw: str) -> tuple[str, str]:
    """Return path and query of a request target; proxies send the absolute form, whose host is ignored."""
    if not raw.startswith("/") and "://" in raw:
        raw = "/" + raw.partition("://")[2].partition("/")[2]
    path, _, query = raw.partition("?")
    return path, query
