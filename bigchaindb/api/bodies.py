"""Reads request bodies, bounded in size, in time, and in the bytes that all unfinished bodies hold together.

Large ones are read slowly while some of them are refused: see `pace`.
"""

import asyncio
import logging
import time
from http import HTTPStatus
from typing import Final

from bigchaindb.api.pace import Pace
from bigchaindb.api.problems import RETRY_AFTER, Problem, plain
from bigchaindb.config import Limits
from bigchaindb.serving.connection import Connection
from bigchaindb.serving.parsing import AHEAD_BYTES, MALFORMED
from bigchaindb.serving.request import Body, BrokenBody, Request
from bigchaindb.serving.summary import Summary

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LARGE_BYTES: Final = AHEAD_BYTES
"""Largest body that is read at once, whatever others send: so much is taken before anybody asks for it."""

_log: Final = logging.getLogger(__name__)


class Bodies:
    """Reads bodies. Belongs to the event loop."""

    def __init__(self, limits: Limits) -> None:
        self._bytes_max = limits.body_bytes_max
        self._read_s_max = limits.body_read_s_max
        self._held_bytes_max = limits.receiving_bytes_max
        self._held_bytes = 0
        self._pace = Pace(time.monotonic)
        self._slowed = Summary(_log_slowed)

    def answered(self, request: Request, status: int) -> None:
        """Note the status of the answer to a request."""
        if status >= HTTPStatus.BAD_REQUEST and request.body.size > LARGE_BYTES:
            self._pace.slow_down()

    async def read(self, connection: Connection, request: Request, bytes_max: int | None = None) -> bytes:
        """Return the whole body.

        Args:
            connection: of the client.
            request: whose body it is.
            bytes_max: that it may have; None: as many as any.

        Raises:
            Problem: the body is too large (413), too slow (408) or incomplete (400), or unfinished bodies together
                hold as much as they may (503); the connection ends with the answer.
            ConnectionError: the client is gone.
        """
        body, most = request.body, self._bytes_max if bytes_max is None else min(bytes_max, self._bytes_max)
        if not body.is_complete or body.size > LARGE_BYTES:
            await self._receive(connection, request, most)
        if body.size > most:
            raise _too_large(most)
        return body.joined()

    async def _receive(self, connection: Connection, request: Request, bytes_max: int) -> None:
        body = request.body
        if (body.length or 0) > bytes_max:
            raise _too_large(bytes_max)
        if not body.is_complete and request.headers.get("expect", "").lower() == "100-continue" and request.is_1_1:
            connection.transport.write(CONTINUE)
        slow = Problem(plain(408, f"the request body did not arrive within {self._read_s_max:g} s", close=True))
        timer = asyncio.get_running_loop().call_later(self._read_s_max, body.break_off, slow)
        try:
            await self._hold(body, bytes_max)
        except BrokenBody as error:
            raise Problem(plain(400, f"{MALFORMED}{error}", close=True)) from error
        finally:
            timer.cancel()

    async def _hold(self, body: Body, bytes_max: int) -> None:
        held_bytes = 0
        try:
            while True:
                read_bytes = body.size - held_bytes
                self._held_bytes += read_bytes
                held_bytes = body.size
                if held_bytes > bytes_max:
                    raise _too_large(bytes_max)
                self._require_room()
                if held_bytes > LARGE_BYTES and (wait_s := self._pace.wait_s(read_bytes)):
                    self._slowed.note("")
                    body.is_wanted = False
                    await asyncio.sleep(wait_s)
                if body.is_complete:
                    return
                await body.more()
        finally:
            self._held_bytes -= held_bytes

    def _require_room(self) -> None:
        if self._held_bytes > self._held_bytes_max:
            text = (
                f"unfinished request bodies hold {self._held_bytes_max} bytes (limits.receiving_bytes_max); "
                "try again later"
            )
            raise Problem(plain(503, text, headers=RETRY_AFTER, close=True))


def _too_large(bytes_max: int) -> Problem:
    return Problem(plain(413, f"the request body is larger than {bytes_max} bytes", close=True))


def _log_slowed(count: int, _: str) -> None:
    about = {"pieces": count, "advice": "if it goes on, set access.rates"}
    _log.warning("large request bodies are read slowly, since large ones are refused", extra=about)
