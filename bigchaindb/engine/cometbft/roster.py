"""Which nodes each node of a network is to be connected to. Pure.

CometBFT finds no peers by itself here (`pex` is off): a node knows the peers that its operator names. In a network
where each node names all others, no two nodes have the same list.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from bigchaindb.config.checks import check_peer
from bigchaindb.engine.cometbft.membership import Member
from bigchaindb.engine.cometbft.rpc_answers import Peer
from bigchaindb.errors import ConfigurationError

NAME_CHARACTERS_MAX: Final = 44
"""Length of a peer's own name: a public key in base58."""

_ANY: Final = ("0.0.0.0", "[::]", "::")  # noqa: S104 - compared, not bound
_SCHEME: Final = "tcp://"


class Known(NamedTuple):
    """A node and where others reach it.

    Attributes:
        name: for people; may be empty.
        peer: `ID@HOST:PORT`.
    """

    name: str
    peer: str

    @property
    def node_id(self) -> str:
        """Its id among peers."""
        return self.peer.partition("@")[0]


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """The list of one node.

    Attributes:
        name: of the node, for people; may be empty.
        node_id: its id among peers.
        peers: what its `network.peers` should be.
    """

    name: str
    node_id: str
    peers: tuple[str, ...]


def known_of(members: Sequence[Member], where: str) -> list[Known]:
    """Return the nodes of a file of `network id` lines.

    Args:
        members: the lines.
        where: the file's name, for the error.

    Raises:
        ConfigurationError: a line does not name the address at which others reach its node.
    """
    for number, member in enumerate(members, 1):
        if member.peer is None:
            who = member.validator.name or f"line {number}"
            raise ConfigurationError(
                f"{where}: {who} has no `peer`, so nobody can name it; set network.external_address on that node and "
                "take the line of `bigchaindb network id` from there again"
            )
    return [Known(member.validator.name, str(member.peer)) for member in members]


def connected(peers: Iterable[Peer]) -> list[Known]:
    """Return the nodes that are connected, by the addresses at which they claim to listen.

    A node that listens at every address of its machine and names none is left out: its address is not known.
    """
    found = []
    for peer in peers:
        host, _, port = peer.node.listens_at.removeprefix(_SCHEME).rpartition(":")
        if host and host not in _ANY:
            moniker = peer.node.moniker
            name = moniker if moniker.isprintable() and len(moniker) <= NAME_CHARACTERS_MAX else ""
            known = Known(name, f"{peer.node.id}@{host}:{port}")
            try:
                check_peer(known.peer, "peer")
            except ConfigurationError:  # a peer may claim anything
                continue
            found.append(known)
    return found


def lists(known: Iterable[Known]) -> list[Listed]:
    """Return for each node the list of all others, in the order of the nodes; the first entry of a node counts."""
    nodes: dict[str, Known] = {}
    for one in known:
        nodes.setdefault(one.node_id, one)
    return [
        Listed(
            name=node.name,
            node_id=node.node_id,
            peers=tuple(other.peer for other in nodes.values() if other is not node),
        )
        for node in nodes.values()
    ]
