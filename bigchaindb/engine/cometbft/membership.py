"""How a data directory becomes a node of a network: by founding one, or by joining one. Pure; the command line acts.

A ledger is never mixed with another chain's: one that a node made alone either becomes the beginning of the network,
the same on every node, or is in the way, and then a person decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from bigchaindb.config.checks import check_peer
from bigchaindb.engine.cometbft.genesis import VALIDATOR_COUNT_MAX, GenesisValidator, NetworkGenesis
from bigchaindb.errors import ConfigurationError, StartupError
from bigchaindb.ledger.effects import Tip
from bigchaindb.ledger.validators import address_of, address_text
from bigchaindb.transaction.keys import decode_key

MEMBERS_BYTES_MAX: Final = 1024 * 1024
"""A line has about 300 bytes, and there are at most `VALIDATOR_COUNT_MAX`."""
POWER: Final = 10
"""Voting power where a line names none, as CometBFT has it."""


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    public_key: str
    power: int = POWER
    name: str = ""
    address: str | None = None
    node_id: str | None = None
    peer: str | None = None


@dataclass(frozen=True)
class Member:
    """A node that founds a network.

    Attributes:
        validator: its key, power and name.
        peer: `ID@HOST:PORT` where others reach it, if its line has one.
    """

    validator: GenesisValidator
    peer: str | None


@dataclass(frozen=True)
class Held:
    """The ledger in a data directory.

    Attributes:
        chain_id: of its ledger.
        tip: where the ledger ends.
    """

    chain_id: str
    tip: Tip


def read_members(content: bytes) -> tuple[Member, ...]:
    """Read the file of validators: a line of JSON each, as `bigchaindb network id` prints it.

    Raises:
        ConfigurationError: a line is none; names its number, the member and the rule.
    """
    if len(content) > MEMBERS_BYTES_MAX:
        raise ConfigurationError(f"validators: the file has {len(content)} bytes, at most {MEMBERS_BYTES_MAX} are read")
    lines = [(number, line) for number, line in enumerate(content.splitlines(), 1) if line.strip()]
    if not 1 <= len(lines) <= VALIDATOR_COUNT_MAX:
        raise ConfigurationError(f"validators: must be 1 to {VALIDATOR_COUNT_MAX} lines, found {len(lines)}")
    members = tuple(_member(line, number) for number, line in lines)
    keys = [member.validator.key for member in members]
    twice = next((number for (number, _), key in zip(lines, keys, strict=True) if keys.count(key) > 1), None)
    if twice is not None:
        raise ConfigurationError(f"validators: line {twice}: public_key: is in another line as well")
    return members


def found(
    members: Sequence[Member], held: Held | None, *, chain_id: str, now_s: int, rules_version: int
) -> NetworkGenesis:
    """Return the genesis of a new network.

    Args:
        members: who votes.
        held: the ledger that a node made alone and that the network goes on with, if there is one.
        chain_id: of the network; that of the ledger, where there is one.
        now_s: Unix seconds; the first block has this time, or that of the ledger's last one if a clock went back.
        rules_version: of this software.

    Raises:
        StartupError: it would not be a valid genesis; the ledger is of another chain.
    """
    if held is not None and held.chain_id != chain_id:
        raise StartupError(
            f"the ledger here is chain {held.chain_id}, which the network goes on with, so it cannot be {chain_id!r}; "
            "leave --chain-id out, or run `bigchaindb drop` first if its blocks are not needed"
        )
    tip = Tip() if held is None else held.tip
    return NetworkGenesis(
        chain_id=chain_id,
        genesis_time=f"{datetime.fromtimestamp(max(now_s, tip.timestamp), UTC):%Y-%m-%dT%H:%M:%SZ}",
        initial_height=tip.height + 1,
        app_hash=tip.app_hash,
        validators=tuple(member.validator for member in members),
        rules_version=rules_version,
    )


def require_can_join(genesis: NetworkGenesis, held: Held | None) -> None:
    """Require that the ledger of a directory is the one that the network began with.

    Raises:
        StartupError: it is not; names what is there and what to do.
    """
    if held is None:
        if (genesis.initial_height, genesis.app_hash) != (1, Tip().app_hash):
            raise StartupError(
                f"the network goes on with a ledger of height {genesis.initial_height - 1}, which is not here; take it "
                "from a node that has just founded it: `bigchaindb backup --without-key DIR` there, then name DIR as "
                "database.path here"
            )
        return
    tip = held.tip
    if held.chain_id != genesis.chain_id:
        raise StartupError(
            f"the ledger here is chain {held.chain_id} with {tip.height} blocks, the network is {genesis.chain_id}; if "
            "its blocks are not needed run `bigchaindb drop` first, else name another database.path"
        )
    if (tip.height + 1, tip.app_hash) != (genesis.initial_height, genesis.app_hash):
        raise StartupError(
            f"the ledger here has height {tip.height}, and the network began with height {genesis.initial_height - 1} "
            "of the same chain; join with a copy of exactly that ledger, or with an empty directory if it began at 0"
        )


def peers_of(members: Sequence[Member], own_id: str) -> tuple[str, ...]:
    """Return the peers that the members' lines name, without the node itself."""
    return tuple(one.peer for one in members if one.peer is not None and not one.peer.startswith(f"{own_id}@"))


def _member(content: bytes, number: int) -> Member:
    where = f"validators: line {number}"
    try:
        line = msgspec.json.decode(content, type=_Line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{where}: {error}; expected a line of `bigchaindb network id`") from error
    try:
        key = decode_key(line.public_key)
    except ValueError as error:
        raise ConfigurationError(f"{where}: public_key: {error}") from error
    if line.address is not None and line.address != (address := address_text(address_of(key))):
        raise ConfigurationError(f"{where}: address: does not belong to public_key, whose address is {address}")
    if line.peer is not None:
        check_peer(line.peer, f"{where}: peer")
        if line.node_id is not None and not line.peer.startswith(f"{line.node_id}@"):
            raise ConfigurationError(f"{where}: peer: must begin with node_id, {line.node_id[:60]!r}")
    try:
        return Member(GenesisValidator(key, line.power, line.name), line.peer)
    except StartupError as error:
        raise ConfigurationError(f"{where}: {str(error).removeprefix('genesis: ')}") from error
