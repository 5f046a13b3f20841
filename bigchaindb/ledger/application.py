"""The ledger of a network of one, which judges signed blocks as if a stranger had proposed them.

Nothing here waits, reads a clock or knows an engine. State comes in through a port, and no call keeps anything but a
memory of proven documents: a call returns the same when it is repeated, or made on another node.
"""

from collections.abc import Sequence
from typing import Final

from bigchaindb.errors import SybilError, ValidationError
from bigchaindb.ledger import transition
from bigchaindb.ledger.block import Block
from bigchaindb.ledger.checking import BlockLimits, Checker, Chosen
from bigchaindb.ledger.effects import Effects, Tip
from bigchaindb.ledger.ports import LedgerStore
from bigchaindb.ledger.proposal import Fault, Verdict, as_logged, can_be_carried, find_forgery
from bigchaindb.ledger.proven import Proven
from bigchaindb.ledger.verifying import DocumentRules
from bigchaindb.transaction.keys import KeyPair
from bigchaindb.transaction.model import Transaction

TIMESTAMP_MAX: Final = 9_999_999_999
"""Unix seconds; the vote schema knows ten digits."""


class Ledger(Checker):
    """A ledger over a store. `verify` may be called from any thread, the rest by one at a time.

    Calls about one height come in the order `propose`, `accepts`, `finalize`, `commit`.
    """

    def __init__(
        self, store: LedgerStore, *, key: KeyPair, voters: Sequence[str], block: BlockLimits, proven: Proven
    ) -> None:
        """Make the ledger of one node.

        Args:
            store: fulfils the port.
            key: signs this node's votes.
            voters: base58, the nodes that make blocks and vote, this one included.
            block: how large a block may be.
            proven: spares the voter what admission has proven; best as large as what waits for a block.
        """
        rules = DocumentRules(elections=False, bytes_max=block.bytes_max, bound="limits.block_bytes_max")
        super().__init__(store, block.count_max, rules, proven)
        self._block = block
        self._key = key
        self._voters = tuple(sorted(voters))

    def propose(self, candidates: Sequence[bytes]) -> Chosen:
        """Choose from `candidates` what fits into the next block and what the voter will accept there, in order."""
        return self.select(candidates, bytes_max=self._block.bytes_max)

    def accepts(self, proposal: Block) -> Verdict:
        """Judge a proposal for the next height from its bytes, whoever made it: this node's vote."""
        tip = self._store.tip()
        fault = self._find_misfit(proposal, tip)
        if fault is not None and fault.where == "transactions":
            return Verdict(as_logged(proposal, tip.height + 1, ()), (), fault)
        transactions: tuple[Transaction, ...] = ()
        fault = fault or find_forgery(proposal, self._voters)
        if fault is None:
            transactions, fault = self.check_block(proposal.transactions)
        if fault is None:
            return Verdict(proposal, transactions, None)
        carried = list(filter(can_be_carried, proposal.transactions))
        return Verdict(as_logged(proposal, tip.height + 1, carried), (), fault)

    def finalize(self, verdict: Verdict) -> Effects:
        """Compute what the decision of the next height changes, from verdict and state alone (L3)."""
        return transition.finalize(verdict, self._store.tip(), self._key)

    def commit(self, effects: Effects) -> None:
        """Make a decision durable in one write (E1).

        Raises:
            StoreFull: there was no room; nothing was written.
        """
        self._store.commit(effects)
        self.forget(effects.last.block.transactions)

    def _find_misfit(self, proposal: Block, tip: Tip) -> Fault | None:
        """Check that a proposal continues this chain and is no larger than a block may be."""
        header, bodies = proposal.header, proposal.transactions
        if not 0 < len(bodies) <= self._block.count_max or sum(map(len, bodies)) > self._block.bytes_max:
            return Fault("transactions", ValidationError(f"must be 1 to {self._block}, found {len(bodies)}"))
        if header.height != tip.height + 1:
            return Fault("height", ValidationError(f"must be {tip.height + 1}, found {header.height}"))
        if not tip.timestamp <= header.timestamp <= TIMESTAMP_MAX:
            return Fault("timestamp", ValidationError(f"must be {tip.timestamp} or later, found {header.timestamp}"))
        if header.voters != self._voters:
            return Fault("voters", SybilError("must be the nodes that vote"))
        return None
