"""Streams of Redis as the tests of the sink see them."""

import itertools
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from bigchaindb.delivery import Message
from bigchaindb.events import Unavailable
from bigchaindb.sinks.redis import RedisSink
from bigchaindb.sinks.redis_server import Server, Streams
from bigchaindb.testing.sinks import Held, Trouble
from tests.support.redis import PASSWORD, Redis
from tests.support.targets import AtServer

_numbers: Final = itertools.count(1)
COPIES: Final = {f"copy{number}": "$" for number in range(24)}
"""Fields by which a block of 60,000 bytes is larger than 1 MiB, the least limit that a server has."""


class Stream(AtServer[Redis]):
    """A stream of a test's own.

    Attributes:
        secret: the password in the options.
        beside: a stream at a server with TLS and a limit.
        other_ca: an authority that did not sign that server's certificate.
        more: options that every test gets.
    """

    secret = PASSWORD

    def __init__(
        self, server: Redis, beside: "Stream | None" = None, other_ca: Path | None = None, **more: Any
    ) -> None:
        self.server = server
        self.beside = beside
        self.other_ca = other_ca
        self.more = more
        self.name = f"test-{next(_numbers)}"

    def options(self, **more: Any) -> dict[str, Any]:
        return {"url": self.server.url_with(), "stream": self.name, **self.more, **more}

    def held(self) -> Sequence[Held]:
        return [Held(fields["id"].decode(), "", fields["data"]) for _, fields in self.entries()]

    def bodies(self) -> Sequence[bytes]:
        return [fields.get("event") or fields["data"] for _, fields in self.entries()]

    def places(self) -> Collection[str]:
        return [key.decode() for key in self.do("KEYS", "*")]

    def wrong_credentials(self, secret: str) -> dict[str, Any]:
        return self.options(url=self.server.url_with(secret))

    def secured(self) -> tuple["Stream", dict[str, Any]]:
        assert self.beside is not None
        return self.beside, self.beside.options(ca_file=str(self.other_ca))

    def limited(self) -> "Stream":
        """Return a stream whose entries have all fields of a block many times."""
        assert self.beside is not None
        self.beside.more |= {"fields": COPIES}
        return self.beside

    def full(self) -> Trouble:
        self.do("CONFIG", "SET", "maxmemory", "1mb")
        mend = partial(self.do, "CONFIG", "SET", "maxmemory", "0")
        return Trouble(self.options(), mend, "its memory is full; raise its maxmemory")

    def entries(self, name: str = "") -> Sequence[tuple[str, dict[str, bytes]]]:
        """Return ids with their fields, in the order of the stream."""
        found = self.do("XRANGE", name or self.name, "-", "+")
        return [(id_.decode(), {key.decode(): value for key, value in fields.items()}) for id_, fields in found]

    def do(self, *command: str | int) -> Any:
        """Run a command as somebody who may do anything."""
        with self.server.client() as client:
            return client.execute_command(*command)

    @contextmanager
    def setting(self, name: str, value: str) -> Iterator[None]:
        """Change a setting of the server for a while."""
        with self.server.client() as client:
            before = client.config_get(name)[name]
            client.config_set(name, value)
            try:
                yield
            finally:
                client.config_set(name, before)

    @contextmanager
    def opened(self, **options: Any) -> Iterator[tuple[Server, Streams]]:
        """Connect as the plugin does."""
        sink = RedisSink()
        sink.configure(self.options(**options))
        with sink.opened() as found:
            yield found

    def write(self, messages: Sequence[Message], **options: Any) -> None:
        """Add messages as the plugin does."""
        with self.opened(**options) as (_, streams):
            streams.write(messages)

    def check(self, **options: Any) -> str:
        """Check as `plugins check` does."""
        sink = RedisSink()
        sink.configure(self.options(**options))
        return sink.check()

    def refusal(self, **options: Any) -> str:
        """Return the error of a check."""
        with pytest.raises(Unavailable) as found:
            self.check(**options)
        return str(found.value)
