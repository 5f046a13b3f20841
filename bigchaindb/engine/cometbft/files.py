"""The files that CometBFT reads, where they are, and how the node writes them before each start.

The node's key pair is the only secret: both of CometBFT's keys are derived from it, so that a node that is restored
with its pair keeps its id among its peers. Two files are never overwritten: the genesis, and the state of the signer,
which keeps a validator from signing twice.

Source: https://docs.cometbft.com/v0.38/core/configuration; its defaults fill what is not written here.
"""

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from bigchaindb import files
from bigchaindb.config.settings import Network
from bigchaindb.engine.cometbft.genesis import GENESIS_BYTES_MAX, KEY_TYPE, NetworkGenesis
from bigchaindb.errors import StartupError
from bigchaindb.ledger.validators import address_of, address_text
from bigchaindb.serving.unix_socket import check_path
from bigchaindb.transaction import base58
from bigchaindb.transaction.keys import KeyPair, decode_key

FOLDER: Final = "cometbft"
MEMPOOL_COUNT_MIN: Final = 100_000
"""A full mempool drops silently, so it is far above what the nodes admit."""
POOL_FACTOR: Final = 8
"""The node's pool holds the transactions of others too: so many times what the node admits of its own clients."""
MEMPOOL_FACTOR: Final = 2
"""Transactions of the mempool, as a multiple of the pool, or of what all validators together admit: each in the pool
may be there alone and in a bundle."""
MEMPOOL_BYTES_FACTOR: Final = 4
"""Bytes of the mempool, as a multiple of the pool's: each there alone, bundles of which half is new, and half as much
again for what this node submits anew and for orphans."""

_NODE_KEY_PURPOSE: Final = b"bigchaindb: key of a node among its peers"
_PRIVATE_KEY_TYPE: Final = "tendermint/PrivKeyEd25519"
_MODE: Final = 0o700
_LOOPBACK: Final = ("127.", "localhost", "::1")


