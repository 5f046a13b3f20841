"""The answers of CometBFT's JSON-RPC, as far as the node uses them. Parsed once, here; unknown members are left out.

Figures come as JSON strings, keys and transactions in base64. Headers and commits stay as they are, since proofs carry
them in this form. Source: CometBFT v0.38, its RPC reference.
"""

from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from bigchaindb.ledger.proofs.signed_header import SignedHeader

ResultT = TypeVar("ResultT")


class _Answered(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all parts of an answer."""


class PublicKey(_Answered, frozen=True, kw_only=True):
    """A key of 32 bytes."""

    value: bytes


class Versions(_Answered, frozen=True, kw_only=True):
    """The versions of a CometBFT and its application; `app` is the number of the network's rules."""

    app: int


class NodeInfo(_Answered, frozen=True, kw_only=True):
    """The identity of a CometBFT.

    Attributes:
        id: 40 hexadecimal digits, made from its p2p key.
        version: of CometBFT.
        moniker: its name, which any node may choose.
        versions: that it follows.
        listens_at: the address at which it claims to listen, as `tcp://HOST:PORT`.
    """

    id: str
    version: str
    moniker: str
    listens_at: str = msgspec.field(name="listen_addr", default="")
    versions: Versions = msgspec.field(name="protocol_version")


class SyncInfo(_Answered, frozen=True, kw_only=True):
    """The progress of a CometBFT; height 0 before the first block."""

    height: int = msgspec.field(name="latest_block_height")
    time: datetime = msgspec.field(name="latest_block_time")
    is_catching_up: bool = msgspec.field(name="catching_up")


class NodeStatus(_Answered, frozen=True, kw_only=True):
    """Answer to `status`."""

    node: NodeInfo = msgspec.field(name="node_info")
    sync: SyncInfo = msgspec.field(name="sync_info")


class Peer(_Answered, frozen=True, kw_only=True):
    """Another CometBFT that this one is connected to."""

    node: NodeInfo = msgspec.field(name="node_info")


class NetInfo(_Answered, frozen=True, kw_only=True):
    """Answer to `net_info`."""

    peers: tuple[Peer, ...]


class RoundState(_Answered, frozen=True, kw_only=True):
    """The height that is being decided, the one after the last block, and the attempt at it, from 0."""

    height: int
    round: int


class RoundVotes(_Answered, frozen=True, kw_only=True):
    """The votes of one round that this node has, one text for each validator, `nil-Vote` where there is none."""

    prevotes: tuple[str, ...] = ()
    precommits: tuple[str, ...] = ()


class OwnRoundState(RoundState, frozen=True, kw_only=True):
    """The round of this CometBFT itself.

    Attributes:
        votes: of all rounds of the height, ascending; None before consensus has begun.
    """

    votes: tuple[RoundVotes, ...] | None = None


class PeerState(_Answered, frozen=True, kw_only=True):
    """The round that a peer claims."""

    round_state: RoundState


class ConsensusPeer(_Answered, frozen=True, kw_only=True):
    """A peer as consensus knows it; one that has just connected has no state yet, and may have no address.

    Attributes:
        address: `ID@HOST:PORT`.
    """

    address: str = msgspec.field(name="node_address")
    state: PeerState | None = msgspec.field(name="peer_state")


class ConsensusState(_Answered, frozen=True, kw_only=True):
    """Answer to `dump_consensus_state`."""

    round_state: OwnRoundState
    peers: tuple[ConsensusPeer, ...] = ()

    def blocks_ahead(self, height: int) -> int:
        """Return how many blocks the peers have that a node of this height lacks, 0 if they have no more.

        A peer states which height it decides; its last block is the one before. Fewer than a third may state anything,
        so the height that more than a third have counts.
        """
        heights = sorted(peer.state.round_state.height - 1 for peer in self.peers if peer.state is not None)
        reached = heights[-1 - len(heights) // 3] if heights else 0
        return max(reached - height, 0)


class CommitAnswer(_Answered, frozen=True, kw_only=True):
    """Answer to `commit`. The votes of the last height may still change."""

    signed_header: SignedHeader


class Validator(_Answered, frozen=True, kw_only=True):
    """A validator of one height."""

    public_key: PublicKey = msgspec.field(name="pub_key")
    power: int = msgspec.field(name="voting_power")


class ValidatorPage(_Answered, frozen=True, kw_only=True):
    """Answer to `validators`: one page of them, and how many there are."""

    validators: tuple[Validator, ...]
    total: int


class BlockData(_Answered, frozen=True, kw_only=True):
    """What a block holds."""

    transactions: tuple[bytes, ...] = msgspec.field(name="txs")


class BlockContent(_Answered, frozen=True, kw_only=True):
    """A block; its header comes with the answer to `commit`."""

    data: BlockData


class BlockAnswer(_Answered, frozen=True, kw_only=True):
    """Answer to `block`."""

    block: BlockContent


class Submitted(_Answered, frozen=True, kw_only=True):
    """Answer to a request that CometBFT only begins, such as `broadcast_tx_async`: the mempool checks it later."""


class RpcError(_Answered, frozen=True, kw_only=True):
    """Why a call was refused."""

    message: str
    data: str = ""


class Reply(_Answered, Generic[ResultT], frozen=True, kw_only=True):
    """One answer of JSON-RPC: a result or an error, to the request of that id."""

    id: int
    result: ResultT | None = None
    error: RpcError | None = None


def decoded(text: bytes, kind: type[ResultT]) -> ResultT:
    """Parse an answer.

    Raises:
        msgspec.ValidationError: it is not of that kind; names the member.
        msgspec.DecodeError: it is no JSON.
    """
    return msgspec.json.decode(text, type=kind, strict=False)
