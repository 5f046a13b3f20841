"""A subscription, consumed: events one after the other, over as many connections as it takes.

A task of its own reads the connection while the application works, so that pings are answered and what is taken back
is known. The node bounds what it holds: it sends no more unanswered events than `window`.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Final, Literal, Self, TypedDict

import websockets  # it imports its parts at their first use: whoever has no subscription goes without

from bigchaindb.client import answers, calls
from bigchaindb.client.answers import AGAIN, Answer
from bigchaindb.client.calls import Granularity, Log, Selected
from bigchaindb.client.connection import Connection
from bigchaindb.client.consuming import COME_BACK, PROTOCOL, Session, SubscriptionEvent
from bigchaindb.client.following import SILENCE_S
from bigchaindb.client.reaching import Lost, lost, seconds
from bigchaindb.errors import ClientUnusable, RequestFailed

logger = logging.getLogger(__name__)

WINDOW: Final = 100
MESSAGE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of a frame: the node sends one event however large, 5 MiB and its envelope."""
FAREWELL_S: Final = 5.0
"""Time at the end in which the node confirms the last answers; what it does not confirm comes again."""

Acknowledge = Literal["next", "explicit"]


class Definition(TypedDict, total=False):
    """What a subscription is; see docs/reference/subscriptions.md. Members that are missing have their defaults."""

    log: Log
    granularity: Granularity
    types: list[Literal["valid", "invalid"]]
    select: Selected
    order: Literal["asset", "log", "none"]
    start: str
    window: int
    retry: Mapping[str, float]
    on_failure: Literal["park", "block", "skip"]
    answer_s: float | None
    expires_s: float | None


