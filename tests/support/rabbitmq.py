"""A RabbitMQ broker of a test's own: child processes with a temporary directory, on free ports."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support import services
from tests.support.ports import free_ports
from tests.support.servers import LOG_TAIL_CHARS, START_S, folder_for, running
from tests.support.waiting import until

SERVER: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
CONTROL: Final = Path("/usr/lib/rabbitmq/bin/rabbitmqctl")
USER: Final = "bob"
PASSWORD: Final = "s3cret-of-bob"
BOOT_S: Final = 4 * START_S
"""Some ten seconds of processor time; one that ends instead is noticed at once."""
SETTINGS: Final = """\
loopback_users = none
log.console = true
log.file = false
vm_memory_high_watermark.absolute = 2GB
disk_free_limit.absolute = 50MB
default_user = {user}
default_pass = {password}
"""


@dataclass
class RabbitMQ:
    """A broker that is running, or was.

    Attributes:
        settings: further lines of rabbitmq.conf.
    """

    folder: Path
    port: int
    distribution_port: int
    epmd_port: int
    settings: str = ""
    scheme: str = "amqp"
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address that clients connect to."""
        return self.url_with(PASSWORD)

    def url_with(self, password: str) -> str:
        """Return the address with another password."""
        return f"{self.scheme}://{USER}:{password}@127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start it and wait until it answers."""
        listener = "" if self.scheme == "amqps" else f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
        text = SETTINGS.format(user=USER, password=PASSWORD) + listener + self.settings
        (self.folder / "rabbitmq.conf").write_text(text)
        (self.folder / "plugins").write_text("[].")
        # Its port mapper is our own child, started first: else the broker leaves a daemon behind.
        epmd = ["epmd", "-port", str(self.epmd_port), "-address", "127.0.0.1", "-relaxed_command_check"]
        self.processes = [self._spawn(*epmd), self._spawn(str(SERVER))]
        until(self._answers, what="RabbitMQ to answer", within_s=BOOT_S)

    def kill(self) -> None:
        """SIGKILL the broker, and wait until it is gone. Safe to call twice."""
        for process in reversed(self.processes):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(START_S)
        self.processes = []

    def freeze(self) -> None:
        """Stop it where it is."""
        os.killpg(self.processes[1].pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue the processes that `freeze` stopped."""
        os.killpg(self.processes[1].pid, signal.SIGCONT)

    def control(self, *arguments: str) -> None:
        """Run rabbitmqctl."""
        subprocess.run([CONTROL, "-q", *arguments], env=self._environment, check=True, capture_output=True)

    @property
    def _environment(self) -> Mapping[str, str]:
        folder = str(self.folder)
        return {
            "PATH": os.environ["PATH"],
            "HOME": folder,  # its cookie lies there
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"t{self.port}@localhost",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_BASE": folder,
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{folder}/advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            # No busy waiting: tests share two cores.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} "
            "+sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def _spawn(self, *line: str) -> "subprocess.Popen[bytes]":
        with (self.folder / "log.txt").open("ab") as log:
            return subprocess.Popen(
                line, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _answers(self) -> bool:
        log = self.folder / "log.txt"
        assert self.processes[1].poll() is None, log.read_text(errors="replace")[-LOG_TAIL_CHARS:]
        if self.scheme == "amqps":
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
                return True
            return False
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5) as opened:
            opened.sendall(b"AMQP\x00\x00\x09\x01")
            return opened.recv(1) == b"\x01"  # its Start
        return False


@contextmanager
def running_rabbitmq(*, settings: str = "", scheme: str = "amqp") -> Iterator[RabbitMQ]:
    """Run a broker."""
    services.require(str(SERVER))
    port, distribution_port, epmd_port = free_ports(3)
    with folder_for("rabbitmq") as folder:
        broker = RabbitMQ(folder, port, distribution_port, epmd_port, settings=settings, scheme=scheme)
        if scheme == "amqps":
            broker.settings += f"listeners.tcp = none\nlisteners.ssl.1 = 127.0.0.1:{broker.port}\n"
        with running(broker):
            yield broker
