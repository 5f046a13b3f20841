"""A server of NATS with accounts, and streams on it."""

import asyncio
import itertools
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from nats.aio.msg import Msg
from nats.js.api import DiscardPolicy

from bigchaindb.testing.sinks import Held, Trouble
from tests.support.nats import PASSWORD, USER, Nats
from tests.support.nats_accounts import USER as USER_KEY
from tests.support.nats_accounts import Key
from tests.support.targets import AtServer

_numbers: Final = itertools.count(1)
DUPLICATE_S: Final = 3600.0
"""Longer than any test: whatever is sent twice must be recognized."""
KEY: Final = Key(USER_KEY)
SETTINGS: Final = f"""
accounts {{
  ledger: {{
    jetstream: enabled
    users: [
      {{ user: {USER}, password: {PASSWORD} }}
      {{ user: eve, password: {PASSWORD}, permissions: {{ publish: ["$JS.API.>"] }} }}
      {{ nkey: {KEY.public} }}
    ]
  }}
  plain: {{ users: [ {{ user: carol, password: {PASSWORD} }} ] }}
}}
"""


class Stream(AtServer[Nats]):
    """A stream of a test's own.

    Attributes:
        name: of the stream, and the first word of its subjects.
        login: options that the server asks for.
        beside: a stream of a server with TLS and a limit.
        other_ca: an authority that did not sign that server's certificate.
    """

    secret = PASSWORD

    other_ca: Path | None = None

    def __init__(self, server: Nats, login: Mapping[str, Any] | None = None, beside: "Stream | None" = None) -> None:
        self.server = server
        self.login = login or {}
        self.beside = beside
        self.name = f"test-{next(_numbers)}"

    def options(self, **more: Any) -> dict[str, Any]:
        subject = f"{self.name}.{{routing_key}}"
        return {"url": self.server.url, "stream": self.name, "subject": subject, **self.login, **more}

    def make(self, **more: Any) -> None:
        asyncio.run(self._make("add_stream", more))

    def change(self, **more: Any) -> None:
        asyncio.run(self._make("update_stream", more))

    async def _make(self, verb: str, more: dict[str, Any]) -> None:
        async with self.server.stream() as stream:
            settings = {"subjects": [f"{self.name}.>"], "duplicate_window": DUPLICATE_S, **more}
            await getattr(stream, verb)(name=self.name, **settings)

    def places(self) -> Collection[str]:
        return asyncio.run(self._places())

    async def _places(self) -> Collection[str]:
        async with self.server.stream() as stream:
            return [str(one.config.name) for one in await stream.streams_info()]

    def wrong_credentials(self, secret: str) -> dict[str, Any]:
        return self.options(url=self.server.url_as(USER, secret))

    def secured(self) -> tuple["Stream", dict[str, Any]]:
        beside = self.limited()
        return beside, beside.options(ca_file=str(beside.other_ca))

    def limited(self) -> "Stream":
        assert self.beside is not None
        self.beside.make()
        return self.beside

    def missing(self) -> Trouble:
        self.name = f"test-{next(_numbers)}"
        command = f"run: nats stream add {self.name} --subjects '{self.name}.>' --storage file"
        return Trouble(self.options(), self.make, f"there is no stream {self.name}; {command}")

    def full(self) -> Trouble:
        self.name = f"test-{next(_numbers)}"
        self.make(max_msgs=7, discard=DiscardPolicy.NEW)
        return Trouble(self.options(), self.change, "has no room: maximum messages exceeded (error 10077)")

    def held(self) -> Sequence[Held]:
        """The whole stream is in order, whatever the subject."""
        return [Held(event_id(one), "stream", one.data) for one in self.messages()]

    def bodies(self) -> Sequence[bytes]:
        return [one.data for one in self.messages()]

    def messages(self) -> list[Msg]:
        return self.server.messages(self.name)

    def taken(self) -> Sequence[Held]:
        """Return what is there and remove it, as a consumer of a work queue does."""
        found = self.messages()
        if found:
            asyncio.run(self._remove(found[-1].metadata.sequence.stream))
        return [Held(event_id(one), "stream", one.data) for one in found]

    async def _remove(self, last: int) -> None:
        async with self.server.stream() as stream:
            await stream.purge_stream(self.name, seq=last + 1)


def event_id(message: Msg) -> str:
    """Return the event's id, of a message that was written again too."""
    assert message.headers is not None
    return message.headers["Nats-Msg-Id"].partition("~")[0]
