"""A real node in a process of its own, started the way a user starts it: `bigchaindb -c FILE start`."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import connect

from tests.support import made_secrets
from tests.support.http import Answer, request
from tests.support.ports import free_ports
from tests.support.waiting import until

COMMAND: Final = (str(Path(sys.executable).with_name("bigchaindb")),)
START_S: Final = 60.0
STOP_S: Final = 40.0
"""A stop takes a second or two; one that waits for a client or a plugin would take a minute."""
ANSWERS: Final = frozenset({200, 401})
"""Of a node that serves whoever asks, and of one that wants an access key."""
LOG_TAIL_CHARS: Final = 6000
CONSOLE_TAIL_CHARS: Final = 1000


class NodeDiedError(AssertionError):
    """The node ended although nobody stopped it; the message holds the end of its log."""


@dataclass
class Node:
    """A node that is running, or was. `console` is its standard output, `log` its standard error."""

    folder: Path
    settings: Mapping[str, Any]
    environment: Mapping[str, str]
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The HTTP API's address, without path."""
        return f"{'https' if self.is_secure else 'http'}://{self.settings['server']['bind']}"

    @property
    def is_secure(self) -> bool:
        """Whether it serves over TLS; the fixture `trusted` makes clients trust it."""
        return "tls" in self.settings

    @property
    def port(self) -> int:
        """The HTTP API's port."""
        return int(self.settings["server"]["bind"].rpartition(":")[2])

    @property
    def stream_url(self) -> str:
        """The address of the stream of valid transactions."""
        stream = self.settings["wsserver"]
        scheme = "wss" if self.is_secure else "ws"
        return f"{scheme}://{stream['host']}:{stream['port']}/api/v1/streams/valid_transactions"

    @property
    def console(self) -> str:
        """Everything printed so far: plugins print there."""
        return self._read("console.txt")

    @property
    def log(self) -> str:
        """Every log line so far."""
        return self._read("log.txt")

    @property
    def data(self) -> Path:
        """The folder of the node's ledger."""
        return Path(self.settings["database"]["path"])

    def get(self, path: str, *, key: str | None = None, **query: object) -> Answer:
        """GET a path below `/api/v1/`, with an access key perhaps."""
        url = f"{self.url}/api/v1/{path}{'?' if query else ''}{urlencode(query)}"
        return request("GET", url, headers=_authorization(key))

    def post(self, body: object, *, mode: str | None = "commit", key: str | None = None) -> Answer:
        """POST a transaction: a document, or bytes as they are; without `mode` as clients of 1.x do."""
        url = f"{self.url}/api/v1/transactions{f'?mode={mode}' if mode else ''}"
        return request("POST", url, body, headers=_authorization(key))

    def put(self, path: str, body: object, *, key: str | None = None) -> Answer:
        """PUT a document below `/api/v1/`."""
        return request("PUT", f"{self.url}/api/v1/{path}", body, headers=_authorization(key))

    def delete(self, path: str, *, key: str | None = None) -> Answer:
        """DELETE what is below `/api/v1/`."""
        return request("DELETE", f"{self.url}/api/v1/{path}", headers=_authorization(key))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the command line with this node's configuration; the caller looks at its exit code."""
        line = [*self.command, "-c", str(self.configuration), *arguments]
        return subprocess.run(line, env=self._environment(), capture_output=True, text=True, timeout=60, check=False)

    def done(self, *arguments: str) -> str:
        """Return the output of a command that must succeed."""
        result = self.run(*arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def new_key(self, *arguments: str) -> str:
        """Make an access key with `access key new`; its options are the caller's."""
        return made_secrets.remember(self.done("-y", "access", "key", "new", *arguments))

    @property
    def configuration(self) -> Path:
        """The configuration file."""
        return self.folder / "bigchaindb.json"

    def start(self) -> None:
        """Start the node and wait until both its ports answer.

        Raises:
            NodeDiedError: it ended before it answered.
        """
        self.launch()
        try:
            until(self.answers, what="both ports of the node to answer", within_s=START_S)
        except AssertionError as error:
            self.kill()
            raise NodeDiedError(f"{error}\n{self.tail()}") from error

    def launch(self, *options: str) -> None:
        """Start the node and wait for nothing: for tests that care for its first moments, or need an option."""
        assert self.process is None or self.process.poll() is not None, "it is running"
        self.configuration.touch(mode=0o600)  # it holds the key of a node of a network; the mode of a test's own stays
        self.configuration.write_text(json.dumps(self.settings, indent=4))
        with (self.folder / "console.txt").open("ab") as console, (self.folder / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.command, "-c", str(self.configuration), "start", *options],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> int:
        """Ask it to stop, as Ctrl-C and service managers do; return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise NodeDiedError(f"still running {STOP_S} s after SIGTERM\n{self.tail()}") from error

    def kill(self) -> None:
        """SIGKILL the process group: what a power cut looks like to the files. Safe to call twice."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(STOP_S)

    def until_logged(self, said: str | re.Pattern[str], *, count: int = 1, since: int = 0) -> str:
        """Wait until the log has a text so often; return all that it has by then.

        A thread of the node writes its lines: one may come after the answer to the request that it is about.

        Args:
            said: the text, or a pattern of it.
            count: how often at least.
            since: the place in the log from which on it counts, and is returned.

        Raises:
            AssertionError: it did not come in time, or the node has ended without it; with the end of the log.
        """

        def logged() -> str | None:
            has_ended = self.process is None or self.process.poll() is not None  # before the look: it is the last one
            text = self.log[since:]
            if len(re.findall(re.escape(said) if isinstance(said, str) else said, text)) >= count:
                return text
            assert not has_ended, f"the node has ended, and its log has not {count} times: {said}\n{self.tail()}"
            return None

        return until(logged, what=f"the log to have {count} times: {said}", within_s=START_S)

    def tail(self) -> str:
        """The end of what it logged and printed, for messages."""
        return f"--- log\n{self.log[-LOG_TAIL_CHARS:]}\n--- console\n{self.console[-CONSOLE_TAIL_CHARS:]}"

    def answers(self) -> bool:
        """Whether both its ports answer.

        Raises:
            NodeDiedError: it has ended.
        """
        assert self.process is not None
        if (code := self.process.poll()) is not None:
            raise NodeDiedError(f"the node ended with exit code {code}\n{self.tail()}")
        with suppress(OSError, WebSocketException):
            if self.get("").status in ANSWERS:
                try:
                    with connect(self.stream_url, open_timeout=5):
                        return True
                except InvalidStatus as refused:
                    return refused.response.status_code in ANSWERS
        return False

    def _environment(self) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("BIGCHAINDB_", "PYTHON"))}
        return {**inherited, "HOME": str(self.folder), **self.environment}

    def _read(self, name: str) -> str:
        file = self.folder / name
        return file.read_text(errors="replace") if file.exists() else ""


