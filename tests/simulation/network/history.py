"""One seed, one history: validators of whom less than a third are faulty, heights, rounds, losses, restarts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import Final

from bigchaindb.errors import ImproperVoteError
from bigchaindb.ledger.bundle import unbundled
from bigchaindb.ledger.effects import Effects
from bigchaindb.ledger.network_ledger import Proposal
from bigchaindb.ledger.rejections import SignedExtension
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.transaction import KeyPair, Transaction
from tests.simulation.network.faults import Knowledge, draw_extension, draw_fault
from tests.simulation.network.nodes import HonestNode
from tests.simulation.network.oracle import Oracle
from tests.support.chains import ALICE, BOB, Coin, create, transfer
from tests.support.elections import election
from tests.support.elections import votes as votes_for
from tests.support.networks import KEYS, TIME, address, raw, signed_bytes

HEIGHTS: Final = 16
QUIET_HEIGHTS: Final = 4
"""At the end everything arrives and everybody is honest: what was rejected by enough must be logged by then."""
ROUNDS_MAX: Final = 60
PATIENCE_ROUNDS: Final = 12
"""After so many failed rounds of a height everybody is up and everything arrives: what CometBFT's timeouts bring."""


@dataclass(frozen=True)
class Offer:
    """A proposal that an honest node made, and what it made its votes of."""

    proposal: Proposal
    proposer: str
    evidence: Sequence[SignedExtension]


