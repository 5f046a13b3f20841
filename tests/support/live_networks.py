"""Networks of real nodes on this machine, each node and its CometBFT in processes of their own.

A network is made as its operators make one: each node has a key pair, a folder and the same genesis, and knows the
others' addresses. Everything afterwards happens over HTTP, the command line, and signals.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from bigchaindb.engine.cometbft import files
from bigchaindb.engine.cometbft.files import Layout
from bigchaindb.engine.cometbft.genesis import GenesisValidator, NetworkGenesis
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.ledger.validators import address_of
from bigchaindb.transaction import KeyPair, Transaction
from bigchaindb.transaction.keys import decode_key
from tests.support.cometbft import require_cometbft
from tests.support.http import Answer
from tests.support.node import COMMAND, START_S, Node, NodeDiedError, configuration_of
from tests.support.ports import free_ports
from tests.support.waiting import until

CHAIN: Final = "test-network"
GENESIS_TIME: Final = "2026-01-01T00:00:00Z"
POWER: Final = 10
PROGRESS_S: Final = 40.0
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


class Network:
    """Nodes that trust the same genesis. The first are its validators; what is added later only follows."""

    def __init__(self, folder: Path, genesis: NetworkGenesis, members: Sequence[Member]) -> None:
        """Take members whose files are in place, see `make_network`."""
        self.folder = folder
        self.genesis = genesis
        self.members = list(members)
        self._made_count = len(self.members)

    def __getitem__(self, index: int) -> Member:
        return self.members[index]

    def __iter__(self) -> Iterator[Member]:
        return iter(self.members)

    def start(self, *members: Member) -> None:
        """Start nodes at the same time, all by default, and wait until their ports answer and they follow the network.

        Raises:
            NodeDiedError: one ended.
        """
        for member in members or self.members:
            member.launch()
        self.until_followed(*members)

    def until_followed(self, *members: Member) -> None:
        """Wait until nodes, all by default, answer and have caught up with the network.

        Raises:
            NodeDiedError: one ended.
        """
        for member in members or self.members:
            until(member.answers, what="both ports of a node to answer", within_s=START_S)
            try:
                until(member.follows, what="a node to follow its network", within_s=START_S)
            except AssertionError as error:
                raise NodeDiedError(f"{error}\n{member.tail()}") from error

    def stop(self, *members: Member) -> None:
        """Stop nodes, all by default, at the same time; none may complain."""
        for member in members or self.members:
            assert member.process is not None
            member.process.send_signal(signal.SIGTERM)
        for member in members or self.members:
            assert member.stop() == 0, member.tail()

    def kill(self) -> None:
        """SIGKILL everything that runs."""
        for member in self.members:
            member.kill()

    def add(
        self,
        *,
        settings: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = COMMAND,
    ) -> Member:
        """Make another node, without voting power; it is not started."""
        (key,) = _keys(self._made_count, 1)
        folder = self.folder / str(self._made_count)
        self._made_count += 1
        member = _member(folder, key, settings or {}, environment or {}, command)
        _introduce(member, self.members)
        _found(member, self.genesis)
        self.members.append(member)
        return member

    @contextmanager
    def guest(self, settings: Mapping[str, Any] | None = None) -> Iterator[Member]:
        """Make another node that writes its events, see `add` and `write_events`; it goes for good at the end."""
        member = self.add(settings=settings)
        member.write_events()
        try:
            yield member
        finally:
            member.kill()
            self.members.remove(member)

    def until_equal(self, *members: Member, position: int = 1) -> list[bytes]:
        """Wait until nodes, all by default, have the same log, at least up to `position`; return it.

        Raises:
            AssertionError: two logs differ where both have something, or the wait was too long.
        """
        chosen = members or self.members

        def logs() -> list[bytes] | None:
            first, *others = [member.events() for member in chosen]
            for other in others:
                assert all(mine == theirs for mine, theirs in zip(first, other, strict=False)), "two logs differ"
            is_equal = all(len(other) == len(first) for other in others)
            return first if is_equal and len(first) >= position else None

        return until(logs, what=f"equal logs up to {position}", within_s=PROGRESS_S, every_s=0.2)

    def until_everywhere(self, *transactions: Transaction) -> None:
        """Wait until all nodes have committed the transactions."""
        for member in self.members:
            until(partial(member.has, *transactions), what="transactions to be on every node", within_s=PROGRESS_S)

    def until_same_tip(self, *members: Member) -> Tip:
        """Wait until the ledgers of nodes, all by default, end at the same height with the same hash; return it."""

        def tip() -> Tip | None:
            first, *others = [member.tip() for member in members or self.members]
            for other in others:
                assert other.height != first.height or other == first, (first, other)
            return first if all(other == first for other in others) else None

        return until(tip, what="ledgers to end at the same height", within_s=PROGRESS_S, every_s=0.1)


def make_network(
    folder: Path,
    count: int,
    *,
    initial_height: int = 1,
    app_hash: bytes = bytes(32),
    chain_id: str = CHAIN,
    settings: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    commands: Mapping[int, Sequence[str]] | None = None,
) -> Network:
    """Make the files of a network of `count` validators of equal power; start nothing.

    Args:
        folder: of which each node gets a folder, named by its number.
        count: of validators.
        initial_height: of the first block.
        app_hash: of the ledger before it.
        chain_id: of the network.
        settings: merged over the configuration of each node, see `configuration_of`.
        environment: added to that of each node.
        commands: of single nodes, by number: a program that is started instead of the node's own.
    """
    keys = _keys(0, count)
    validators = tuple(GenesisValidator(decode_key(key.public_key), POWER) for key in keys)
    genesis = NetworkGenesis(chain_id, GENESIS_TIME, initial_height, app_hash, validators, RULES_VERSION)
    members = [
        _member(folder / str(number), key, settings or {}, environment or {}, (commands or {}).get(number, COMMAND))
        for number, key in enumerate(keys)
    ]
    for member in members:
        _introduce(member, members)
        _found(member, genesis)
    return Network(folder, genesis, members)


@contextmanager
def running_network(folder: Path, count: int, **arguments: Any) -> Iterator[Network]:
    """Make a network, see `make_network`, and run it; kill it at the end."""
    network = make_network(folder, count, **arguments)
    try:
        network.start()
        yield network
    finally:
        network.kill()


def make_alone(folder: Path, number: int, **settings: Any) -> Member:
    """Make a node with its configuration file that is part of no network yet; start nothing.

    Args:
        folder: of which the node gets a folder, named by its number.
        number: another key for each.
        settings: merged over the configuration.
    """
    (key,) = _keys(number, 1)
    member = _member(folder / str(number), key, settings, {}, COMMAND)
    member.configuration.write_text(json.dumps(member.settings))
    return member


def _keys(first: int, count: int) -> list[KeyPair]:
    return [KeyPair.from_seed(bytes([number + 1]) * 32) for number in range(first, first + count)]


def _member(
    folder: Path, key: KeyPair, settings: Mapping[str, Any], environment: Mapping[str, str], command: Sequence[str]
) -> Member:
    """Make a node that knows nobody. All its ports are low: of the others the peers' own connections take some."""
    folder.mkdir(parents=True)
    http_port, stream_port, peer_port = free_ports(3)
    own: dict[str, Any] = {
        "server": {"bind": f"127.0.0.1:{http_port}"},
        "wsserver": {"port": stream_port},
        "keypair": {"private": key.private_key, "public": key.public_key},
        "network": {"bind": f"127.0.0.1:{peer_port}", "peers": [], "cometbft": str(require_cometbft())},
    }
    for name, value in settings.items():
        own[name] = {**own.get(name, {}), **value} if isinstance(value, Mapping) else value
    return Member(folder, configuration_of(folder, own), dict(environment), command, key=key)


def _introduce(member: Member, members: Sequence[Member]) -> None:
    """Add all others to a node's peers."""
    network: dict[str, Any] = member.settings["network"]
    network["peers"] = [other.peer for other in members if other is not member]


def _found(member: Member, genesis: NetworkGenesis) -> None:
    """Make a node's data directory one of the network."""
    if not member.data.exists():
        member.data.mkdir(mode=0o700)
        (member.data / "chain_id").write_text(f"{genesis.chain_id}\n")
    files.write_genesis(member.layout, genesis.encode())


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
        super().__init__("localhost", timeout=5)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
