"""The application: all that an engine may ask of the ledger, in seven calls, and the ledger that answers them.

Nothing here waits, reads a clock or knows an engine. State comes in through a port, and no call keeps anything but a
memory of proven documents: a call returns the same when it is repeated, or made on another node.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from bigchaindb.errors import ImproperVoteError, SybilError, ValidationError
from bigchaindb.ledger import transition
from bigchaindb.ledger.block import Block
from bigchaindb.ledger.effects import Effects, Tip
from bigchaindb.ledger.examining import BlockLimits, Examiner, Selection
from bigchaindb.ledger.judging import Examination, require_exact, transactions_of
from bigchaindb.ledger.ports import LedgerStore
from bigchaindb.ledger.proposal import Fault, Verdict, as_logged, can_be_carried, find_forgery
from bigchaindb.ledger.proven import Proven
from bigchaindb.transaction.keys import KeyPair

TIMESTAMP_MAX: Final = 9_999_999_999
"""Unix seconds; the vote schema knows ten digits."""


class Application(Protocol):
    """What an engine calls. Calls about one height come in this order; `examine` may come at any time."""

    def examine(self, bodies: Sequence[bytes]) -> list[Examination]:
        """Check documents as far as no state is needed; for each, in order, the transaction or what is wrong.

        Any thread may call it, and should: signatures are the work. The check ends in `Pool.admit`.
        """
        ...

    def forget(self, bodies: Sequence[bytes]) -> None:
        """Drop documents from the memory of `examine`; it examines them again when they come back."""
        ...

    def propose(self, candidates: Sequence[bytes]) -> Selection:
        """Choose from `candidates` what fits into the next block and what the voter will accept there, in order."""
        ...

    def accepts(self, proposal: Block) -> Verdict:
        """Judge a proposal for the next height from its bytes, whoever made it: this node's vote."""
        ...

    def attest(self) -> bytes:
        """Return what this node's vote states besides yes."""
        ...

    def verify(self, attestation: bytes) -> None:
        """Check what another node's vote states besides yes.

        Raises:
            ImproperVoteError: no honest node sends that.
        """
        ...

    def finalize(self, verdict: Verdict) -> Effects:
        """Compute what the decision of the next height changes, from verdict and state alone (L3)."""
        ...

    def commit(self, effects: Effects) -> None:
        """Make a decision durable in one write (E1).

        Raises:
            StoreFull: there was no room; nothing was written.
        """
        ...


class Ledger:
    """The application over a store. `examine` may be called from any thread, the rest by one at a time."""

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
        self._store = store
        self._key = key
        self._voters = tuple(sorted(voters))
        self._block = block
        self._examiner = Examiner(store, block, proven)
        self._proven = proven

    def examine(self, bodies: Sequence[bytes]) -> list[Examination]:
        """See `Application`."""
        return self._examiner.examine(bodies)

    def forget(self, bodies: Sequence[bytes]) -> None:
        """See `Application`."""
        self._proven.forget(bodies)

    def propose(self, candidates: Sequence[bytes]) -> Selection:
        """See `Application`."""
        return self._examiner.select(candidates, bytes_max=self._block.bytes_max)

    def accepts(self, proposal: Block) -> Verdict:
        """See `Application`."""
        tip = self._store.tip()
        fault = self._find_misfit(proposal, tip)
        if fault is not None and fault.where == "transactions":
            return Verdict(as_logged(proposal, tip.height + 1, ()), (), fault)
        bodies = proposal.transactions
        examined = [require_exact(body, one) for body, one in zip(bodies, self.examine(bodies), strict=True)]
        fault = fault or find_forgery(proposal, self._voters) or self._find_invalid(examined)
        if fault is not None:
            return Verdict(as_logged(proposal, tip.height + 1, list(filter(can_be_carried, bodies))), (), fault)
        return Verdict(proposal, tuple(transactions_of(examined)), None)

    def attest(self) -> bytes:
        """See `Application`: the vote of a network of one carries nothing besides yes."""
        return b""

    def verify(self, attestation: bytes) -> None:
        """See `Application`."""
        if attestation != self.attest():
            raise ImproperVoteError(f"attestation: must be empty, found {len(attestation)} bytes")

    def finalize(self, verdict: Verdict) -> Effects:
        """See `Application`."""
        return transition.finalize(verdict, self._store.tip(), self._key)

    def commit(self, effects: Effects) -> None:
        """See `Application`."""
        self._store.commit(effects)
        self._proven.forget(effects.last.block.transactions)

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

    def _find_invalid(self, examined: Sequence[Examination]) -> Fault | None:
        for index, error in enumerate(self._examiner.judge(examined)):
            if error is not None:
                return Fault("transactions", error, index)
        return None
