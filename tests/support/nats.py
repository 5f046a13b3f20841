"""A NATS server of a test's own: a child process with a temporary directory, on a free port."""

import asyncio
import http.client
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import nats
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

from tests.support.ports import free_ports
from tests.support.servers import START_S, Server, folder_for, running
from tests.support.waiting import until

SERVER: Final = Path(sys.executable).with_name("nats-server")
USER: Final = "bob"
PASSWORD: Final = "s3cret-of-bob"
FETCH_COUNT: Final = 500
FETCH_S: Final = 30.0
SETTINGS: Final = """\
listen: 127.0.0.1:{port}
http: 127.0.0.1:{monitor}
server_name: t{port}
jetstream {{ store_dir: "{folder}/js", max_mem: 100KB, max_file: 1GB }}
"""


@dataclass
class Nats(Server):
    """A server that is running, or was.

    Attributes:
        settings: further lines of its configuration.
        login: before the host in `url`, with an `@`.
        client: what a client needs besides, as the library takes it.
    """

    folder: Path
    port: int
    monitor: int
    settings: str = ""
    login: str = ""
    scheme: str = "nats"
    client: Mapping[str, Any] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """The address that clients connect to."""
        return f"{self.scheme}://{self.login}127.0.0.1:{self.port}"

    def url_as(self, user: str, password: str) -> str:
        """Return the address with another login."""
        return f"{self.scheme}://{user}:{password}@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        text = SETTINGS.format(port=self.port, monitor=self.monitor, folder=self.folder) + self.settings
        (self.folder / "nats.conf").write_text(text)
        self.launch(SERVER, "-c", self.folder / "nats.conf")
        until(self._answers, what="the NATS server to answer", within_s=START_S)

    def _answers(self) -> bool:
        self.require_alive()
        connection = http.client.HTTPConnection("127.0.0.1", self.monitor, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.client.OK
        except OSError:
            return False
        finally:
            connection.close()

    @asynccontextmanager
    async def stream(self, **more: Any) -> AsyncIterator[JetStreamContext]:
        """Connect as a consumer or an operator does; `more` is for the library's context."""
        client = await nats.connect(self.url, max_reconnect_attempts=1, **self.client)
        try:
            yield client.jetstream(**more)
        finally:
            await client.close()

    def messages(self, stream: str) -> list[Msg]:
        """Return all messages of a stream, in its order."""
        return asyncio.run(self._messages(stream))

    async def _messages(self, name: str) -> list[Msg]:
        found: list[Msg] = []
        async with self.stream() as stream:
            count = (await stream.stream_info(name)).state.messages
            if not count:
                return []
            unasked = ConsumerConfig(ack_policy=AckPolicy.NONE)  # else it waits once 1,000 are not acknowledged
            reading = await stream.pull_subscribe(">", stream=name, config=unasked)
            while len(found) < count:
                found += await reading.fetch(min(FETCH_COUNT, count - len(found)), timeout=FETCH_S)
        return found


@contextmanager
def running_nats(**more: Any) -> Iterator[Nats]:
    """Run a server; `more` are fields of `Nats`."""
    port, monitor = free_ports(2)
    with folder_for("nats") as folder, running(Nats(folder, port, monitor, **more)) as server:
        yield server
