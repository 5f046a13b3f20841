"""The event log, followed: a stream of Server-Sent Events that reconnects by itself.

Nothing between two connections is missed, as each begins behind the last event that was yielded.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from bigchaindb.client import answers, calls
from bigchaindb.client.answers import AGAIN, Answer, Call
from bigchaindb.client.calls import Granularity, Log, NewestPage, Page, Selected
from bigchaindb.client.connection import Connection
from bigchaindb.client.event import Event, LogEvent, Messages
from bigchaindb.client.reaching import Lost
from bigchaindb.errors import MalformedToken
from bigchaindb.eventlog.token import CHECK_BYTES, WHOLE, encode, unpacked

if TYPE_CHECKING:
    from bigchaindb.client.http import Read

logger = logging.getLogger(__name__)

NOW: Final = "now"
SILENCE_S: Final = 45.0
"""Silence after which a stream is lost: nodes write a heartbeat after 15 s."""
QUIET_S: Final = 0.25
"""Silence after which a stream that shall end with the log is taken for being there, and a page asked for its end."""
AWAY_S: Final = 600.0
"""Time without any connection after which a stream ends with an error: longer than a restart or an upgrade takes."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The events that are wanted.

    Attributes:
        select: what one of their transactions must be; see `calls.Selected`.
        types: of valid or of invalid blocks only.
        granularity: of an event.
        away_s: time without a connection after which following ends with an error; None: never.
        log: of the ledger, or that of the transactions that the node rejected.
    """

    select: Selected | None = None
    types: Literal["valid", "invalid"] | None = None
    granularity: Granularity = "block"
    away_s: float | None = AWAY_S
    log: Log = "events"

    def call(self, after: str | None = None, limit: int | None = None) -> Call[Page]:
        """Return the question for a page, or for a stream."""
        if self.log == "rejected":
            return calls.rejected(self.select, after=after, limit=limit)
        return calls.events(self.select, types=self.types, granularity=self.granularity, after=after, limit=limit)

    def newest(self, before: str) -> Call[NewestPage]:
        """Return the question for a page of the newest events before a place."""
        return calls.newest(self.select, types=self.types, granularity=self.granularity, log=self.log, before=before)


async def follow(
    connection: Connection, wish: Wish, after: str | None, until: Literal["head"] | None
) -> AsyncGenerator[LogEvent, None]:
    """Yield events in the order of the log.

    Args:
        connection: to nodes.
        wish: which events.
        after: token of a place; None is before the first event, and "now" behind the last one.
        until: "head" ends with the last event that the log has now; None waits for further ones, for ever.

    Raises:
        MalformedToken: `after` is no token.
        HistoryLost: the node does not have the place of the token.
        RequestFailed: a node refused, or none was reached in time.
        ClientUnusable: the client was closed.
    """
    first, token = None, None if after == NOW else after
    if token is not None:
        _require_token(token)
    elif after is None and wish.log == "rejected":
        first, token = await _first(connection, wish)
    elif after is None:
        token = await _genesis(connection)
    stream = _Stream(connection, wish, token)
    head = None if until is None else unpacked(await _Stream(connection, wish, None).begin()).position
    if first is not None:
        yield first
    if head is not None and (after == NOW or (token is not None and _is_behind(token, head))):
        return
    async with aclosing(stream.events(head)) as events:
        async for event in events:
            if head is None or event.position <= head:
                yield event
            if head is not None and (event.position > head or _is_behind(event.token, head)):
                return


async def walk_back(connection: Connection, wish: Wish, before: str) -> AsyncGenerator[Event, None]:
    """Yield events before a place, newest first, a page at a time.

    Args:
        connection: to nodes.
        wish: which events.
        before: token of a place, "now" behind the last one.

    Raises:
        MalformedToken: `before` is no token.
        HistoryLost: the node does not have the place of the token.
        RequestFailed: a node refused, or none was reached by the deadline.
    """
    if before != NOW:
        _require_token(before, name="before")
    is_end = False
    while not is_end:
        events, is_end, before = await connection.ask(wish.newest(before))
        for event in events:
            yield Event(event)


class _Stream:
    """Server-Sent Events of one place after the other, over as many connections as it takes."""

    def __init__(self, connection: Connection, wish: Wish, token: str | None) -> None:
        self.token = token
        self._connection = connection
        self._wish = wish

    async def begin(self) -> str:
        """Return the token of the place where the stream begins."""
        async with aclosing(self._messages(None)) as messages:
            async for token, _ in messages:
                return token
        raise AssertionError("a stream has no end")

    async def events(self, head: int | None = None) -> AsyncGenerator[LogEvent, None]:
        """Yield events; with `head` until none is left up to that position."""
        async with aclosing(self._messages(head)) as messages:
            async for token, envelope in messages:
                if envelope is not None:
                    yield LogEvent(envelope, token)

    async def _messages(self, head: int | None) -> AsyncGenerator[tuple[str, bytes | None], None]:
        """Yield the messages of all connections, each with its token; the place moves on with each."""
        connection, loop = self._connection, self._connection.usable()
        connected_s, tried, attempt = loop.time(), dict[str, str](), 0
        while True:
            url, attempt, wait_s = connection.url, attempt + 1, None
            try:
                async with self._opened(url) as begun:
                    if isinstance(begun, Answer):
                        tried[url], wait_s = f"answered {begun.status}", begun.retry_after_s
                    else:
                        attempt, tried = 0, {}
                        async with aclosing(self._read(begun, head)) as messages:
                            async for message in messages:
                                connected_s = loop.time()
                                yield message
                        if head is not None:
                            return
                        raise Lost("the stream ended")  # noqa: TRY301 - as if it had broken
            except Lost as error:
                tried[url] = str(error)
            connection.turn()
            wait_s = connection.pause_s(attempt or len(connection.urls), wait_s)  # streams may begin and end at once
            away_s = loop.time() - connected_s
            if self._wish.away_s is not None and away_s + wait_s >= self._wish.away_s:
                raise connection.unreachable(tried, away_s)
            logger.warning("following events of %s: %s; connecting again in %.1f s", url, tried[url], wait_s)
            async with connection.until_closed():
                await asyncio.sleep(wait_s)

    @asynccontextmanager
    async def _opened(self, url: str) -> AsyncIterator["Read | Answer"]:
        """Yield what reads the stream of a node, or its answer if it is busy."""
        call = self._wish.call()
        headers = {"Accept": "text/event-stream"} | ({} if self.token is None else {"Last-Event-ID": self.token})
        async with self._connection.stream(url, call.path, headers, SILENCE_S) as begun:
            if isinstance(begun, Answer) and begun.status not in AGAIN:
                raise answers.refusal(call, begun, url)
            yield begun

    async def _read(self, read: "Read", head: int | None) -> AsyncGenerator[tuple[str, bytes | None], None]:
        """Yield the messages of one connection until it ends, or until nothing is left up to `head`."""
        messages = Messages()
        while True:
            try:
                async with self._connection.until_closed(), asyncio.timeout(None if head is None else QUIET_S):
                    piece = await read()
            except TimeoutError:
                if head is None:
                    raise
                if await self._is_over(head):
                    return
                continue
            if not piece:
                if head is not None:
                    raise Lost("the stream ended")
                return
            for token, envelope in messages.feed(piece):
                self.token = token
                yield token, envelope

    async def _is_over(self, head: int) -> bool:
        """Whether nothing that is wanted is left up to a position; pages name their end, and streams are silent."""
        token = self.token
        while token is not None and not _is_behind(token, head):
            page = await self._connection.ask(self._wish.call(after=token, limit=1))
            if page.events:
                return Event(page.events[0]).position > head
            token = page.next
            if page.is_head:  # perhaps of a node that is behind the one that named `head`, and gets there later
                return _is_behind(token, head)
        return token is not None


async def _genesis(connection: Connection) -> str:
    """Return the token of the place before the first event."""
    page = await connection.ask(calls.events(None, types=None, granularity="block", after=None, limit=1))
    return encode(Event(page.events[0]).chain_id, 0, WHOLE, bytes(CHECK_BYTES)) if page.events else page.next


async def _first(connection: Connection, wish: Wish) -> tuple[LogEvent | None, str]:
    """Return the first event that is left in the log of a node, with the place behind it.

    The place before it has no token once older rows have gone.
    """
    page = await connection.ask(wish.call(limit=1))
    return LogEvent(page.events[0], page.next) if page.events else None, page.next


def _require_token(text: str, *, name: str = "after") -> None:
    try:
        unpacked(text)
    except MalformedToken as error:
        raise MalformedToken(f"{name}: {error}") from None


def _is_behind(token: str, position: int) -> bool:
    """Whether a place is behind the whole event at a position."""
    place = unpacked(token)
    return place.position > position or (place.position == position and place.index == WHOLE)
