"""Reads request bodies, bounded in size, in time, and in the bytes that all unfinished bodies hold together."""

import asyncio
from typing import Final

from aiohttp import web

from bigchaindb.api.problems import RETRY_AFTER, Problem, plain
from bigchaindb.config import Limits
from bigchaindb.serving.connection import TinyChunks

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Bodies:
    """Reads bodies. Belongs to the event loop."""

    def __init__(self, limits: Limits) -> None:
        self._bytes_max = limits.body_bytes_max
        self._read_s_max = limits.body_read_s_max
        self._held_bytes_max = limits.receiving_bytes_max
        self._held_bytes = 0

    async def read(self, request: web.BaseRequest) -> bytes:
        """Return the whole body.

        Raises:
            Problem: the body is too large (413), too slow (408) or incomplete (400), or unfinished bodies together
                hold as much as they may (503); the connection ends with the answer.
            ConnectionError: the client is gone.
        """
        content = request.content
        try:
            if not content.is_eof():
                return await self._read_slowly(request)
            body = content.read_nowait()  # It arrived with the head, so it needs no deadline and no copy.
        except TinyChunks as error:
            raise Problem(plain(400, f"malformed HTTP request: {error}; send larger chunks", close=True)) from error
        except web.RequestPayloadError as error:
            content.feed_eof()  # Otherwise aiohttp waits for the rest of the body after the answer.
            raise Problem(plain(400, "malformed HTTP request: the body is incomplete", close=True)) from error
        if len(body) > self._bytes_max:
            raise self._too_large()
        return body

    async def _read_slowly(self, request: web.BaseRequest) -> bytes:
        if (request.content_length or 0) > self._bytes_max:
            raise self._too_large()
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
            request.transport.write(CONTINUE)
        try:
            async with asyncio.timeout(self._read_s_max):
                return await self._joined(request)
        except TimeoutError:
            text = f"the request body did not arrive within {self._read_s_max:g} s"
            raise Problem(plain(408, text, close=True)) from None

    async def _joined(self, request: web.BaseRequest) -> bytes:
        body = bytearray()
        try:
            while chunk := await request.content.readany():
                self._held_bytes += len(chunk)
                body += chunk
                self._require_room(len(body))
        finally:
            self._held_bytes -= len(body)
        return bytes(body)

    def _require_room(self, body_bytes: int) -> None:
        if body_bytes > self._bytes_max:
            raise self._too_large()
        if self._held_bytes > self._held_bytes_max:
            text = (
                f"unfinished request bodies hold {self._held_bytes_max} bytes (limits.receiving_bytes_max); "
                "try again later"
            )
            raise Problem(plain(503, text, headers=RETRY_AFTER, close=True))

    def _too_large(self) -> Problem:
        return Problem(plain(413, f"the request body is larger than {self._bytes_max} bytes", close=True))
