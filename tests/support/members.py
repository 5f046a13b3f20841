"""One node of a network with its CometBFT, each in a process of its own, as its operator has it."""

import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from bigchaindb.engine.cometbft import files
from bigchaindb.engine.cometbft.files import Layout
from bigchaindb.ledger.validators import address_of
from bigchaindb.transaction import KeyPair, Transaction
from bigchaindb.transaction.keys import decode_key
from tests.support.http import Answer
from tests.support.node import START_S, Node
from tests.support.waiting import until

PROGRESS_S: Final = 60.0
"""Time within which a network that can go on does so, on a busy machine."""
FOLLOWING: Final = "the node follows its network"
PAGE_COUNT: Final = 1_000


class Tip(NamedTuple):
    """The end of a ledger, as its file has it."""

    height: int
    position: int
    block_id: bytes
    digest: bytes
    app_hash: bytes


@dataclass
class Member(Node):
    """A node of a network: running, stopped or killed."""

    key: KeyPair = field(kw_only=True)
    log_start: int = field(default=0, kw_only=True)
    """The place in its log at which the present run begins."""

    def launch(self, *options: str) -> None:
        """See `Node`."""
        self.log_start = len(self.log)
        super().launch(*options)

    @property
    def layout(self) -> Layout:
        """The files of its CometBFT."""
        return Layout(self.data)

    @property
    def address(self) -> str:
        """Its address as a validator, hex."""
        return address_of(decode_key(self.key.public_key)).hex()

    @property
    def peer(self) -> str:
        """Its entry in the `network.peers` of others."""
        return f"{files.node_id_of(self.key)}@{self.settings['network']['bind']}"

    @property
    def is_running(self) -> bool:
        """Whether the node's process is there."""
        return self.process is not None and self.process.poll() is None

    def cometbft_pid(self) -> int | None:
        """Find its CometBFT among all processes; None if there is none."""
        home = os.fsencode(self.layout.home)
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                with suppress(OSError):
                    words = (folder / "cmdline").read_bytes().split(b"\0")
                    if home in words and b"start" in words and b"-m" not in words:
                        return int(folder.name)
        return None

    def kill_cometbft(self) -> int:
        """SIGKILL its CometBFT alone; return the id of the process that was."""
        pid = until(self.cometbft_pid, what="CometBFT to run", within_s=START_S)
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill(self) -> None:
        """SIGKILL the node, with which its CometBFT dies, and wait until both are gone. Safe to call twice."""
        if self.process is not None and (pid := self.cometbft_pid()) is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        super().kill()
        until(lambda: self.cometbft_pid() is None, what="CometBFT to end with its node")

    def wait(self, within_s: float = START_S) -> int:
        """Wait until it ends by itself; return its exit code."""
        assert self.process is not None
        return self.process.wait(within_s)

    def rpc(self, path: str) -> Any:
        """Ask its CometBFT: the member `result` of an answer."""
        with closing(UnixConnection(self.layout.rpc)) as connection:
            connection.request("GET", f"/{path}")
            return json.loads(connection.getresponse().read())["result"]

    def follows(self) -> bool:
        """Whether it says that it has caught up with the network since its start, and takes transactions."""
        return FOLLOWING in self.log[self.log_start :]

    def height(self) -> int:
        """Return the height of the last block that it has committed."""
        return self.tip().height

    def tip(self) -> Tip:
        """Return where its ledger ends, from the file itself: of a running node or of one that is not."""
        with closing(sqlite3.connect(f"file:{self.data}/ledger.db?mode=ro", uri=True)) as connection:
            columns = ", ".join(Tip._fields)
            (row,) = connection.execute(f"SELECT {columns} FROM tip").fetchall()
        return Tip(*row)

    def send(self, transaction: Transaction, *, mode: str = "commit") -> Answer:
        """Post a transaction; a node that is busy, or not there yet, is asked again."""

        def taken() -> Answer | None:
            answer = self.post(transaction.body, mode=mode)
            return None if answer.status == http.client.SERVICE_UNAVAILABLE else answer

        return until(taken, what="the node to take a transaction", within_s=PROGRESS_S)

    def commit(self, *transactions: Transaction) -> None:
        """Post transactions, one after the other, each once the one before is committed."""
        for transaction in transactions:
            answer = self.send(transaction)
            if answer.status == http.client.GATEWAY_TIMEOUT:  # a network that forms anew may take more than 10 s
                until(partial(self.has, transaction), what="what was undecided", within_s=PROGRESS_S)
            else:
                assert answer.status == http.client.ACCEPTED, answer

    @property
    def written(self) -> Path:
        """The file of the plugin that `write_events` added."""
        return self.folder / "events.jsonl"

    def write_events(self) -> None:
        """Add a plugin that writes all events into a file, from the next start on."""
        plugin = {"file": {"start": "genesis", "options": {"path": str(self.written)}}}
        self.settings = {**self.settings, "events_plugins": plugin}

    def until_written(self, events: Sequence[bytes]) -> None:
        """Wait until the plugin of `write_events` has written as many events, and require them to be just these."""

        def is_done() -> bool:
            return self.written.exists() and self.written.read_bytes().count(b"\n") >= len(events)

        until(is_done, what="the plugin to have written every event", within_s=PROGRESS_S)
        assert self.written.read_bytes().splitlines() == list(events)

    def has(self, *transactions: Transaction) -> bool:
        """Whether it has committed all of them."""
        found = (self.get(f"transactions/{one.id}").status == http.client.OK for one in transactions)
        return all(found)

    def events(self, after: str | None = None) -> list[bytes]:
        """Return all events after a token, each as the bytes of its CloudEvent, in the order of the log."""
        found: list[bytes] = []
        while True:
            page = self.get("events", limit=PAGE_COUNT, **({} if after is None else {"after": after}))
            assert page.status == http.client.OK, page
            document = page.json()
            found += _elements(page.body)
            after = document["next"]
            if document["head"]:
                return found

    def wipe(self) -> None:
        """Delete its ledger and its CometBFT's blocks, as an operator does who wants them anew."""
        self.forget_ledger()
        self.forget_blocks()

    def forget_ledger(self) -> None:
        """Delete its ledger, and what it knows for itself: how far its plugins are is part of that."""
        assert not self.is_running
        for path in self.data.iterdir():
            if path.name.startswith(("ledger.db", "node.db")):
                path.unlink()
        shutil.rmtree(self.data / "lanes", ignore_errors=True)

    def forget_blocks(self) -> None:
        """Delete what its CometBFT has, but for what it has signed: without that it could sign twice."""
        assert not self.is_running
        for path in self.layout.validator_state.parent.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != self.layout.validator_state:
                path.unlink()


def _elements(page: bytes) -> list[bytes]:
    """Return the members of the array `events` of a page, each as the bytes that stand there."""
    text = page.decode()
    at = len('{"events":[')
    found: list[bytes] = []
    while text[at] == "{":
        _, end = json.JSONDecoder().raw_decode(text, at)
        found.append(text[at:end].encode())
        at = end + (text[end] == ",")
    return found


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the socket of a CometBFT."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
