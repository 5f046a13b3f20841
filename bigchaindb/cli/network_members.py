"""network id, init, join, signed: make this node part of a network; none starts it."""

import json
import os
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import click

from bigchaindb.belonging import foreign_ledger, lost_ledger
from bigchaindb.cli.options import json_option
from bigchaindb.cli.output import put, put_json, say
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.config import Settings, edit
from bigchaindb.config.load import Loaded
from bigchaindb.engine.cometbft import files, membership
from bigchaindb.engine.cometbft.files import Layout, is_network, make_folders, node_id_of, read_bounded, read_genesis
from bigchaindb.engine.cometbft.genesis import GENESIS_BYTES_MAX, NetworkGenesis, genesis_hash
from bigchaindb.engine.cometbft.membership import Held, require_can_join
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.engine.cometbft.signer import put_signed, require_can_sign, require_plausible
from bigchaindb.errors import StartupError
from bigchaindb.identity import CHAIN_ID_FILE, find_or_make, new_chain_id, put_chain_id, read_chain_id
from bigchaindb.ledger.effects import Tip
from bigchaindb.ledger.validators import address_of
from bigchaindb.store.directory import DataDirectory, DirectoryLock, prepare
from bigchaindb.store.store import Store
from bigchaindb.transaction.keys import KeyPair, decode_key

peers_option = click.option(
    "--peers", metavar="ID@HOST:PORT,…", help="The other nodes; written to network.peers of the configuration file."
)
external_option = click.option(
    "--external-address",
    metavar="HOST:PORT",
    help="Address at which other nodes reach this one; written to network.external_address.",
)
_NO_PEERS: Final = """\
WARNING: this node knows no other node, so it waits until another one connects to it. Name the others with
  bigchaindb network join GENESIS --peers ID@HOST:PORT,…
or in network.peers, then start it. An operator's line of `bigchaindb network id` has the address as `peer`."""


@click.command(
    "id",
    epilog="""\b
Examples:
  bigchaindb network id >> validators
  BIGCHAINDB_NETWORK_EXTERNAL_ADDRESS=node-1.example:26656 bigchaindb network id --name node-1""",
)
@click.option("--name", help="Name of the node; by default the machine's.")
@click.option("--power", type=int, default=10, show_default=True, help="Voting power of the node.")
@json_option
@pass_session
def show_id(session: Session, *, name: str | None, power: int, as_json: bool) -> None:
    """Print this node's identity as a line for the file of `network init --validators`.

    The line has the node's public key and its address in votes, the id by which peers know the node, and the address at
    which they reach it if network.external_address is set. The key pair is made if there is none.
    """
    settings = session.load().settings
    prepare(settings.database.path)
    key = find_or_make(settings)
    own_id = node_id_of(key)
    document: dict[str, Any] = {
        "name": platform.node() if name is None else name,
        "public_key": key.public_key,
        "address": address_of(decode_key(key.public_key)).hex().upper(),
        "node_id": own_id,
        "power": power,
    }
    if settings.network.external_address is not None:
        document["peer"] = f"{own_id}@{settings.network.external_address}"
    if as_json:
        put_json(document)
    else:
        put(json.dumps(document, ensure_ascii=False))


@click.command(
    epilog="""\b
Example:
  bigchaindb network init --validators validators
Each line of the file is one that `bigchaindb network id` prints; only public_key is required:
  {"public_key": "…", "power": 10, "name": "…", "peer": "ID@HOST:PORT"}"""
)
@click.option(
    "--validators",
    "file",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The validators: a line of `network id` for each.",
)
@click.option("--chain-id", help="Name of the network: 1 to 50 letters, digits, _ and -; random by default.")
@peers_option
@external_option
@json_option
@pass_session
def init(
    session: Session,
    *,
    file: Path,
    chain_id: str | None,
    peers: str | None,
    external_address: str | None,
    as_json: bool,
) -> None:
    """Found a network with this node in it.

    The command writes the genesis.json with which the other nodes join. A ledger that this node made alone becomes the
    beginning of the network: its chain continues under the same id.
    """
    loaded = session.load()
    members = membership.read_members(_read(file, membership.MEMBERS_BYTES_MAX))
    _require_whole(loaded.settings)
    with _owned(loaded.settings) as (key, held):
        _require_no_network(loaded.settings)
        genesis = membership.found(
            members,
            held,
            chain_id=chain_id or (new_chain_id("network") if held is None else held.chain_id),
            now_s=int(time.time()),
            rules_version=RULES_VERSION,
        )
        listed = membership.peers_of(members, node_id_of(key))
        given = peers if peers is not None or not listed else ",".join(listed)
        content = genesis.encode()
        _become(loaded, content, genesis, _settings_of(given, external_address))
    _put_genesis(loaded.settings, content, genesis, key, as_json=as_json)
    say("Copy the file to the other nodes, run `bigchaindb network join` there, and compare the hash.")
    if held is not None and held.tip.height:
        say("They need a copy of this ledger first: run `bigchaindb backup --without-key DIR` before this node starts.")


