"""A Redis server of a test's own: a child process with a temporary directory, on a free port."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis

from tests.support import services
from tests.support.ports import free_ports
from tests.support.servers import START_S, Server, folder_for, running
from tests.support.tls import Tls
from tests.support.waiting import until

SERVER: Final = "redis-server"
USER: Final = "bob"
PASSWORD: Final = "s3cret-of-bob"
SETTINGS: Final = (
    *("--appendonly", "yes", "--appendfsync", "always", "--save", "", "--daemonize", "no"),
    *("--enable-protected-configs", "yes"),  # a test may move where it saves to
    *("--user", USER, "on", f">{PASSWORD}", "~*", "+@all"),
)


@dataclass
class Redis(Server):
    """A server that is running, or was.

    Attributes:
        settings: further ones, as its command line has them.
        tls: files of its clients, if it talks TLS alone: their authority, certificate and key.
    """

    folder: Path
    port: int
    settings: Sequence[str] = ()
    tls: Tls | None = None
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """The address that clients connect to, as a user without a password."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def url_with(self, password: str = PASSWORD, user: str = USER) -> str:
        """Return the address of a user who needs a password."""
        return f"{self._scheme}://{user}:{password}@127.0.0.1:{self.port}/0"

    def client(self) -> "redis.Redis":
        """Return a client that may do anything."""
        return redis.Redis.from_url(self.url, socket_timeout=START_S, protocol=2, **self._trust)

    def start(self) -> None:
        """Start it and wait until it answers with what it had."""
        port = str(self.port)
        listening: list[str | Path] = ["--port", port]
        if (tls := self.tls) is not None:
            listening = ["--port", "0", "--tls-port", port, "--tls-ca-cert-file", tls.ca]
            listening += ["--tls-cert-file", tls.certificate, "--tls-key-file", tls.key]
        self.launch(SERVER, "--bind", "127.0.0.1", *listening, "--dir", self.folder, *SETTINGS, *self.settings)
        until(self._answers, what="Redis to answer", within_s=START_S)

    @property
    def _trust(self) -> dict[str, Any]:
        if self.tls is None:
            return {}
        files = {"ssl_ca_certs": self.tls.ca, "ssl_certfile": self.tls.certificate, "ssl_keyfile": self.tls.key}
        return {name: str(path) for name, path in files.items()}

    @property
    def _scheme(self) -> str:
        return "redis" if self.tls is None else "rediss"

    def _answers(self) -> bool:
        self.require_alive()
        with suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False


@contextmanager
def running_redis(
    *, settings: Sequence[str] = (), tls: Tls | None = None, within: Path | None = None
) -> Iterator[Redis]:
    """Run a server.

    Args:
        settings: further ones, as the command line has them.
        tls: its certificate, which its clients show as well, if it is to talk TLS alone.
        within: the folder that its own lies in, if not /tmp.
    """
    services.require(SERVER)
    (port,) = free_ports(1)
    with folder_for("redis", within) as folder, running(Redis(folder, port, settings=settings, tls=tls)) as server:
        yield server
