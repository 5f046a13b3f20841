"""HTTP as a client speaks it: one answer, or a stream. Imported at the first request, as its library takes a moment."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final

import aiohttp
from yarl import URL

from bigchaindb.client.answers import Answer, Call
from bigchaindb.client.reaching import Lost, lost, seconds
from bigchaindb.errors import RequestFailed

ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of an answer. Lists of the contract have no end; a block and a proof have less than 16 MiB."""
CONNECTION_COUNT_MAX: Final = 100
"""To all nodes; further requests wait. A node allows 256 from one address unless it is told otherwise."""

Read = Callable[[], Awaitable[bytes]]
"""Returns the next bytes of a stream; none at its end."""


class Http:
    """Connections to nodes, which are kept open. Belongs to one event loop."""

    def __init__(self, answer_s: float, context: ssl.SSLContext | None) -> None:
        """Connect to nothing yet.

        Args:
            answer_s: time for one answer.
            context: how certificates are judged.
        """
        self._answer_s = answer_s
        self._connector = aiohttp.TCPConnector(limit=CONNECTION_COUNT_MAX, ssl=context or True)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            timeout=aiohttp.ClientTimeout(total=answer_s),
            headers={"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "bigchaindb"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # what is packed could be far larger than what is counted
        )

    async def exchange(self, url: str, call: Call[Any], headers: Mapping[str, str]) -> Answer:
        """Return the answer of a node.

        Raises:
            Lost: it did not answer.
            RequestFailed: TLS is not as it must be, or the answer is larger than any of a node.
        """
        try:
            async with self._session.request(
                call.method,
                URL(f"{url}{call.path}", encoded=True),
                data=call.body,
                headers=headers if call.body is None else {**headers, "Content-Type": "application/json"},
                allow_redirects=False,
            ) as response:
                return await _answer_of(response)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise lost(error, url, self._answer_s) from error

    @asynccontextmanager
    async def stream(
        self, url: str, path: str, headers: Mapping[str, str], silence_s: float
    ) -> AsyncIterator[Answer | Read]:
        """Yield what reads an answer without end, once it has begun; another answer than 200 as it is.

        Raises:
            Lost: the node does not answer, the stream broke, or nothing came for `silence_s`.
            RequestFailed: TLS is not as it must be.
        """
        times = aiohttp.ClientTimeout(total=None, connect=self._answer_s, sock_read=silence_s)
        try:
            async with self._session.get(
                URL(f"{url}{path}", encoded=True), headers=headers, timeout=times, allow_redirects=False
            ) as response:
                try:
                    is_begun = response.status == HTTPStatus.OK
                    yield response.content.readany if is_begun else await _answer_of(response)
                finally:
                    if response.connection is not None and response.connection.transport is not None:
                        response.connection.transport.abort()  # the farewell of TLS would outlive the loop
        except aiohttp.SocketTimeoutError as error:
            raise Lost(f"nothing came for {silence_s:g} s") from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise lost(error, url, self._answer_s) from error

    async def close(self) -> None:
        """End all connections."""
        await self._connector.close(abort_ssl=True)  # a farewell would outlive the loop
        await self._session.close()


async def _answer_of(response: aiohttp.ClientResponse) -> Answer:
    pieces, count = [], 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        if (count := count + len(piece)) > ANSWER_BYTES_MAX:
            raise RequestFailed(f"the node's answer has more than {ANSWER_BYTES_MAX} bytes", response.status)
    return Answer(response.status, b"".join(pieces), seconds(response.headers.get("Retry-After")))
