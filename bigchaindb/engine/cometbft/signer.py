"""The last signature of this node's key, without which a validator may sign twice. Source: CometBFT v0.38, its privval.

CometBFT keeps it in a file of its own, which no backup holds. Where the file is lost, a person sets the height up to
which nothing may be signed any more.
"""

from typing import Final

import msgspec

from bigchaindb.engine.cometbft.files import Layout, put_validator_state
from bigchaindb.engine.cometbft.genesis import NetworkGenesis
from bigchaindb.errors import StartupError
from bigchaindb.ledger import network
from bigchaindb.ledger.effects import Tip
from bigchaindb.transaction.keys import KeyPair, decode_key

ROUND_MAX: Final = 2**31 - 1
STEP_MAX: Final = 3
"""A precommit, the last that is signed in a round."""
BLOCKS_PER_S_MAX: Final = 100
"""No network was seen to decide faster: one validator alone decides 71 blocks a second, four 14."""
BLOCK_COUNT_SPARE: Final = 1_000
"""For clocks that differ."""


class SignerState(msgspec.Struct, frozen=True):
    """The part of the file about the last signature.

    Attributes:
        height: of that vote; a text in the file, as all of CometBFT's large numbers.
    """

    height: int


def complaint(layout: Layout, key: KeyPair, state: bytes | None) -> str | None:
    """Return why a node must not start: its key votes, and its last signature is not known. None: it may.

    Args:
        layout: where its files are.
        key: its pair.
        state: of the network as the ledger keeps it; None before the first block.
    """
    if state is None or layout.validator_state.exists():
        return None
    public_key = decode_key(key.public_key)
    if all(public_key not in dict(one.powers) for one in network.decode(state).validators):
        return None
    return (
        f"`{layout.validator_state}` is missing, the record of this validator's last signature: put the one of the old "
        "data directory there; where it is lost, make sure that the old node does not run any more, and then run "
        "`bigchaindb network signed HEIGHT`, one more than `network status` of another node shows"
    )


def must_be_held(
    layout: Layout, key: KeyPair, genesis: NetworkGenesis, state: bytes | None, *, has_peers: bool
) -> bool:
    """Whether the chain has to show first that this node's key did not vote: there is no record of its signatures.

    A validator that is alone and names no peer is not held: with its disk, the chain is lost as well. That it was alone
    in the genesis proves nothing, since others may have been elected, and nodes that only follow have the chain.

    Args:
        layout: where its files are.
        key: its pair.
        genesis: of the chain.
        state: of the network as the ledger keeps it; None before the first block.
        has_peers: whether its settings name other nodes.
    """
    validators = genesis.validator_set if state is None else network.decode(state).elected
    is_alone = validators.powers.keys() == {decode_key(key.public_key)} and not has_peers
    return not signed_height(layout) and not is_alone


def signed_height(layout: Layout) -> int | None:
    """Return the height that this node's key signed last; None: there is no file, or none that can be read."""
    try:
        return _height_of(layout)
    except StartupError:
        return None


def require_plausible(height: int, tip: Tip, genesis: NetworkGenesis, now_s: float) -> None:
    """Require a height that the chain can have reached, since nothing up to it is ever signed again.

    Args:
        height: the one below which nothing is to be signed.
        tip: where the ledger here ends.
        genesis: of the chain.
        now_s: Unix seconds.

    Raises:
        StartupError: the chain is above it already, or cannot be that far.
    """
    if height < tip.height:
        raise StartupError(
            f"the ledger here has height {tip.height} already, so {height} forbids nothing; name one more than "
            "`bigchaindb network status` of another node shows"
        )
    known = max(tip.height, genesis.initial_height - 1)
    passed_s = max(0, int(now_s) - max(tip.timestamp, genesis.begin_s))
    most = known + BLOCKS_PER_S_MAX * passed_s + BLOCK_COUNT_SPARE
    if height > most:
        raise StartupError(
            f"the chain cannot have reached height {height}: it had {known} {passed_s} s ago, so {most} at most; up to "
            "that height this node would sign nothing. Name one more than `bigchaindb network status` of another node "
            "shows"
        )


def put_signed(layout: Layout, height: int) -> None:
    """Forbid this node's key to sign anything of this height and below.

    Raises:
        StartupError: the file exists and has this height or a higher one, or cannot be read or written.
    """
    if layout.validator_state.exists() and (signed := _height_of(layout)) >= height:
        raise StartupError(f"`{layout.validator_state}` has height {signed}, and it is never set back")
    put_validator_state(layout, height=height, round_=ROUND_MAX, step=STEP_MAX)


def require_can_sign(layout: Layout, known: str, chain_id: str) -> None:
    """Require that this node's key may sign a chain from its beginning.

    CometBFT's file does not name its chain: signatures of another forbid the same heights of this one.

    Args:
        layout: where its files are.
        known: the chain that the data directory is of so far.
        chain_id: the one that it is to be of.

    Raises:
        StartupError: it has signed the other, or the file cannot be read; names what to do.
    """
    if known != chain_id and layout.validator_state.exists() and (signed := _height_of(layout)):
        raise StartupError(
            f"`{layout.validator_state}` records that this node has signed chain {known} up to height {signed}, so it "
            f"would sign nothing of {chain_id} up to there. Move the file elsewhere, and keep it: it must be back in "
            f"its place before this node joins {known} again"
        )


def _height_of(layout: Layout) -> int:
    try:
        state = msgspec.json.decode(layout.validator_state.read_bytes(), type=SignerState, strict=False)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StartupError(f"cannot read `{layout.validator_state}`: {error}") from error
    return state.height
