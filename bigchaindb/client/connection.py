"""Requests to nodes: sent again while nobody answers or a node is busy, and to the next node if there are several.

Sending again is safe for all that a client sends: a transaction is named by its hash. Belongs to one event loop.
"""

import asyncio
import itertools
import logging
import os
import random
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp
from yarl import URL

from bigchaindb.client import calls
from bigchaindb.client.calls import AGAIN, Answer, Call
from bigchaindb.client.reaching import about, about_tls, authorization, tls_context, urls_of
from bigchaindb.errors import ClientUnusable, RequestFailed

logger = logging.getLogger(__name__)

ANSWER_S: Final = 20.0
"""Time for one answer, as the drivers have it; mode commit answers within 10 s."""
DEADLINE_S: Final = 60.0
"""Time in which a request is sent again: a node restarts within seconds, a machine within a minute."""
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of an answer. Lists of the contract have no end; a block and a proof have less than 16 MiB."""
CONNECTION_COUNT_MAX: Final = 100
"""To all nodes; further requests wait. A node allows 256 from one address unless it is told otherwise."""

T = TypeVar("T")


class Lost(Exception):
    """A node did not answer; the message has the reason in few words."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        """Keep how long the node asks to wait."""
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class Connection:
    """Nodes that hold one ledger, by their URLs."""

    def __init__(
        self,
        nodes: str | Sequence[str],
        *,
        key: str | None = None,
        tls: ssl.SSLContext | str | Path | None = None,
        answer_s: float = ANSWER_S,
        deadline_s: float = DEADLINE_S,
        unreachable_s: float | None = None,
        advice: str = "",
    ) -> None:
        """Connect to nothing yet; see `AsyncClient`."""
        self.urls = urls_of(nodes)
        self.deadline_s = deadline_s
        self._key = key
        self._tls = tls
        self.answer_s = answer_s
        self._unreachable_s = deadline_s if unreachable_s is None else unreachable_s
        self._advice = advice
        self._current = 0
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False
        self._home: tuple[int, asyncio.AbstractEventLoop] | None = None
        self._waiting: set[asyncio.Timeout] = set()
        self._context: ssl.SSLContext | None = None

    async def ask(self, call: Call[T], deadline_s: float | None = None) -> T:
        """Return the result of a call.

        Args:
            call: what to ask.
            deadline_s: time of the loop after which it is not sent again; None: the client's.

        Raises:
            RequestFailed: no node answered by the deadline, or one refused.
            HistoryLost: the node does not have the place that was named.
            ClientUnusable: this client is closed, or of another loop or process.
        """
        loop = self.usable()
        begun_s = loop.time()
        async with self.until_closed():
            return await self._ask(call, begun_s, begun_s + self.deadline_s if deadline_s is None else deadline_s)

    async def _ask(self, call: Call[T], begun_s: float, deadline_s: float) -> T:
        loop, tried = asyncio.get_running_loop(), dict[str, str]()
        for attempt in itertools.count(1):
            url, failed, wait_s, end_s = self.url, None, None, deadline_s
            try:
                answer = await self._exchange(url, call)
            except Lost as lost:
                tried[url], end_s = str(lost), min(deadline_s, begun_s + self._unreachable_s)
            else:
                if answer.status not in AGAIN:
                    return calls.result(call, answer, url)
                tried[url], wait_s = f"answered {answer.status}", answer.retry_after_s
                failed = calls.refusal(call, answer, url)
            self.turn()
            wait_s = self.pause_s(attempt, wait_s)
            if loop.time() + wait_s >= end_s:
                only = failed if len(tried) == 1 else None
                raise only or self.unreachable(tried, loop.time() - begun_s)
            logger.info("%s: %s; asking again in %.1f s", url, tried[url], wait_s)
            await asyncio.sleep(wait_s)
        raise AssertionError("a count has no end")

    @property
    def url(self) -> str:
        """The node that is asked next."""
        return self.urls[self._current]

    def turn(self) -> None:
        """Ask the next node from now on."""
        self._current = (self._current + 1) % len(self.urls)

    @asynccontextmanager
    async def stream(
        self, url: str, path: str, headers: Mapping[str, str], silence_s: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield an answer without end, once it has begun.

        Args:
            url: of the node.
            path: with its query.
            headers: beside those of every request.
            silence_s: after which it is lost.

        Raises:
            Lost: the node does not answer. Errors of a broken stream are those of aiohttp, see `why`.
        """
        times = aiohttp.ClientTimeout(total=None, connect=self.answer_s, sock_read=silence_s)
        try:
            async with self._opened().get(
                URL(f"{url}{path}", encoded=True),
                headers={**headers, **authorization(url, self._key)},
                timeout=times,
                allow_redirects=False,
            ) as response:
                try:
                    yield response
                finally:
                    if response.connection is not None and response.connection.transport is not None:
                        response.connection.transport.abort()  # the farewell of TLS would outlive the loop
        except aiohttp.SocketTimeoutError as error:
            raise Lost(f"nothing came for {silence_s:g} s") from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self.lost(error, url) from error

    def headers(self, url: str) -> dict[str, str]:
        """Return the headers that show the access key to a node. Raises RequestFailed."""
        return authorization(url, self._key)

    def context(self) -> ssl.SSLContext | None:
        """Return how the nodes' certificates are judged; None if none has TLS. Raises RequestFailed."""
        if self._context is None and any(url.startswith("https") for url in self.urls):
            self._context = tls_context(self._tls)
        return self._context

    def lost(self, error: BaseException, url: str) -> Lost:
        """Return the reason of a failure in few words.

        Raises:
            RequestFailed: it will not pass: TLS is not as it must be.
        """
        cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
        if isinstance(cause, ssl.SSLError):
            raise RequestFailed(f"cannot ask {url}: {about_tls(cause, url)}") from error
        if isinstance(error, TimeoutError):
            return Lost(f"no answer within {self.answer_s:g} s")
        return Lost(about(cause))

    def unreachable(self, tried: Mapping[str, str], spent_s: float) -> RequestFailed:
        """Return the error of nodes that did not answer.

        Args:
            tried: the reason of each, by URL.
            spent_s: how long they were asked.
        """
        how_long = f", tried for {spent_s:.0f} s" if spent_s >= 1 else ""
        if len(tried) == 1:
            [(url, why)] = tried.items()
            text = f"cannot ask {url}: {why}{how_long}; is the node running, and is that its address?"
        else:
            each = ", ".join(f"{url} ({why})" for url, why in tried.items())
            text = f"cannot ask {each}{how_long}; are the nodes running, and are those their addresses?"
        return RequestFailed(f"{text}{self._advice}")

    def usable(self) -> asyncio.AbstractEventLoop:
        """Return the loop; require that this client may be used here and now.

        Raises:
            ClientUnusable: it is closed, or of another loop or process.
        """
        here = os.getpid(), asyncio.get_running_loop()
        if self._is_closed:
            raise _closed()
        if self._home is None:
            self._home = here
        if self._home != here:
            where = "process, before a fork" if self._home[0] != here[0] else "event loop"
            raise ClientUnusable(
                f"this client was opened in another {where}; make a client of its own for each event loop and process"
            )
        return here[1]

    @asynccontextmanager
    async def until_closed(self) -> AsyncIterator[None]:
        """End what is awaited inside once this client is closed.

        Raises:
            ClientUnusable: it is closed.
        """
        try:
            async with asyncio.timeout(None) as scope:
                self._waiting.add(scope)
                try:
                    yield
                finally:
                    self._waiting.discard(scope)
        except TimeoutError:
            if self._is_closed:
                raise _closed() from None
            raise

    async def close(self) -> None:
        """End what waits, with ClientUnusable, and all connections. Safe to call twice."""
        if self._is_closed or self._is_foreign():  # the connections of another process are not ours to end
            self._is_closed = True
            return
        self._is_closed = True
        loop = asyncio.get_running_loop()
        for scope in self._waiting if self._home == (os.getpid(), loop) else ():
            scope.reschedule(loop.time())
        if self._session is not None:
            if self._session.connector is not None:
                await self._session.connector.close(abort_ssl=True)  # a farewell would outlive the loop
            await self._session.close()

    async def _exchange(self, url: str, call: Call[Any]) -> Answer:
        headers = authorization(url, self._key)
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with self._opened().request(
                call.method,
                URL(f"{url}{call.path}", encoded=True),
                data=call.body,
                headers=headers,
                allow_redirects=False,
            ) as response:
                return await answer_of(response)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self.lost(error, url) from error

    def pause_s(self, attempt: int, wait_s: float | None) -> float:
        """Return the time until the next node is asked: none until each of them was."""
        rounds, place = divmod(attempt, len(self.urls))
        return 0.0 if place else calls.pause_s(rounds, random.random(), wait_s)  # noqa: S311 - no secret

    def _is_foreign(self) -> bool:
        return self._home is not None and self._home[0] != os.getpid()

    def _opened(self) -> aiohttp.ClientSession:
        """Return the session; the first request opens it."""
        self.usable()
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTION_COUNT_MAX, ssl=self.context() or True),
                timeout=aiohttp.ClientTimeout(total=self.answer_s),
                headers={"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "bigchaindb"},
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # what is packed could be far larger than what is counted
            )
        return self._session


def _closed() -> ClientUnusable:
    return ClientUnusable("this client is closed; make a new one")


async def answer_of(response: aiohttp.ClientResponse) -> Answer:
    """Return an answer, read to its end.

    Raises:
        RequestFailed: it is larger than any answer of a node.
    """
    pieces, count = [], 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        if (count := count + len(piece)) > ANSWER_BYTES_MAX:
            raise RequestFailed(f"the node's answer has more than {ANSWER_BYTES_MAX} bytes", response.status)
    return Answer(response.status, b"".join(pieces), seconds(response.headers.get("Retry-After")))


def seconds(text: str | None) -> float | None:
    """Return the value of `Retry-After`; None for a date or no number."""
    return float(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None  # noqa: PLR2004
