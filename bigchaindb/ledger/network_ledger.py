"""The ledger of a network: the application's seven calls where a consensus engine orders and many validators vote.

A proposal is what the engine hands over: consensus bytes of a height, by a validator. What it holds for clients becomes
a block in the form that they know; the validators' votes on rejected proposals come first, and are counted before it.

Source: docs/explanation/network.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from msgspec import structs

from bigchaindb.errors import ImproperVoteError, ValidationError
from bigchaindb.ledger import network, tally, transition
from bigchaindb.ledger.block import Block, unsigned_block
from bigchaindb.ledger.bundle import bundled
from bigchaindb.ledger.checking import NONE_KNOWN, Checker, Chosen
from bigchaindb.ledger.effects import Effects, Logged
from bigchaindb.ledger.network import NetworkState, OpenRejection
from bigchaindb.ledger.ports import NetworkStore, OwnRejections
from bigchaindb.ledger.proposal import Fault, can_be_carried
from bigchaindb.ledger.proven import Proven
from bigchaindb.ledger.rejections import (
    BLOCK_COUNT_MAX,
    BODY_BYTES_MAX,
    EXTENSION_COUNT_MAX,
    VOTES_MARK,
    Rejection,
    SignedExtension,
    body_digest,
    body_size,
    decode_extension,
    decode_votes,
    encode_extension,
)
from bigchaindb.ledger.tally import Outcome
from bigchaindb.ledger.validating import ParseResult
from bigchaindb.ledger.validators import ValidatorSet, address_of
from bigchaindb.ledger.verifying import DocumentRules
from bigchaindb.transaction.keys import KeyPair, decode_key
from bigchaindb.transaction.model import Transaction

BOUND: Final = "the most that a network carries"
OVERHEAD_BYTES: Final = 8
"""What the engine counts besides the bytes of a transaction in a block, at most."""
FRESH_HEIGHTS: Final = 4
"""Heights for which a new rejection wakes an idle chain."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the engine proposes or has decided.

    Attributes:
        height: of the chain.
        hash: of the block as the engine names it, 32 bytes.
        timestamp: whole Unix seconds.
        proposer: address of the validator that made it, 20 bytes.
        transactions: consensus bytes, in order, those of bundles in their places.
    """

    height: int
    hash: bytes
    timestamp: int
    proposer: bytes
    transactions: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class NetworkVerdict:
    """What this node concludes about a proposal, with all that `finalize` needs.

    Attributes:
        transactions: of clients, parsed, in order.
        outcome: of its votes transaction; None if it has none.
        fault: the first rule that it breaks; None for a valid one.
    """

    proposal: Proposal
    transactions: tuple[Transaction, ...] = field(repr=False)
    outcome: Outcome | None
    fault: Fault | None

    @property
    def rejection(self) -> Rejection:
        """The report of a vote about a faulty proposal."""
        assert self.fault is not None
        one = self.proposal
        size = body_size(one.transactions)
        # A block has room for two million empty transactions, whose digest would take two seconds at each validator.
        carried = one.transactions if size <= BODY_BYTES_MAX else ()
        return Rejection(
            height=one.height,
            block=one.hash.hex(),
            proposer=one.proposer.hex(),
            time=one.timestamp,
            body=body_digest(carried),
            size=size,
            reason=self.fault.reason,
        )


class NetworkLedger(Checker):
    """The application over a store. `verify` may be called from any thread, the rest by one at a time."""

    def __init__(
        self,
        store: NetworkStore,
        *,
        chain_id: str,
        key: KeyPair,
        body_bytes_max: int,
        proven: Proven,
        own: OwnRejections,
    ) -> None:
        """Make the ledger of one node.

        Args:
            store: fulfils the port.
            chain_id: of the network; what its validators sign begins with it.
            key: signs this node's v1 votes; a validator's votes are signed by the engine with the same key.
            body_bytes_max: of one transaction.
            proven: spares the voter what admission has proven.
            own: what this node has rejected.
        """
        rules = DocumentRules(elections=True, bytes_max=body_bytes_max, bound=BOUND)
        super().__init__(store, BLOCK_COUNT_MAX, rules, proven)
        self._chain_id = chain_id
        self._key = key
        self._own = own
        kept = store.network()
        self._is_kept = kept is not None
        self._state = None if kept is None else network.decode(kept)

    @property
    def state(self) -> NetworkState:
        """The network's, after the last commit."""
        assert self._state is not None, "the network has not begun"
        return self._state

    @property
    def knows_validators(self) -> bool:
        """Whether there is a `state`: `begin` was called, or a block of this network was committed."""
        return self._state is not None

    @property
    def has_begun(self) -> bool:
        """Whether a block of this network was committed."""
        return self._is_kept

    def begin(self, validators: ValidatorSet, height: int) -> None:
        """Take the validators of the first height; they become durable with its block."""
        self._state = NetworkState.begin(validators, height)

    def propose(self, candidates: Sequence[bytes], evidence: Sequence[SignedExtension], *, bytes_max: int) -> Chosen:
        """Choose the transactions of the next block: what is new in the votes on the last one, then a bundle.

        It holds candidates; one that is alone is no bundle.
        """
        height = self._store.tip().height + 1
        votes = tally.choose(
            evidence,
            self._own.body_of,
            self.state,
            height=height,
            chain_id=self._chain_id,
            bytes_max=bytes_max // 2,
        )
        room = bytes_max - (0 if votes is None else len(votes) + OVERHEAD_BYTES)
        chosen = self.select(candidates, bytes_max=room, overhead_bytes=OVERHEAD_BYTES, validators=self.state.elected)
        carried = bundled(chosen.transactions, room)
        return chosen._replace(transactions=tuple(carried if votes is None else (votes, *carried)))

    def accepts(self, proposal: Proposal, known: Mapping[bytes, ParseResult] = NONE_KNOWN) -> NetworkVerdict:
        """Judge a proposal for the next height from its bytes, whoever made it.

        Args:
            proposal: the engine's.
            known: see `verify`.
        """
        assert proposal.height == self._store.tip().height + 1, proposal
        bodies = proposal.transactions
        outcome = None
        first = 1 if bodies and bodies[0].startswith(VOTES_MARK) else 0
        if len(bodies) - first > BLOCK_COUNT_MAX:  # before anything is read: what then follows costs nothing either
            too_many = ValidationError(f"at most {BLOCK_COUNT_MAX} transactions, found {len(bodies) - first}")
            return NetworkVerdict(proposal, (), None, Fault("transactions", too_many))
        if first:
            try:
                votes = decode_votes(bodies[0])
                outcome = tally.count(votes, self.state, height=proposal.height, chain_id=self._chain_id)
            except ImproperVoteError as error:
                return NetworkVerdict(proposal, (), None, Fault("transactions", error, 0))
        transactions, fault = self.check_block(bodies[first:], self.state.elected, first=first, known=known)
        return NetworkVerdict(proposal, transactions, outcome if fault is None else None, fault)

    def attest(self) -> bytes:
        """Return what this node's vote states besides yes: its rejections that the chain does not show yet.

        The newest: a faulty proposer may have sent many proposals to this node alone. Nobody else will ever confirm
        those, and the rejections that all nodes share would wait behind them.
        """
        return encode_extension(self._unshown()[-EXTENSION_COUNT_MAX:])

    def check_attestation(self, attestation: bytes) -> None:
        """Check what another node's vote states besides yes.

        Raises:
            ImproperVoteError: no honest node sends that.
        """
        decode_extension(attestation)

    def has_fresh(self) -> bool:
        """Whether this node has a rejection that is worth waking an idle chain for."""
        height = self._store.tip().height
        return any(one.height > height - FRESH_HEIGHTS for one in self._unshown())

    def finalize(self, verdict: NetworkVerdict) -> Effects:
        """Compute what the decision of the next height changes, from verdict and state alone (L3)."""
        assert verdict.fault is None, verdict.fault
        proposal, tip = verdict.proposal, self._store.tip()
        state, decided = verdict.outcome or Outcome(self.state, ())
        logged: list[Logged] = []
        for one in decided:
            block, omitted = self._invalid_block(one)
            reason, proof = one.rejection.reason, network.encode_proof(one)
            tip = transition.log(block, tip, logged, self._key, reason=reason, proof=proof, body_omitted=omitted)
        after = replace(tip, height=proposal.height)
        if verdict.transactions:
            validators, bodies = self.state.validators_at(proposal.height), [one.body for one in verdict.transactions]
            block = unsigned_block(proposal.height, proposal.timestamp, proposal.proposer, validators, bodies)
            after = transition.log(block, after, logged, self._key)
        elections, powers = state.elections.after(verdict.transactions, state.elected, proposal.height)
        state = structs.replace(state, elections=elections).elect(powers, proposal.height).forget(proposal.height)
        encoded = network.encode(state)
        if (
            proposal.transactions
        ):  # else an idle chain would go on: each change makes the engine produce one further block
            after = replace(after, app_hash=transition.app_hash(after, verdict.transactions, encoded))
        kept = encoded if self._is_new(state) else None
        return Effects(after, tuple(logged), verdict.transactions, kept, powers)

    def commit(self, effects: Effects) -> None:
        """Make a decision durable in one write (E1).

        Raises:
            StoreFull: there was no room; nothing was written.
        """
        self._store.commit(effects)
        if effects.network is not None:
            self._state = network.decode(effects.network)
            self._is_kept = True
        self.forget([one.body for one in effects.transactions])

    def _is_new(self, state: NetworkState) -> bool:
        return state != self.state or not self._is_kept

    def _unshown(self) -> list[Rejection]:
        return self.state.unshown(self._own.all(), address_of(decode_key(self._key.public_key)).hex())

    def _invalid_block(self, one: OpenRejection) -> tuple[Block, bool]:
        """Return a rejected proposal as it is logged, and whether the event omits some of its transactions.

        Where it does, the engine's hash names the block: the rest may be just what a valid block holds.
        """
        said, bodies = one.rejection, tuple(filter(can_be_carried, one.body or ()))
        is_omitted = one.body is None or len(bodies) < len(one.body)
        validators, proposer = self.state.validators_at(said.height), bytes.fromhex(said.proposer)
        hash_ = said.block if is_omitted else None
        return unsigned_block(said.height, said.time, proposer, validators, bodies, consensus_hash=hash_), is_omitted