@click.command(
    epilog="""\b
Example:
  bigchaindb network join genesis.json --peers 3f…9a@node-1.example:26656"""
)
@click.argument("file", metavar="GENESIS", type=click.Path(path_type=Path))
@peers_option
@external_option
@json_option
@pass_session
def join(session: Session, *, file: Path, peers: str | None, external_address: str | None, as_json: bool) -> None:
    """Join the network of the file GENESIS.

    A node whose key is in the file votes from its start. Any other node follows until an election makes it a validator.
    The node's ledger must be empty, or the one that the network began with.
    """
    loaded = session.load()
    content = _read(file, GENESIS_BYTES_MAX)
    genesis = NetworkGenesis.parse(content, rules_version=RULES_VERSION)
    _require_whole(loaded.settings)
    with _owned(loaded.settings) as (key, held):
        if not _is_in(loaded.settings, content):
            _require_no_network(loaded.settings)
            require_can_join(genesis, held)
        values = _settings_of(peers, external_address)
        _become(loaded, content, genesis, values)
    _put_genesis(loaded.settings, content, genesis, key, as_json=as_json)
    if not values.get("peers", loaded.settings.network.peers):
        say(_NO_PEERS)


@click.command(
    epilog="""\b
Example:
  bigchaindb network signed 4712"""
)
@click.argument("height", type=click.IntRange(1, 2**62))
@pass_session
def signed(session: Session, height: int) -> None:
    """Forbid this node's key to sign anything up to HEIGHT.

    Use it for a validator that lost the record of what it signed, as after a restore: two different votes at one height
    are a fault. HEIGHT is one more than `network status` prints on the other nodes. A height that the chain has passed,
    or cannot have reached, is refused. The node must be stopped.
    """
    settings = session.load().settings
    data = settings.database.path
    if not is_network(data):
        raise StartupError(f"the node of `{data}` is part of no network; name a node's configuration with -c")
    layout = Layout(data)
    with _owned(settings) as (_, held):
        tip = Tip() if held is None else held.tip
        require_plausible(height, tip, read_genesis(layout, rules_version=RULES_VERSION), time.time())
        make_folders(layout)
        put_signed(layout, height)
    say(f"This node signs nothing up to height {height}; its ledger has height {tip.height}.")


@contextmanager
def _owned(settings: Settings) -> Iterator[tuple[KeyPair, Held | None]]:
    """Own the data directory, made if need be; yield the node's key pair, and its ledger if there is one.

    Raises:
        DirectoryInUse: the node runs.
    """
    directory = prepare(settings.database.path)
    if directory.ledger.exists():
        with closing(Store(directory.path)) as store:
            yield find_or_make(settings), Held(read_chain_id(directory.path), store.writer.tip())
    else:
        with closing(DirectoryLock(directory)):
            yield find_or_make(settings), None


def _require_whole(settings: Settings) -> None:
    """Require that no ledger was lost, and that a present one is of the chain id beside it.

    The key may be missing: a new node begins with a copy without one.
    """
    directory = DataDirectory(settings.database.path)
    if (refusal := lost_ledger(directory) or foreign_ledger(directory)) is not None:
        raise StartupError(refusal)


def _become(loaded: Loaded, content: bytes, genesis: NetworkGenesis, values: Mapping[str, Any]) -> None:
    """Write the files of a network's node. The genesis comes last: without it nothing has happened."""
    data = loaded.settings.database.path
    layout = files.Layout(data)
    files.check_sockets(layout)
    known = read_chain_id(data) if (data / CHAIN_ID_FILE).exists() else genesis.chain_id
    require_can_sign(layout, known, genesis.chain_id)
    if edit.put(loaded, {"network": values}, os.environ):
        say(f"network.{', network.'.join(values)} was written to `{loaded.path}`")
    if known != genesis.chain_id:
        files.forget_misbehaviors(layout)
    put_chain_id(data, genesis.chain_id)
    files.write_genesis(layout, content)


def _settings_of(peers: str | None, external_address: str | None) -> Mapping[str, Any]:
    values: dict[str, Any] = {}
    if peers is not None:
        values["peers"] = [peer.strip() for peer in peers.split(",") if peer.strip()]
    if external_address is not None:
        values["external_address"] = external_address
    return values


def _is_in(settings: Settings, content: bytes) -> bool:
    data = settings.database.path
    return is_network(data) and read_bounded(Layout(data).genesis) == content


def _require_no_network(settings: Settings) -> None:
    data = settings.database.path
    if is_network(data):
        raise StartupError(
            f"this node is already part of the network {read_chain_id(data)}. To leave it, stop the node, "
            f"run `bigchaindb drop` and remove `{Layout(data).genesis}`: the ledger is deleted, the key is kept"
        )


def _read(file: Path, bytes_max: int) -> bytes:
    """Read a file up to one byte more than it may have: the parser refuses the excess."""
    with file.open("rb") as opened:
        return opened.read(bytes_max + 1)


def _put_genesis(settings: Settings, content: bytes, genesis: NetworkGenesis, key: KeyPair, *, as_json: bool) -> None:
    """Print the node's network, and whether its key votes from the start."""
    path = Layout(settings.database.path).genesis
    validators = genesis.validator_set
    power = validators.powers.get(decode_key(key.public_key), 0)
    if as_json:
        put_json(
            {
                "chain_id": genesis.chain_id,
                "genesis": str(path),
                "genesis_hash": genesis_hash(content),
                "initial_height": genesis.initial_height,
                "validators": len(genesis.validators),
                "power": power,
            }
        )
        return
    put(f"chain    {genesis.chain_id}")
    put(f"genesis  {path}")
    put(f"hash     {genesis_hash(content)}")
    put(f"votes    {f'power {power} of {validators.total}' if power else 'no: the key is not among the validators'}")
    if not power:
        say("This node is not among the validators: it follows without a vote until an election makes it one.")