class Layout:
    """Paths of CometBFT's files below one data directory.

    Attributes:
        data: the node's data directory.
        home: the argument `--home` of CometBFT.
        config: the settings.
        genesis: the same bytes on every node.
        node_key: the node's key among its peers.
        validator_key: signs votes: the node's own pair.
        blocks: CometBFT's databases, among them the blocks; and the state of the signer.
        validator_state: the last signature: an older record, or none, lets the validator sign twice.
        misbehaviors: misbehavior of validators that the chain has proven, for the operator.
        wal: CometBFT's log of consensus: proposals and votes as they came.
        abci: the socket on which the node serves CometBFT.
        rpc: the socket on which CometBFT serves the node.
    """

    def __init__(self, data: Path) -> None:
        """Name the files below `data`; none is opened."""
        self.data = data
        self.home = home = data / FOLDER
        self.config = home / "config" / "config.toml"
        self.genesis = home / "config" / "genesis.json"
        self.node_key = home / "config" / "node_key.json"
        self.validator_key = home / "config" / "priv_validator_key.json"
        self.blocks = home / "data"
        self.validator_state = self.blocks / "priv_validator_state.json"
        self.misbehaviors = home / "misbehavior.json"
        self.wal = self.blocks / "cs.wal"
        self.abci = home / "abci.sock"
        self.rpc = home / "rpc.sock"


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Bounds of CometBFT's mempool; the node's own must stay below them.

    Attributes:
        validator_count: that may hand over transactions at the same time.
        pool_count_max: transactions that each node admits of its own clients.
        pool_bytes_max: bytes of those.
        transaction_bytes_max: of one transaction.
    """

    validator_count: int
    pool_count_max: int
    pool_bytes_max: int
    transaction_bytes_max: int

    @property
    def mempool_count(self) -> int:
        """Transactions in CometBFT's mempool: twice the pool, or what all nodes together admit, and never few."""
        return max(MEMPOOL_COUNT_MIN, MEMPOOL_FACTOR * max(POOL_FACTOR, self.validator_count) * self.pool_count_max)

    @property
    def mempool_bytes(self) -> int:
        """Bytes in CometBFT's mempool: four times the pool."""
        return MEMPOOL_BYTES_FACTOR * POOL_FACTOR * self.pool_bytes_max

    def admitted_count(self, validator_count: int) -> int:
        """Transactions that a node may admit while so many validators share this mempool, which was made for fewer."""
        return min(self.pool_count_max, self.mempool_count // (MEMPOOL_FACTOR * max(1, validator_count)))


def is_network(data: Path) -> bool:
    """Whether a data directory belongs to a node of a network, which has a genesis."""
    return Layout(data).genesis.exists()


def node_key_of(key: KeyPair) -> KeyPair:
    """Return the pair that identifies a node to its peers; nobody can derive the node's own private key from it."""
    seed = base58.decode(key.private_key)
    return KeyPair.from_seed(hmac.digest(seed, _NODE_KEY_PURPOSE, "sha256"))


def node_id(public_key: bytes) -> str:
    """Return the id of a node among its peers, 40 hex digits: the first 20 bytes of the SHA-256 of its node key."""
    return sha256(public_key).digest()[:20].hex()


def node_id_of(key: KeyPair) -> str:
    """Return the id of the node whose own key pair is `key`."""
    return node_id(decode_key(node_key_of(key).public_key))


def others_of(settings: Network, key: KeyPair) -> list[str]:
    """Return the peers of the settings without the node whose own key pair is `key`: operators share one list."""
    own = node_id_of(key)
    return [peer for peer in settings.peers if not peer.startswith(f"{own}@")]


def check_sockets(layout: Layout) -> None:
    """Require that both sockets can be bound.

    Raises:
        StartupError: a path is too long; names what to do.
    """
    for path in (layout.abci, layout.rpc):
        check_path(path)


def read_genesis(layout: Layout, *, rules_version: int, may_be_older: bool = False) -> NetworkGenesis:
    """Read the genesis of the network that this node is part of; see `NetworkGenesis.parse`.

    Raises:
        StartupError: it cannot be read, or is none that this node can follow.
    """
    return NetworkGenesis.parse(read_bounded(layout.genesis), rules_version=rules_version, may_be_older=may_be_older)


def read_bounded(path: Path) -> bytes:
    """Read a genesis file, up to one byte more than it may have.

    Raises:
        StartupError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(GENESIS_BYTES_MAX + 1)
    except OSError as error:
        raise StartupError(f"cannot read `{path}`: {error.strerror}") from error


def write_genesis(layout: Layout, content: bytes) -> None:
    """Write the genesis, durable when this returns. With it the directory belongs to a network, so it comes last.

    Raises:
        StartupError: there is one with another content, or it cannot be written.
    """
    make_folders(layout)
    if layout.genesis.exists():
        if read_bounded(layout.genesis) != content:
            raise StartupError(f"`{layout.genesis}` is the genesis of another network; it is never replaced")
        return
    _put(layout.genesis, content)


def write(layout: Layout, *, key: KeyPair, settings: Network, sizes: Sizes, signer: KeyPair | None = None) -> None:
    """Write everything but the genesis, before each start: keys, settings and, if there is none, the signer's state.

    Args:
        layout: where.
        key: the node's own pair.
        settings: the section `network`.
        sizes: of the mempool.
        signer: the pair that CometBFT votes with; None: the node's own.

    Raises:
        StartupError: a file cannot be written, or a socket's path is too long.
    """
    check_sockets(layout)
    make_folders(layout)
    _put(layout.node_key, _json({"priv_key": _private(node_key_of(key))}))
    put_validator_key(layout, signer or key)
    if not layout.validator_state.exists():
        put_validator_state(layout, height=0, round_=0, step=0)
    _put(layout.config, config_text(layout, key=key, settings=settings, sizes=sizes).encode())


def put_validator_key(layout: Layout, key: KeyPair) -> None:
    """Write the pair that CometBFT votes with from its next start on.

    Raises:
        StartupError: it cannot be written.
    """
    _put(layout.validator_key, _json(_validator_key(key)))


def put_validator_state(layout: Layout, *, height: int, round_: int, step: int) -> None:
    """Write the last signature: nothing of that height, round and step, or before, is signed any more.

    Raises:
        StartupError: it cannot be written.
    """
    _put(layout.validator_state, _json({"height": str(height), "round": round_, "step": step}))


def put_misbehaviors(layout: Layout, content: bytes) -> None:
    """Write the misbehavior that the chain has proven.

    Raises:
        StartupError: it cannot be written.
    """
    _put(layout.misbehaviors, content)


def forget_misbehaviors(layout: Layout) -> None:
    """Delete the misbehavior that another chain has proven: its heights would hide what this one proves."""
    layout.misbehaviors.unlink(missing_ok=True)


def delete_blocks(layout: Layout) -> None:
    """Delete the data that CometBFT takes from its peers again; keys, genesis and the signer's state stay."""
    for entry in layout.validator_state.parent.glob("*"):
        if entry != layout.validator_state:
            files.remove(entry)


def config_text(layout: Layout, *, key: KeyPair, settings: Network, sizes: Sizes) -> str:
    """Return the content of config.toml: what differs from CometBFT's defaults, and why. See `write`."""
    peers = others_of(settings, key)
    hosts = [peer.partition("@")[2].rpartition(":")[0] for peer in peers]
    share_a_machine = len(set(hosts)) < len(hosts) or any(host.strip("[").startswith(_LOOPBACK) for host in hosts)
    sections: dict[str, dict[str, object]] = {
        "": {
            "proxy_app": f"unix://{layout.abci}",
            "moniker": key.public_key,
            "log_level": "info",
            "log_format": "json",
            "db_backend": "goleveldb",
        },
        "rpc": {
            "laddr": f"unix://{layout.rpc}",
            "max_request_batch_size": 0,  # unbounded: the node alone may open the socket
            "unsafe": True,  # the node empties the mempool now and then, and makes CometBFT dial its peers
            "max_body_bytes": 8_000_000,
            "max_subscriptions_per_client": 16,
        },
        "p2p": {
            "laddr": f"tcp://{settings.bind}",
            "external_address": settings.external_address or "",
            "persistent_peers": ",".join(peers),
            "pex": False,  # operators decide who is part of a network
            "addr_book_strict": False,  # private addresses are addresses
            "allow_duplicate_ip": share_a_machine,  # else a second node of one address is refused
            # The default of 100 ms, paid at each step, is most of what a block takes.
            "flush_throttle_timeout": "10ms",
            "send_rate": 20_480_000,
            "recv_rate": 20_480_000,
        },
        "mempool": {
            "size": sizes.mempool_count,
            "cache_size": 2 * sizes.mempool_count,
            "max_txs_bytes": sizes.mempool_bytes,
            "max_tx_bytes": sizes.transaction_bytes_max,
            "recheck": True,
        },
        "consensus": {
            "timeout_propose": "1s",
            "timeout_propose_delta": "250ms",
            "timeout_prevote": "250ms",
            "timeout_prevote_delta": "100ms",
            "timeout_precommit": "250ms",
            "timeout_precommit_delta": "100ms",
            "timeout_commit": "50ms",
            "skip_timeout_commit": True,
            "create_empty_blocks": False,
            "peer_gossip_sleep_duration": "10ms",
        },
        "tx_index": {"indexer": "null"},  # the ledger answers queries
        "storage": {"discard_abci_responses": True},
    }
    return "\n".join(_section(name, members) for name, members in sections.items())


def _section(name: str, members: Mapping[str, object]) -> str:
    head = f"[{name}]\n" if name else ""
    return head + "".join(f"{key} = {_toml(value)}\n" for key, value in members.items())


def _toml(value: object) -> str:
    """Return a value as TOML: texts, numbers and truth values are as in JSON, but for unprintable characters."""
    if isinstance(value, str) and not value.isprintable():
        raise StartupError(f"{value!r} cannot be written into CometBFT's settings; set database.path to a plain path")
    return json.dumps(value, ensure_ascii=False)


def _validator_key(key: KeyPair) -> Mapping[str, Any]:
    public = decode_key(key.public_key)
    return {
        "address": address_text(address_of(public)),
        "pub_key": {"type": KEY_TYPE, "value": base64.b64encode(public).decode()},
        "priv_key": _private(key),
    }


def _private(key: KeyPair) -> Mapping[str, str]:
    raw = base58.decode(key.private_key) + decode_key(key.public_key)
    return {"type": _PRIVATE_KEY_TYPE, "value": base64.b64encode(raw).decode()}


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=2) + "\n").encode()


def make_folders(layout: Layout) -> None:
    """Make CometBFT's folders, for their owner alone.

    Raises:
        StartupError: they cannot be made.
    """
    for folder in (layout.home, layout.config.parent, layout.validator_state.parent):
        try:
            folder.mkdir(mode=_MODE, exist_ok=True)
            folder.chmod(_MODE)  # a copy, or another umask, may have opened it
        except OSError as error:
            raise StartupError(f"cannot make `{folder}`: {error.strerror}") from error


def _put(path: Path, content: bytes) -> None:
    """Put a file in place whole or not at all, mode 0600, durable when this returns."""
    try:
        files.write(path, content)
    except OSError as error:
        raise StartupError(f"cannot write `{path}`: {error.strerror}") from error
