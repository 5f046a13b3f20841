"""Networks of real nodes on this machine, each node and its CometBFT in processes of their own.

A network is made as its operators make one: each node has a key pair, a folder and the same genesis, and knows the
others' addresses. Everything afterwards happens over HTTP, the command line, and signals.
"""

import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from bigchaindb.engine.cometbft import files
from bigchaindb.engine.cometbft.genesis import GenesisValidator, NetworkGenesis
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.transaction import KeyPair, Transaction
from bigchaindb.transaction.keys import decode_key
from tests.support.cometbft import require_cometbft
from tests.support.members import PROGRESS_S, Member, Tip
from tests.support.node import COMMAND, START_S, NodeDiedError, configuration_of
from tests.support.ports import free_ports
from tests.support.servers import running
from tests.support.waiting import until

CHAIN: Final = "test-network"
GENESIS_TIME: Final = "2026-01-01T00:00:00Z"
POWER: Final = 10


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
    genesis_time: str = GENESIS_TIME,
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
        genesis_time: of its first block at the earliest.
        settings: merged over the configuration of each node, see `configuration_of`.
        environment: added to that of each node.
        commands: of single nodes, by number: a program that is started instead of the node's own.
    """
    keys = _keys(0, count)
    validators = tuple(GenesisValidator(decode_key(key.public_key), POWER) for key in keys)
    genesis = NetworkGenesis(chain_id, genesis_time, initial_height, app_hash, validators, RULES_VERSION)
    members = [
        _member(folder / str(number), key, settings or {}, environment or {}, (commands or {}).get(number, COMMAND))
        for number, key in enumerate(keys)
    ]
    for member in members:
        _introduce(member, members)
        _found(member, genesis)
    return Network(folder, genesis, members)


@contextmanager
def running_network(folder: Path, count: int, *, is_recorded: bool = False, **arguments: Any) -> Iterator[Network]:
    """Make a network, see `make_network`, and run it; kill it at the end.

    Args:
        folder: see `make_network`.
        count: see `make_network`.
        is_recorded: whether each node writes its events to a file.
        arguments: see `make_network`.
    """
    made = make_network(folder, count, **arguments)
    for member in made if is_recorded else ():
        member.write_events()
    with running(made):
        yield made


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