def _authorization(key: str | None) -> Mapping[str, str]:
    return {} if key is None else {"Authorization": f"Bearer {key}"}


@contextmanager
def running_node(
    folder: Path,
    *,
    settings: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    command: Sequence[str] = COMMAND,
) -> Iterator[Node]:
    """Run a node with its files in `folder` and ports of its own, both in its configuration; kill it at the end.

    Args:
        folder: made if it is not there; everything that the node writes is in it, its home included.
        settings: merged over the configuration, one level deep: `{"events_plugins": ["console_print"]}`.
        environment: added to the node's environment, from which variables of ours are taken out.
        command: the program, for another installation than the one that runs the tests.
    """
    folder.mkdir(parents=True, exist_ok=True)
    node = Node(folder, configuration_of(folder, settings or {}), environment or {}, command)
    try:
        node.start()
        yield node
    finally:
        node.kill()
        for log in sorted({*folder.glob("*.txt"), *folder.rglob("*.log")}):
            made_secrets.require_absent(log.read_text(errors="replace"), str(log))


def configuration_of(folder: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a whole configuration: free ports, data inside `folder`, and what the test asks for."""
    http_port, stream_port = free_ports(2)
    base: dict[str, Any] = {
        "server": {"bind": f"127.0.0.1:{http_port}"},
        "wsserver": {"host": "127.0.0.1", "port": stream_port},
        "database": {"path": str(folder / "data")},
    }
    for key, value in settings.items():
        base[key] = {**base.get(key, {}), **value} if isinstance(value, Mapping) else value
    return base
