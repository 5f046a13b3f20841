"""One decision of the network of one, from candidates to durable: what the writer thread does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bigchaindb.errors import ValidationError
from bigchaindb.ledger.application import TIMESTAMP_MAX, Ledger
from bigchaindb.ledger.block import Block
from bigchaindb.ledger.checking import Chosen
from bigchaindb.ledger.effects import Effects
from bigchaindb.ledger.pool import RejectedTransaction
from bigchaindb.ledger.ports import LedgerStore
from bigchaindb.ledger.proposal import Fault, sign_proposal
from bigchaindb.ledger.view import Needs
from bigchaindb.transaction.keys import KeyPair
from bigchaindb.transaction.model import Transaction

Proposer = Callable[[Sequence[bytes]], Chosen]
"""Chooses from candidates what goes into the block: `Ledger.propose`, or a faulty one that tests inject."""


class Decided(NamedTuple):
    """What came of one proposal.

    Attributes:
        effects: what was committed; None if the proposer found no valid candidate.
        rejected: candidates that break a rule.
        culprit: what made the proposal invalid, if that was none of the candidates.
    """

    effects: Effects | None
    rejected: Sequence[RejectedTransaction]
    culprit: RejectedTransaction | None = None


@dataclass(frozen=True, slots=True)
class Decider:
    """Proposes, votes, finalizes and commits. Belongs to the writer thread.

    Attributes:
        faulty: proposes in the first round of each height instead of the ledger. Only tests have one.
    """

    ledger: Ledger
    store: LedgerStore
    key: KeyPair
    now: Callable[[], float]
    faulty: Proposer | None = None

    def decide(self, candidates: Sequence[Transaction], round_: int) -> Decided:
        """Bring a block of `candidates` to a decision; once this returns, the decision is durable (L5).

        Raises:
            StoreFull: there was no room; nothing was decided.
        """
        proposer = self.faulty if self.faulty is not None and round_ == 0 else self.ledger.propose
        selection = proposer([candidate.body for candidate in candidates])
        rejected = [RejectedTransaction(candidates[index], error) for index, error in selection.rejected]
        if rejected and not selection.transactions:
            return Decided(None, rejected)
        proposal = self._sign(selection.transactions)
        verdict = self.ledger.accepts(proposal)  # the vote: by the rules for everybody's proposals (decision 0082)
        assert verdict.fault is None or proposer is self.faulty, verdict.fault  # the ledger keeps its own rules
        culprit = None if verdict.fault is None else self._culprit(proposal, verdict.fault, candidates)
        effects = self.ledger.finalize(verdict)
        self.ledger.commit(effects)
        return Decided(effects, rejected, culprit)

    def _sign(self, transactions: Sequence[bytes]) -> Block:
        tip = self.store.tip()
        timestamp = min(max(int(self.now()), tip.timestamp), TIMESTAMP_MAX)
        voters = (self.key.public_key,)
        return sign_proposal(transactions, height=tip.height + 1, timestamp=timestamp, voters=voters, key=self.key)

    def _culprit(self, proposal: Block, fault: Fault, candidates: Sequence[Transaction]) -> RejectedTransaction | None:
        """Name the transaction that made a proposal invalid, unless it is a good one in a bad place.

        A candidate is judged again with the next proposal; a repeat of what is committed is as valid as it ever was.
        """
        if fault.index is None:
            return None
        [parsed] = self.ledger.verify([proposal.transactions[fault.index]])
        if isinstance(parsed, ValidationError) or self._is_known(parsed.transaction.id, candidates):
            return None
        return RejectedTransaction(parsed.transaction, fault.error)

    def _is_known(self, transaction_id: str, candidates: Sequence[Transaction]) -> bool:
        committed = self.store.view(Needs({transaction_id}, frozenset()))
        return committed.has_transaction(transaction_id) or any(one.id == transaction_id for one in candidates)
