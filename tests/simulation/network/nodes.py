"""The nodes of a simulated network: real ledgers over a model of a store. What is durable survives a restart."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from bigchaindb.ledger.effects import Effects
from bigchaindb.ledger.network_ledger import NetworkLedger, Proposal
from bigchaindb.ledger.rejections import CARRY_HEIGHTS, Rejection, SignedExtension
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.transaction import KeyPair
from tests.support.networks import ModelNetworkStore, ModelRejections, address, network_ledger_over

BYTES_MAX: Final = 4 * 1024 * 1024


@dataclass
class HonestNode:
    """A node that keeps the rules: as the engine drives one.

    Attributes:
        key: its validator's.
        genesis: who votes at the first height.
        is_up: whether it runs; one that is down is told what it missed when it comes back.
    """

    key: KeyPair
    genesis: ValidatorSet
    store: ModelNetworkStore = field(default_factory=ModelNetworkStore)
    own: ModelRejections = field(default_factory=ModelRejections)
    is_up: bool = True

    def __post_init__(self) -> None:
        self.address = address(self.key)
        self.ledger = self._open()

    def _open(self) -> NetworkLedger:
        ledger = network_ledger_over(self.store, self.own, key=self.key)
        if not ledger.has_begun:
            ledger.begin(self.genesis, 1)
        return ledger

    @property
    def height(self) -> int:
        return self.store.tip().height

    def restart(self) -> None:
        """Lose what is memory."""
        self.ledger = self._open()

    def propose(self, candidates: Sequence[bytes], evidence: Sequence[SignedExtension]) -> tuple[bytes, ...]:
        return self.ledger.propose(candidates, evidence, bytes_max=BYTES_MAX).transactions

    def judge(self, proposal: Proposal) -> Rejection | None:
        """Vote on a proposal; a rejection is durable before it is given."""
        verdict = self.ledger.accepts(proposal)
        if verdict.fault is None:
            return None
        self.own.add(verdict.rejection, proposal.transactions)
        return verdict.rejection

    def decide(self, proposal: Proposal) -> Effects:
        verdict = self.ledger.accepts(proposal)
        assert verdict.fault is None, (verdict.fault, proposal)
        effects = self.ledger.finalize(verdict)
        self.ledger.commit(effects)
        self.own.forget(self.height - CARRY_HEIGHTS)
        return effects
