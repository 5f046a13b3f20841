"""The parts of a proof of a network's block, fetched from CometBFT. Source: docs/reference/proofs.md."""

from collections.abc import Sequence

from bigchaindb.engine.cometbft.rpc import CometBftRpc
from bigchaindb.ledger.proofs.signed_header import SignedHeader
from bigchaindb.ledger.validators import ValidatorSet


class CometBftProofs:
    """Implements `bigchaindb.ledger.ports.ProofSource`. Every method raises CometBftUnavailable, as the client does."""

    def __init__(self, rpc: CometBftRpc, chain_id: str) -> None:
        """Serve the proofs of one chain.

        Args:
            rpc: of this node's CometBFT.
            chain_id: of the network.
        """
        self._rpc = rpc
        self._chain_id = chain_id

    @property
    def chain_id(self) -> str:
        """See `ProofSource`."""
        return self._chain_id

    async def header_and_commit(self, height: int) -> SignedHeader:
        """See `ProofSource`. The last height may still gain votes; it has enough of them at any time."""
        return (await self._rpc.commit(height)).signed_header

    async def transactions(self, height: int) -> Sequence[bytes]:
        """See `ProofSource`."""
        return (await self._rpc.block(height)).block.data.transactions

    async def validators(self, height: int) -> ValidatorSet:
        """See `ProofSource`."""
        return ValidatorSet.of((one.public_key.value, one.power) for one in await self._rpc.validators(height))
