"""A Mosquitto broker of a test's own: a child process with a temporary directory, on a free port, behind a link.

What Mosquitto acknowledges is in its memory, and a `kill -9` loses it until the next save. So `kill` cuts the link,
waits until what was acknowledged before is saved, and kills then: no test asserts more than the broker promises.
"""

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support import services
from tests.support.links import Link, Links, running_links
from tests.support.ports import free_ports
from tests.support.servers import START_S, Server, folder_for
from tests.support.waiting import until

PROGRAM: Final = "mosquitto"
USER: Final = "bob"
PASSWORD: Final = "s3cret-of-bob"
SETTINGS: Final = """\
listener {port} 127.0.0.1
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl
persistence true
persistence_location {folder}/
max_queued_messages 0
user root
log_dest stdout
"""
CONNECT: Final = bytes.fromhex("100d00044d51545405020001000000")
"""Of MQTT 5, by nobody."""
CONNACK: Final = b"\x20"
ACL: Final = f"user {USER}\ntopic readwrite #\n"


@dataclass
class Mosquitto(Server):
    """A broker that is running, or was.

    Attributes:
        port: of the link; the broker's own is `inner_port`.
        settings: further lines of its configuration.
        acl: who may do what.
    """

    folder: Path
    port: int
    inner_port: int
    links: Links
    settings: str = ""
    acl: str = ACL
    scheme: str = "mqtt"
    process: "subprocess.Popen[bytes] | None" = field(default=None)

    @property
    def url(self) -> str:
        """The address that clients connect to."""
        return self.url_with(PASSWORD)

    def url_with(self, password: str) -> str:
        """Return the address with another password."""
        return f"{self.scheme}://{USER}:{password}@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        text = SETTINGS.format(port=self.inner_port, folder=self.folder) + self.settings
        (self.folder / "mosquitto.conf").write_text(text)
        (self.folder / "acl").write_text(self.acl)
        passwords = self.folder / "passwords"
        if not passwords.exists():
            passwords.write_text(f"{USER}:{PASSWORD}\n")
            subprocess.run(["mosquitto_passwd", "-U", passwords], check=True, capture_output=True)
            passwords.chmod(0o600)
        self.launch(PROGRAM, "-c", self.folder / "mosquitto.conf")
        until(self._answers, what="Mosquitto to answer", within_s=START_S)
        self.links.do(Link.mend)

    def kill(self) -> None:
        """SIGKILL the broker once it has saved what it acknowledged. Safe to call twice."""
        if self.process is None:
            return
        self.links.do(lambda link: link.cut("silent"))
        saved = self.folder / "mosquitto.db"
        before = _version(saved)
        self.process.send_signal(signal.SIGUSR1)
        until(lambda: _version(saved) != before, what="Mosquitto to save", within_s=START_S)
        self.end()
        self.links.do(lambda link: link.cut("refused"))

    def end(self) -> None:
        """SIGKILL it as it is."""
        super().kill()

    def reload(self, acl: str) -> None:
        """Have it read another list of who may do what."""
        assert self.process is not None
        (self.folder / "acl").write_text(acl)
        self.process.send_signal(signal.SIGHUP)

    def _answers(self) -> bool:
        self.require_alive()
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.inner_port), timeout=5) as opened:
            if self.scheme == "mqtts":
                return True
            opened.sendall(CONNECT)
            return opened.recv(1) == CONNACK
        return False


def _version(file: Path) -> tuple[int, int] | None:
    try:
        about = file.stat()
    except FileNotFoundError:
        return None
    return about.st_ino, about.st_mtime_ns


@contextmanager
def running_mosquitto(*, settings: str = "", scheme: str = "mqtt", within: Path | None = None) -> Iterator[Mosquitto]:
    """Run a broker; the folder of its files is made `within`, if not in /tmp."""
    services.require(PROGRAM)
    with folder_for("mosquitto", within) as folder, running_links() as links:
        (inner_port,) = free_ports(1)
        port = links.open("clients", "broker", inner_port)
        broker = Mosquitto(folder, port, inner_port, links, settings=settings, scheme=scheme)
        try:
            broker.start()
            yield broker
        finally:
            broker.end()