@dataclass
class History:
    """The world: every choice comes from the seed."""

    seed: int
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.draw = Random(self.seed)
        count = self.draw.randint(4, 7)
        powers = self._draw_powers(count)
        self.keys = KEYS[: count + 1]  # the last follows without a vote, until it is elected
        self.faulty = self._draw_faulty(powers)
        genesis = ValidatorSet.of(powers.items())
        self.sets: list[Mapping[bytes, int]] = [powers] * 3  # who votes at heights 0, 1 and 2
        self.nodes = [HonestNode(key, genesis) for key in self.keys if key not in self.faulty]
        self.oracle = Oracle(frozenset(map(address, self.faulty)))
        self.made: list[Transaction] = [create(0)]
        self.decided: list[Proposal] = []
        self.offer: Offer | None = None
        self.evidence: list[SignedExtension] = []
        self.turn = self.draw.randrange(100)

    def _draw_powers(self, count: int) -> dict[bytes, int]:
        return {raw(key): self.draw.choice([1, 1, 1, 2, 3, 10]) for key in KEYS[:count]}

    def _draw_faulty(self, powers: Mapping[bytes, int]) -> list[KeyPair]:
        faulty: list[KeyPair] = []
        for key in self.draw.sample(self.keys[:-1], len(self.keys) - 1):
            power = sum(powers[raw(one)] for one in [*faulty, key])
            if power * 3 < sum(powers.values()):
                faulty.append(key)
        return faulty

    @property
    def height(self) -> int:
        """The one that is being decided."""
        return len(self.decided) + 1

    def powers(self, height: int) -> Mapping[bytes, int]:
        return self.sets[height]

    def play(self) -> None:
        for _ in range(HEIGHTS):
            self._make_traffic()
            self._have_accidents()
            self._decide_a_height(is_quiet=False)
        self._wake_all()
        for _ in range(QUIET_HEIGHTS):
            self._decide_a_height(is_quiet=True)
        self._replay()
        self.oracle.check_once()
        self.counts["owed in the end"] += self.oracle.check_the_end(self.height - 1)
        self.counts["never logged"] += len({one.block for one in self.oracle.rejected} - self.oracle.logged)

    # Traffic and accidents

    def _make_traffic(self) -> None:
        for _ in range(self.draw.randrange(4)):
            parent = self.draw.choice(self.made[-6:])
            if self.draw.random() < 0.4 or len(parent.outputs) == 0 or parent.operation not in {"CREATE", "TRANSFER"}:
                self.made.append(create(len(self.made)))
            else:
                owner = ALICE if parent.operation == "CREATE" else BOB
                self.made.append(transfer(Coin(parent, owner=owner), note=len(self.made)))
        if self.draw.random() < 0.2:
            self._make_election()

    def _make_election(self) -> None:
        """Propose another power for an honest validator; the faulty ones must stay below a third."""
        powers = dict(self.nodes[0].ledger.state.elected.powers)
        honest = [key for key in self.keys if key not in self.faulty]
        target, power = self.draw.choice(honest), self.draw.choice([0, 1, 2, 3])
        after = {**powers, raw(target): power}
        faulty = sum(powers.get(raw(key), 0) for key in self.faulty)
        voters = {key: powers[raw(key)] for key in self.keys if raw(key) in powers}
        change = abs(power - powers.get(raw(target), 0))
        if faulty * 3 < sum(after.values()) and change * 3 < sum(powers.values()) and change:
            proposer = self.draw.choice([key for key in voters if key not in self.faulty])
            made = election(len(self.made), proposer=proposer, powers=voters, of=target, power=power)
            self.made += [made, *votes_for(made, list(voters))]
            self.counts["election"] += 1

    def _have_accidents(self) -> None:
        for node in self.nodes:
            if self.draw.random() < 0.08:
                node.restart()
                self.counts["restart"] += 1
            if self.draw.random() < 0.08:
                node.is_up = False
                self.counts["node goes down"] += 1
            elif not node.is_up and self.draw.random() < 0.4:
                self._bring_up(node)

    def _bring_up(self, node: HonestNode) -> None:
        """Start a node and have it read the blocks that it missed; it is not asked for a verdict on rejected ones."""
        node.restart()
        node.is_up = True
        for proposal in self.decided[node.height :]:
            self.oracle.note_effects(node.address, node.decide(proposal))

    def _wake_all(self) -> None:
        for node in self.nodes:
            if not node.is_up:
                self._bring_up(node)

    # Consensus

    def _decide_a_height(self, *, is_quiet: bool) -> None:
        self.oracle.powers[self.height] = {address(key): self.powers(self.height).get(raw(key), 0) for key in self.keys}
        for round_ in range(ROUNDS_MAX):
            if round_ == PATIENCE_ROUNDS:
                self._wake_all()
            is_patient = is_quiet or round_ >= PATIENCE_ROUNDS
            decided = self._play_round(is_quiet=is_quiet, is_patient=is_patient)
            if decided is not None:
                self._commit(decided, round_, is_quiet=is_quiet)
                return
        raise AssertionError(f"no decision at height {self.height}")

    def _play_round(self, *, is_quiet: bool, is_patient: bool) -> Proposal | None:
        proposer = self._next_proposer()
        seen = self._propose(proposer, is_quiet=is_quiet, is_patient=is_patient)
        support: Counter[bytes] = Counter()
        powers = self.powers(self.height)
        for node in self._up():
            proposal = seen.get(node.address)
            if proposal is None:
                continue
            if (rejection := node.judge(proposal)) is None:
                self.oracle.note_accepted(proposal.hash)
                support[proposal.hash] += powers.get(raw(node.key), 0)
            else:
                assert proposer in self.faulty, rejection
                self.oracle.note_rejected(node.address, rejection)
                self.counts["rejected"] += 1
        for hash_ in list(support):
            faulty = sum(powers.get(raw(key), 0) for key in self.faulty if is_quiet or self.draw.random() < 0.6)
            if (support[hash_] + faulty) * 3 > sum(powers.values()) * 2:
                return next(one for one in seen.values() if one.hash == hash_)
        self.counts["failed round"] += 1
        return None

    def _next_proposer(self) -> KeyPair:
        voting = [key for key in self.keys if self.powers(self.height).get(raw(key))]
        self.turn += 1
        return voting[self.turn % len(voting)]

    def _propose(self, proposer: KeyPair, *, is_quiet: bool, is_patient: bool) -> Mapping[str, Proposal]:
        """Return which node gets to see which proposal."""
        candidates = [one.body for one in self.made]
        if proposer not in self.faulty:
            node = next(one for one in self.nodes if one.key is proposer)
            if not node.is_up:
                return {}
            evidence = self._seen_evidence(is_quiet=is_quiet)
            one = self._proposal(proposer, node.propose(candidates, evidence))
            self.offer = Offer(one, node.address, evidence)
            return {
                other.address: one for other in self.nodes if is_patient or other is node or self.draw.random() < 0.93
            }
        helper = next(iter(self._up()))
        honest = unbundled(helper.propose(candidates, self._seen_evidence(is_quiet=is_quiet)))
        if is_quiet or self.draw.random() < 0.2:
            return dict.fromkeys((node.address for node in self.nodes), self._proposal(proposer, honest))
        return self._propose_badly(proposer, honest)

    def _propose_badly(self, proposer: KeyPair, honest: tuple[bytes, ...]) -> Mapping[str, Proposal]:
        knows = Knowledge(
            self.draw, proposer, self.height, honest, [one.body for one in self.made], list(self.evidence)
        )
        count = self.draw.choice([1, 1, 1, 2, 3])
        names = [proposer if self.draw.random() < 0.8 else self.draw.choice(self.keys[:-1])]
        bad = [self._proposal(self.draw.choice(names), draw_fault(self.draw)(knows)) for _ in range(count)]
        self.counts["several proposals at once" if count > 1 else "one bad proposal"] += 1
        reach = self.draw.choice([1.0, 1.0, 1.0, 0.7, 0.3])
        return {node.address: self.draw.choice(bad) for node in self.nodes if self.draw.random() < reach}

    def _proposal(self, proposer: KeyPair, body: Sequence[bytes]) -> Proposal:
        """Return the block that the engine would make of it: equal blocks have equal hashes, whatever the round."""
        if not self.powers(self.height).get(raw(proposer)):
            proposer = next(key for key in self.keys if self.powers(self.height).get(raw(key)))
        timestamp = TIME + self.height // 3
        digest = sha256(repr((self.height, timestamp, proposer.public_key)).encode())
        for one in body:
            digest.update(len(one).to_bytes(4, "big") + one)
        return Proposal(self.height, digest.digest(), timestamp, bytes.fromhex(address(proposer)), unbundled(body))

    def _up(self) -> list[HonestNode]:
        up = [node for node in self.nodes if node.is_up]
        if not up:
            self._bring_up(self.nodes[0])
        return up or self.nodes[:1]

    # After the decision

    def _commit(self, proposal: Proposal, round_: int, *, is_quiet: bool) -> None:
        evidence = self._attest(round_, is_quiet=is_quiet)
        effects, *_ = [self._decide(node, proposal) for node in self._up()]
        if self.offer is not None and self.offer.proposal == proposal:
            self.counts["owed at once"] += self.oracle.check_at_once(self.offer.proposer, self.offer.evidence)
        following = {**self.sets[-1], **effects.powers}
        self.sets.append({key: power for key, power in following.items() if power})
        self.counts["validators change"] += bool(effects.powers)
        self.counts["logged as invalid"] += sum(one.event.reason is not None for one in effects.logged)
        self.counts["without its transactions"] += sum(one.body_omitted for one in effects.logged)
        self.counts["committed"] += len(effects.transactions)
        self.decided.append(proposal)
        self.evidence = evidence
        self.offer = None

    def _decide(self, node: HonestNode, proposal: Proposal) -> Effects:
        effects = node.decide(proposal)
        self.oracle.note_effects(node.address, effects)
        self.oracle.check_state(node.ledger.state)
        return effects

    def _attest(self, round_: int, *, is_quiet: bool) -> list[SignedExtension]:
        """Collect the extensions of the votes on the block: all that there will ever be."""
        powers = self.powers(self.height)
        extensions = []
        for node in self._up():
            said = node.ledger.attest()
            for other in self.nodes:
                other.ledger.check_attestation(said)  # an honest vote is never lost
            if powers.get(raw(node.key)):
                extensions.append(signed_bytes(node.key, said, height=self.height, round_=round_))
        true = sorted(self.oracle.rejected)[-8:]
        for key in self.faulty:
            one = draw_extension(self.draw, key, height=self.height, round_=round_, true=true)
            if not is_quiet and self._comes_through(one):
                extensions.append(one)
        return extensions

    def _comes_through(self, one: SignedExtension) -> bool:
        """Drop a vote that the application refuses, unless it comes late: then nobody asks it."""
        try:
            self.nodes[0].ledger.check_attestation(one.extension)
        except ImproperVoteError:
            self.counts["improper extension"] += 1
            return self.draw.random() < 0.5
        return self.draw.random() < 0.9

    def _seen_evidence(self, *, is_quiet: bool) -> list[SignedExtension]:
        """Return what one proposer has of it: votes of more than two thirds, if there were so many."""
        if self.height == 1:
            return []
        seen = self.draw.sample(self.evidence, len(self.evidence))
        powers = {address(key): self.powers(self.height - 1).get(raw(key), 0) for key in self.keys}
        total = sum(powers.values())
        while seen and not is_quiet and self.draw.random() < 0.5:
            if sum(powers[one.validator] for one in seen[1:]) * 3 <= total * 2:
                break
            self.counts["late extension"] += 1
            del seen[0]
        return [one for one in seen if one.extension]

    def _replay(self) -> None:
        """A node that comes at the end and reads all blocks ends as the others did."""
        late = HonestNode(self.keys[0], self.nodes[0].genesis)
        for proposal in self.decided:
            self.oracle.note_effects("late", late.decide(proposal))
        for node in self.nodes:
            assert node.store.tip() == late.store.tip()
            assert node.ledger.state == late.ledger.state
