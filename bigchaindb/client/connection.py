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
from typing import TYPE_CHECKING, Final, TypeVar

from bigchaindb.client import answers
from bigchaindb.client.answers import AGAIN, Answer, Call
from bigchaindb.client.reaching import Lost, authorization, tls_context, urls_of
from bigchaindb.errors import ClientUnusable, RequestFailed

if TYPE_CHECKING:
    from bigchaindb.client.http import Http, Read

logger = logging.getLogger(__name__)

ANSWER_S: Final = 20.0
"""Time for one answer, as the drivers have it; mode commit answers within 10 s."""
DEADLINE_S: Final = 60.0
"""Time in which a request is sent again: a node restarts within seconds, a machine within a minute."""
QUIET_S: Final = 1.0
"""Time after which a person wants to know why nothing happens."""

T = TypeVar("T")


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
        self._http: Http | None = None
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
        loop, tried, is_told = asyncio.get_running_loop(), dict[str, str](), False
        for attempt in itertools.count(1):
            url, failed, wait_s, end_s = self.url, None, None, deadline_s
            try:
                answer = await self._opened().exchange(url, call, self.headers(url))
            except Lost as error:
                tried[url], end_s = str(error), min(deadline_s, begun_s + self._unreachable_s)
            else:
                if answer.status not in AGAIN or call.takes(answer):
                    return answers.result(call, answer, url)
                tried[url], wait_s = f"answered {answer.status}", answer.retry_after_s
                failed = answers.refusal(call, answer, url)
            self.turn()
            wait_s = self.pause_s(attempt, wait_s)
            if loop.time() + wait_s >= end_s:
                only = failed if len(tried) == 1 else None
                raise only or self.unreachable(tried, loop.time() - begun_s)
            if not is_told and loop.time() + wait_s - begun_s >= QUIET_S:
                is_told = True
                logger.warning("%s: %s; asking again for up to %.0f s", url, tried[url], end_s - begun_s)
            else:
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
    ) -> AsyncIterator["Answer | Read"]:
        """Yield what reads an answer without end; see `Http.stream`. Raises Lost and RequestFailed."""
        async with self._opened().stream(url, path, {**headers, **self.headers(url)}, silence_s) as begun:
            yield begun

    def headers(self, url: str) -> dict[str, str]:
        """Return the headers that show the access key to a node. Raises RequestFailed."""
        return authorization(url, self._key)

    def context(self) -> ssl.SSLContext | None:
        """Return how the nodes' certificates are judged; None if none has TLS. Raises RequestFailed."""
        if self._context is None and any(url.startswith("https") for url in self.urls):
            self._context = tls_context(self._tls)
        return self._context

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
        if self._is_closed:
            raise _closed()
        try:
            async with asyncio.timeout(None) as scope:
                self._waiting.add(scope)
                try:
                    yield
                finally:
                    self._waiting.discard(scope)
        except Exception:  # the library has errors of its own for a connection that was closed under a read
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
        if self._http is not None:
            await self._http.close()

    def pause_s(self, attempt: int, wait_s: float | None) -> float:
        """Return the time until the next node is asked: none until each of them was."""
        rounds, place = divmod(attempt, len(self.urls))
        return 0.0 if place else answers.pause_s(rounds, random.random(), wait_s)  # noqa: S311 - no secret

    def _is_foreign(self) -> bool:
        return self._home is not None and self._home[0] != os.getpid()

    def _opened(self) -> "Http":
        """Return what speaks HTTP; the first request makes it."""
        self.usable()
        if self._http is None:
            from bigchaindb.client.http import Http  # a command that asks no node does not wait for its library

            self._http = Http(self.answer_s, self.context())
        return self._http


def _closed() -> ClientUnusable:
    return ClientUnusable("this client is closed; make a new one")
