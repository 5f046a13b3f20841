"""The engine of a node that reads the ledger of a network whose rules this program does not have.

It neither votes nor takes transactions, and CometBFT is not started: a vote by other rules would be a fault.

Source: docs/decisions/0084-older-rules-are-read.md.
"""

import asyncio
import logging
from typing import Final

from bigchaindb.engine.cometbft.genesis import NetworkGenesis
from bigchaindb.engine.cometbft.rpc import CometBftRpc
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION, other_rules
from bigchaindb.engine.engine import EngineFigures, Mode, NetworkFigures, Standing, ValidatorFigures
from bigchaindb.errors import Overloaded
from bigchaindb.ledger.elections import Elections
from bigchaindb.ledger.network import NetworkState
from bigchaindb.ledger.validators import ValidatorSet, address_of, address_text
from bigchaindb.transaction.keys import key_text
from bigchaindb.transaction.model import Transaction

_log: Final = logging.getLogger(__name__)


class ReadingEngine:
    """Implements `bigchaindb.engine.engine.Engine`. Belongs to the event loop; one `run` each."""

    def __init__(
        self,
        genesis: NetworkGenesis,
        state: NetworkState,
        height: int,
        rpc: CometBftRpc,
        own_key: str,
        *,
        outbox_count: int,
    ) -> None:
        """Read one ledger.

        Args:
            genesis: of the network, with its rules.
            state: the network's, after its last block here.
            height: of that block.
            rpc: of the CometBFT that is not started, which proofs ask.
            own_key: of the node, base58.
            outbox_count: transactions that it accepted and that are not decided: they wait for a program that votes.
        """
        self._state = state
        self._height = height
        self._rpc = rpc
        self._own_key = own_key
        self._outbox_count = outbox_count
        self._stopping = asyncio.Event()
        rules = other_rules(genesis.rules_version, RULES_VERSION)
        self._why = f"this node reads its ledger and does not vote: its network has {rules}"

    async def run(self) -> None:
        """See `Engine`."""
        _log.warning(self._why, extra={"height": self._height})
        await self._stopping.wait()
        await self._rpc.close()

    def stop(self) -> None:
        """See `Engine`."""
        self._stopping.set()

    async def submit(self, _body: bytes, _mode: Mode) -> Transaction:
        """See `Engine`. Nothing is taken."""
        raise Overloaded(self._why)

    def standing(self, _transaction_id: str) -> Standing | None:
        """See `Engine`."""
        return None

    @property
    def figures(self) -> EngineFigures:
        """Nothing is in hand."""
        return EngineFigures(0, 0, 0, 0, 0, 0)

    def network(self) -> NetworkFigures:
        """Return the figures of a node that follows nobody."""
        validators = self.validators().powers.items()
        return NetworkFigures(
            is_following=False,
            is_degraded=False,
            is_stalled=False,
            height=self._height,
            peer_count=0,
            invalid_count=0,
            rejection_count=0,
            outbox_count=self._outbox_count,
            start_count=0,
            round=0,
            own_key=self._own_key,
            validators=tuple(
                ValidatorFigures(public_key=key_text(key), address=address_text(address_of(key)), power=power)
                for key, power in validators
            ),
            misbehaviors=(),
        )

    def validators(self) -> ValidatorSet:
        """Return the validators of the next block, which the other nodes make."""
        return self._state.validators_at(self._height + 1)

    def elections(self) -> Elections:
        """Return the elections as of the last block here."""
        return self._state.elections
