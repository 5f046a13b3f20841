"""Who a node is among the others of its network."""

from collections.abc import Sequence
from typing import NamedTuple

from bigchaindb.engine.cometbft.files import Layout, Sizes
from bigchaindb.ledger.validators import address_of
from bigchaindb.transaction.keys import KeyPair, decode_key


class Own(NamedTuple):
    """A node of a network.

    Attributes:
        key: its pair.
        layout: where its CometBFT's files are.
        peers: other nodes that it is to be connected to, as `ID@HOST:PORT`.
        sizes: of its CometBFT's mempool.
        is_held: whether CometBFT is started with another key, since this one may have voted before.
    """

    key: KeyPair
    layout: Layout
    peers: Sequence[str]
    sizes: Sizes
    is_held: bool = False

    @property
    def address(self) -> bytes:
        """Its address in votes."""
        return address_of(decode_key(self.key.public_key))
