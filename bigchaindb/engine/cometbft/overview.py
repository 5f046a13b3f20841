"""The state of a network's node, for its operator: from its files, and from its CometBFT if that runs.

Computed in another process than the node's own, beside it or without it.
"""

import asyncio
import time
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from enum import StrEnum
from math import ceil
from typing import Final

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from bigchaindb.config import Settings
from bigchaindb.engine.cometbft import files
from bigchaindb.engine.cometbft.genesis import genesis_hash
from bigchaindb.engine.cometbft.rpc import CometBftRpc
from bigchaindb.engine.cometbft.rpc_answers import ConsensusState, NodeStatus
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.engine.cometbft.signer import signed_height
from bigchaindb.engine.engine import Misbehavior, NetworkFigures, ValidatorFigures
from bigchaindb.errors import CometBftUnavailable, StartupError
from bigchaindb.identity import find
from bigchaindb.ledger import network
from bigchaindb.ledger.effects import Tip
from bigchaindb.ledger.validators import ValidatorSet, address_of, address_text
from bigchaindb.store.beside import read_node
from bigchaindb.store.damages import read_mark
from bigchaindb.store.directory import DataDirectory
from bigchaindb.transaction.keys import KeyPair, decode_key, key_text

ANSWER_S_MAX: Final = 2.0
"""Time for an answer of CometBFT: a person waits."""
BEHIND_COUNT_MAX: Final = 5
"""Blocks that a node may lack without being behind: so many may come between two answers of its CometBFT."""


class Activity(StrEnum):
    """The activity of a network's node."""

    FOLLOWING = "following"
    CATCHING_UP = "catching_up"
    NO_ANSWER = "no_answer"
    STOPPED = "stopped"


class Decides(StrEnum):
    """Whether a network can decide, as far as one of its nodes sees."""

    DECIDES = "decides"
    HALTED = "halted"
    CUT_OFF = "cut_off"


class PeerLine(msgspec.Struct, frozen=True, kw_only=True):
    """Another node that this one is connected to.

    Attributes:
        id: among peers, 40 hex digits.
        address: `HOST:PORT` of the connection.
        height: of its last block; None: it has not stated it yet.
        public_key: base58, as it states itself; None: it has not stated it yet.
    """

    id: str
    address: str
    height: int | None
    public_key: str | None


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """A node at one moment.

    Attributes:
        state: what it does.
        pid: of its process; None: it does not run.
        chain_id: the network's.
        genesis_hash: SHA-256 of the genesis, hex: equal on all nodes.
        node_id: by which peers know it, 40 hex digits.
        public_key: base58.
        address: in votes, upper-case hex.
        power: of its vote on the next block, 0 if it has none.
        network: whether it decides; None where CometBFT does not answer.
        connected_power: of this node and of the validators that it reaches; None as above.
        signing_power: of those of them that sign; None as above.
        signed_last: the height up to which this node's key signs nothing more; None: it is not known.
        height: of its last block.
        behind: blocks that its peers have and it has not; None as above.
        round: attempt at the next block, from 0; None as above.
        time: of the last block; None before the first.
        position: of the last event.
        invalid_blocks: blocks of the log that were voted invalid.
        rejections: proposals that it voted against and the chain does not show.
        outbox: transactions that it accepted; some may have been decided in the last seconds.
        cometbft: its version; None where CometBFT does not answer.
        clock_behind_s: until the genesis time, before which CometBFT does nothing; 0 once it has passed.
        peers: that it is connected to; None as above.
        validators: who votes on the next block, ascending by key.
        damage: what was found damaged on its disk, so that it votes no more; None: nothing.
        misbehaviors: what the chain proves that validators did; None where the node does not answer.
    """

    state: Activity
    pid: int | None
    chain_id: str
    genesis_hash: str
    node_id: str
    public_key: str
    address: str
    power: int
    network: Decides | None
    connected_power: int | None
    signing_power: int | None
    signed_last: int | None
    height: int
    behind: int | None
    round: int | None
    time: datetime | None
    position: int
    invalid_blocks: int
    rejections: int
    outbox: int
    cometbft: str | None
    clock_behind_s: int
    peers: tuple[PeerLine, ...] | None
    validators: tuple[ValidatorFigures, ...]
    misbehaviors: tuple[Misbehavior, ...] | None
    damage: str | None = None

    @property
    def exit_code(self) -> int:
        """The exit code of `network status`: 0 it follows and the network decides, 1 no answer, 3 halted, 4 behind."""
        if self.state in {Activity.STOPPED, Activity.NO_ANSWER}:
            return 1
        if self.network is Decides.CUT_OFF:
            return 3
        if self.state is Activity.CATCHING_UP or (self.behind or 0) > BEHIND_COUNT_MAX:
            return 4
        return 0 if self.network is Decides.DECIDES else 3