class AsyncSubscription:
    """A subscription that is consumed: iterate over it inside `async with`.

    With `acknowledge="next"` to ask for the next event acknowledges the one before, unless it was answered already. The
    last one before a `break` is not: answer it, or it comes again.
    """

    def __init__(
        self,
        connection: Connection,
        name: str,
        definition: Definition,
        *,
        acknowledge: Acknowledge,
        unanswered: int,
        label: str | None,
        away_s: float | None,
    ) -> None:
        """Connect to nothing yet; see `AsyncClient.subscription`."""
        self.name = name
        self._connection = connection
        self._definition = definition
        self._is_by_next = acknowledge == "next"
        self._call = calls.consume(name, unanswered, label)
        self._window = unanswered
        self._away_s = away_s
        self._session: Session | None = None
        self._last: SubscriptionEvent | None = None
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        loop = self._connection.usable()
        if self._definition:
            await self._connection.ask(calls.subscribe(self.name, {**self._definition}))
        self._task = loop.create_task(self._run(loop), name=f"subscription {self.name}")
        self._task.add_done_callback(lambda _: self._changed.set())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Wait until the node has confirmed the answers, and leave; what is unanswered goes to other consumers."""
        task, self._task = self._task, None
        if task is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                while self._session is not None and self._session.unconfirmed and not task.done():
                    await self._wait()
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # it was raised where the events were asked for

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SubscriptionEvent:
        """Return the next event.

        Raises:
            HistoryLost: the log does not have the place of the subscription; a person decides where it goes on.
            RequestFailed: the node refused, deleted the subscription, or was not reached in `away_s`.
            ClientUnusable: the client was closed, or this is outside of `async with`.
        """
        if self._is_by_next and self._last is not None:
            self._last.ack()
        self._last = None
        async with self._connection.until_closed():
            while True:
                if self._task is None:
                    raise ClientUnusable(f"the subscription {self.name} is not open; iterate inside `async with`")
                if self._session is not None and (event := self._session.take()) is not None:
                    self._last = event
                    return event
                if self._task.done():
                    await self._task
                self._connection.usable()
                await self._wait()

    async def _wait(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    async def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hold a connection; make it again when it is lost.

        Raises:
            RequestFailed: the node wants this consumer no more, or was not reached in time.
        """
        url, attempt, seen_s = self._connection.url, 0, loop.time()
        while True:
            attempt, wait_s = attempt + 1, None
            try:
                async with await self._connected(url) as socket:
                    attempt = 0
                    await self._serve(socket, loop)
            except Lost as error:
                why = str(error)
                wait_s = error.retry_after_s
            if attempt == 0:
                attempt, seen_s = 1, loop.time()
            wait_s = self._connection.pause_s(attempt * len(self._connection.urls), wait_s)
            away_s = loop.time() - seen_s
            if self._away_s is not None and away_s + wait_s >= self._away_s:
                raise self._connection.unreachable({url: why}, away_s)
            logger.warning("subscription %s of %s: %s; connecting again in %.1f s", self.name, url, why, wait_s)
            await asyncio.sleep(wait_s)

    async def _connected(self, url: str) -> "websockets.ClientConnection":
        """Return a connection of a consumer.

        Raises:
            Lost: there is none for now.
            RequestFailed: the node refused.
        """
        connection = self._connection
        try:
            return await websockets.connect(
                f"ws{url.removeprefix('http')}{self._call.path}",
                subprotocols=[websockets.Subprotocol(PROTOCOL)],
                additional_headers=connection.headers(url),
                ssl=connection.context(),
                compression=None,
                proxy=None,
                open_timeout=connection.answer_s,
                ping_interval=None,  # the node is never silent for so long as to need one
                close_timeout=1.0,
                max_size=MESSAGE_BYTES_MAX,
                user_agent_header="bigchaindb",
            )
        except websockets.InvalidStatus as error:
            answer = Answer(
                error.response.status_code,
                bytes(error.response.body or b""),
                seconds(error.response.headers.get("Retry-After")),
            )
            if answer.status == HTTPStatus.OK:
                raise RequestFailed(
                    f"{url} answered as without a WebSocket; have the proxy in front of it pass Upgrade and Connection"
                ) from error
            if answer.status not in AGAIN:
                raise answers.refusal(self._call, answer, url) from error
            raise Lost(f"answered {answer.status}", answer.retry_after_s) from error
        except (websockets.InvalidHandshake, OSError, TimeoutError, EOFError) as error:
            raise lost(error, url, connection.answer_s) from error

    async def _serve(self, socket: "websockets.ClientConnection", loop: asyncio.AbstractEventLoop) -> None:
        """Read frames, and send answers, until the connection ends.

        Raises:
            Lost: it has ended; another one may be made.
            RequestFailed: the node ended it for good.
        """
        outgoing: asyncio.Queue[str] = asyncio.Queue()
        self._session = session = Session(
            self._window, outgoing.put_nowait, partial(_run_on, loop, threading.get_ident())
        )
        sending = loop.create_task(_send(socket, outgoing))
        try:
            while True:
                async with asyncio.timeout(SILENCE_S):
                    frame = await socket.recv()
                was = session.state
                session.receive(frame)
                if session.state not in {was, "LIVE", "CATCHING_UP", "STARTING", "STOPPED"}:
                    logger.warning("subscription %s is %s: %s", self.name, session.state, session.reason)
                self._changed.set()
        except TimeoutError:
            raise Lost(f"nothing came for {SILENCE_S:g} s") from None
        except websockets.ConnectionClosed as error:
            code, reason = (1006, "") if error.rcvd is None else (error.rcvd.code, error.rcvd.reason)
            if code in COME_BACK:
                raise Lost(f"the connection ended with {code} {reason}".rstrip()) from error
            raise RequestFailed(f"the subscription {self.name} was closed by the node: {code} {reason}") from error
        finally:
            sending.cancel()
            session.end()
            self._session = None
            self._changed.set()


def _run_on(loop: asyncio.AbstractEventLoop, thread: int, work: Callable[[], None]) -> None:
    """Run a function on a loop, at once if this is its thread."""
    if threading.get_ident() == thread:
        work()
    else:
        loop.call_soon_threadsafe(work)


async def _send(socket: "websockets.ClientConnection", outgoing: asyncio.Queue[str]) -> None:
    with suppress(websockets.ConnectionClosed):
        while True:
            await socket.send(await outgoing.get())
