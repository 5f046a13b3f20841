"""One HTTP request as a value, and its body as it arrives."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class BrokenBody(Exception):
    """A body cannot be completed; the text has the reason."""


class Body:
    """The body of a request, as far as it has arrived. Belongs to the event loop.

    Attributes:
        length: as announced; None for a body in chunks.
        size: bytes that have arrived.
        is_complete: whether all of it has arrived.
        is_wanted: whether it is being read; a reader that pauses unsets it.
        on_wanted: called when its reader begins.
    """

    __slots__ = ("_changed", "_error", "_pieces", "is_complete", "is_wanted", "length", "on_wanted", "size")

    def __init__(self, length: int | None) -> None:
        self.length = length
        self.size = 0
        self.is_complete = False
        self.is_wanted = False
        self.on_wanted: Callable[[], None] | None = None
        self._pieces: list[bytes] = []
        self._error: Exception | None = None
        self._changed: asyncio.Future[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether more of it may come."""
        return not self.is_complete and self._error is None

    def add(self, piece: bytes) -> None:
        """Take bytes that arrived."""
        self._pieces.append(piece)
        self.size += len(piece)
        self._wake()

    def complete(self) -> None:
        """Record that all has arrived."""
        self.is_complete = True
        self._wake()

    def break_off(self, error: Exception) -> None:
        """Raise `error` in its reader, unless it is complete or has an error already."""
        if self.is_open:
            self._error = error
            self._wake()

    async def more(self) -> None:
        """Wait until more has arrived.

        Raises:
            BrokenBody: it cannot be completed.
            ConnectionError: the client is gone.
        """
        if self.is_open:
            self._changed = asyncio.get_running_loop().create_future()
            if not self.is_wanted:
                self.is_wanted = True
                if self.on_wanted is not None:
                    self.on_wanted()
            await self._changed
        if self._error is not None:
            raise self._error

    def joined(self) -> bytes:
        """Return all that has arrived."""
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)


class Refusal(NamedTuple):
    """The answer to a request that no handler gets: a status and a text."""

    status: int
    text: str


@dataclass(slots=True, eq=False)
class Request:
    """One request.

    Attributes:
        method: as sent.
        target: as sent: path and query, or the absolute form.
        headers: those that this software reads, by their names in lower case.
        body: of the request.
        is_1_1: whether it is of HTTP/1.1; otherwise it is of 1.0.
        keeps_alive: whether another request may follow; its answer may decide otherwise.
        may_upgrade: whether it asks for another protocol and has no body.
        key: the access key that it shows, and that is in no header; None: it shows none.
        refusal: why it gets no handler; None: it gets one.
        lines: header lines of each answer to it.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: Body
    is_1_1: bool = True
    keeps_alive: bool = False
    may_upgrade: bool = False
    key: str | None = field(default=None, repr=False)
    refusal: Refusal | None = None
    lines: bytes = b""


def refused(status: int, text: str) -> Request:
    """Return bytes that are no HTTP request as a request with its refusal."""
    body = Body(0)
    body.complete()
    return Request("", "", {}, body, refusal=Refusal(status, text))