async def overview(settings: Settings, pid: int | None, figures: NetworkFigures | None = None) -> Overview:
    """Return the state of the node that `settings` belong to.

    Args:
        settings: all of them.
        pid: of the process that owns the data directory; None: nobody does.
        figures: of that process about the other nodes; None: it did not answer.

    Raises:
        StartupError: the directory belongs to no node of a network, or a file of it cannot be read.
        StoreError: the ledger cannot be read.
    """
    key, layout = _member(settings)
    genesis = files.read_genesis(layout, rules_version=RULES_VERSION, may_be_older=True)
    own = address_of(decode_key(key.public_key))
    seen = await asyncio.to_thread(read_node, DataDirectory(layout.data))
    validators, rejections = genesis.validator_set, 0
    if seen is not None and seen.network is not None:
        state = network.decode(seen.network)
        validators, rejections = (
            state.validators_at(seen.tip.height + 1),
            len(state.unshown(seen.rejections, own.hex())),
        )
    status, consensus, names = (None, None, {}) if pid is None else await _ask(layout)
    peers = None if consensus is None else tuple(_peers(consensus, names))
    lines = _lines(validators, figures, None if peers is None else {key.public_key, *names.values()})
    connected = sum(one.power for one in lines if one.connected)
    signing = sum(one.power for one in lines if one.connected and one.signing is not False)
    tip = Tip() if seen is None else seen.tip
    height = tip.height if status is None else max(tip.height, status.sync.height)
    return Overview(
        state=activity_of(pid, status, figures),
        pid=pid,
        chain_id=genesis.chain_id,
        genesis_hash=genesis_hash(files.read_bounded(layout.genesis)),
        node_id=files.node_id_of(key),
        public_key=key.public_key,
        address=address_text(own),
        power=validators.power_of(own),
        network=None if peers is None else _decides(validators, own, signing, has_peers=bool(peers), figures=figures),
        connected_power=None if peers is None else connected,
        signing_power=None if peers is None else signing,
        signed_last=signed_height(layout),
        height=height,
        behind=None if consensus is None else consensus.blocks_ahead(height),
        round=None if consensus is None else consensus.round_state.round,
        time=_time_of(status, tip),
        position=tip.position,
        invalid_blocks=0 if seen is None else seen.invalid_count,
        rejections=rejections,
        outbox=0 if seen is None else seen.outbox_count,
        cometbft=None if status is None else status.node.version,
        clock_behind_s=max(0, ceil(genesis.begin_s - time.time())),
        peers=peers,
        validators=lines,
        misbehaviors=None if figures is None else figures.misbehaviors,
        damage=None if (mark := read_mark(DataDirectory(layout.data).damage)) is None else str(mark.damage),
    )


def _member(settings: Settings) -> tuple[KeyPair, files.Layout]:
    """Return the key pair of a network's node, and where its files are."""
    data = settings.database.path
    if not files.is_network(data):
        raise StartupError(
            f"the node of `{data}` is part of no network: `bigchaindb network init` or `join` makes it part of one"
        )
    key = find(settings)
    if key is None:
        raise StartupError(f"the node of `{data}` has no key pair: put its keypair.json back")
    return key, files.Layout(data)


async def _ask(layout: files.Layout) -> tuple[NodeStatus | None, ConsensusState | None, Mapping[str, str]]:
    """Return CometBFT's status, its view of consensus, and its peers' names: a node of ours is named by its key."""
    rpc = CometBftRpc(layout.rpc, answer_s_max=ANSWER_S_MAX)
    try:
        status, consensus, peers = await rpc.status(), await rpc.consensus_state(), (await rpc.net_info()).peers
    except CometBftUnavailable:
        return None, None, {}
    else:
        return status, consensus, {peer.node.id: peer.node.moniker for peer in peers}
    finally:
        await rpc.close()


def activity_of(pid: int | None, status: NodeStatus | None, figures: NetworkFigures | None) -> Activity:
    """Return the node's activity: one whose key is still held has not begun to follow, though its CometBFT has."""
    if pid is None:
        return Activity.STOPPED
    if status is None:
        return Activity.NO_ANSWER
    is_held = figures is not None and not figures.is_following
    return Activity.CATCHING_UP if status.sync.is_catching_up or is_held else Activity.FOLLOWING


def _time_of(status: NodeStatus | None, tip: Tip) -> datetime | None:
    """Return the time of the last block; the ledger alone knows that of the last one with transactions."""
    if status is not None and status.sync.height:
        return status.sync.time.replace(microsecond=0)
    return datetime.fromtimestamp(tip.timestamp, UTC) if tip.timestamp else None


def _decides(
    validators: ValidatorSet, own: bytes, signing_power: int, *, has_peers: bool, figures: NetworkFigures | None
) -> Decides:
    if not has_peers and not validators.is_decisive(validators.power_of(own)):
        return Decides.CUT_OFF
    is_stalled = figures is not None and figures.is_stalled
    return Decides.HALTED if is_stalled or not validators.is_decisive(signing_power) else Decides.DECIDES


def _peers(consensus: ConsensusState, names: Mapping[str, str]) -> list[PeerLine]:
    lines = []
    for peer in consensus.peers:
        id_, _, address = peer.address.partition("@")
        if id_:
            height = None if peer.state is None else max(0, peer.state.round_state.height - 1)
            lines.append(PeerLine(id=id_, address=address, height=height, public_key=names.get(id_)))
    return sorted(lines, key=lambda line: line.id)


def _lines(
    validators: ValidatorSet, figures: NetworkFigures | None, names: AbstractSet[str] | None
) -> tuple[ValidatorFigures, ...]:
    """Join the node's figures with the keys that are connected now, `names`; None where CometBFT does not answer."""
    lines = []
    for key, power in validators.powers.items():
        name = key_text(key)
        seen = None if figures is None else figures.of(name)
        seen = seen or ValidatorFigures(public_key=name, address=address_text(address_of(key)), power=power)
        connected = None if names is None else name in names or seen.indirect is True
        lines.append(replace(seen, power=power, connected=connected, indirect=UNSET))
    return tuple(lines)
