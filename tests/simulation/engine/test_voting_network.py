"""A network of ledgers with faulty proposers, one seed a history: pools, proposals, votes, effects, replays.

Nothing here is random but the seed: a failure prints it, and the command that repeats its history.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

import pytest

from bigchaindb.errors import Overloaded, ValidationError
from bigchaindb.ledger.application import Ledger
from bigchaindb.ledger.block import Block
from bigchaindb.ledger.checking import BlockLimits
from bigchaindb.ledger.effects import Effects
from bigchaindb.ledger.pool import Pool
from bigchaindb.ledger.proposal import sign_proposal
from bigchaindb.ledger.proven import Proven
from bigchaindb.ledger.validating import Parsed
from bigchaindb.ledger.view import Needs
from bigchaindb.transaction import KeyPair, Transaction
from tests.support import scale
from tests.support.chains import ALICE, BOB, CAROL, Coin, Committed, ModelStore, create, transfer

SEEDS: Final = scale.seeds(scale.VOTING_HISTORIES)
HEIGHTS: Final = 12
KEYS: Final = [KeyPair.from_seed(bytes([n]) * 32) for n in (1, 2, 3)]
VOTERS: Final = sorted(key.public_key for key in KEYS)
OWNERS: Final = (ALICE, BOB, CAROL)
AMOUNTS: Final = (5, 7)


@dataclass
class SimulatedNode:
    """A ledger, its pool, and what it told its clients."""

    key: KeyPair
    store: ModelStore = field(default_factory=ModelStore)
    accepted: set[str] = field(default_factory=set)
    reported: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        proven = Proven(count_max=40, bytes_max=1_000_000)
        self.ledger = Ledger(self.store, key=self.key, voters=VOTERS, block=BlockLimits(8, 1_000_000), proven=proven)
        self.pool = Pool(count_max=30, bytes_max=1_000_000)

    def post(self, body: bytes) -> None:
        [parsed] = self.ledger.verify([body])
        if isinstance(parsed, Parsed):
            transaction, signatures_valid = parsed
            with suppress(ValidationError, Overloaded):
                view = self.store.view(Needs.of([transaction]))
                self.pool.admit(transaction, view, signatures_valid=signatures_valid)
                self.accepted.add(transaction.id)

    def propose(self) -> tuple[bytes, ...]:
        """Choose what to propose; what the ledger finds to be bad leaves the pool and is reported."""
        candidates = self.pool.candidates(count_max=8, bytes_max=1_000_000)
        selection = self.ledger.propose([candidate.body for candidate in candidates])
        for index, error in selection.rejected:
            self.reported.update(one.transaction.id for one in self.pool.reject(candidates[index].id, error))
        return selection.transactions

    def decide(self, proposal: Block) -> Effects:
        effects = self.ledger.finalize(self.ledger.accepts(proposal))
        self.ledger.commit(effects)
        self.pool.remove(transaction.id for transaction in effects.transactions)
        return effects

    def restart(self) -> None:
        """Lose what is memory: the pool, and with it what was only accepted."""
        self.accepted -= {transaction.id for transaction in self.pool}
        self.__post_init__()


@dataclass
class Network:
    """Three nodes and the world around them; every choice comes from the seed."""

    draw: Random
    nodes: list[SimulatedNode] = field(default_factory=lambda: [SimulatedNode(key) for key in KEYS])
    made: list[Transaction] = field(default_factory=list)

    def make_traffic(self) -> None:
        for _ in range(self.draw.randrange(12)):
            transaction = self.make_transaction()
            self.made.append(transaction)
            for node in self.draw.sample(self.nodes, self.draw.randint(1, 3)):
                node.post(transaction.body)
                if self.draw.random() < 0.1:
                    node.post(transaction.body)

    def make_transaction(self) -> Transaction:
        if not self.made or self.draw.random() < 0.3:
            return create(len(self.made), owner=self.draw.choice(OWNERS), amounts=AMOUNTS)
        parent = self.draw.choice(self.made[-15:])
        if not parent.outputs or self.draw.random() < 0.05:
            return parent
        index = self.draw.randrange(len(parent.outputs))
        owner = next(one for one in OWNERS if one.public_key in parent.outputs[index].owners)
        signer = self.draw.choice(OWNERS) if self.draw.random() < 0.1 else owner
        amount = parent.outputs[index].amount
        amounts = (amount,) if self.draw.random() < 0.9 else (amount + 1,)
        return transfer(Coin(parent, index, signer), to=self.draw.choice(OWNERS), amounts=amounts, note=len(self.made))

    def make_proposal(self, proposer: SimulatedNode) -> tuple[Block, bool]:
        """Return a node's block, and whether it was left honest; every third is faulty."""
        honest = proposer.propose()
        block = self.sign(proposer, honest)
        if self.draw.random() < 0.33:
            fault = self.draw.choice(FAULTS)
            return fault(self, proposer, block), False
        return block, True

    def sign(self, node: SimulatedNode, bodies: Sequence[bytes]) -> Block:
        tip = node.store.tip()
        timestamp = max(tip.timestamp, 1_700_000_000) + self.draw.randrange(3)
        return sign_proposal(bodies, height=tip.height + 1, timestamp=timestamp, voters=VOTERS, key=node.key)

    def decide(self, block: Block, *, honest: bool) -> None:
        effects = [node.decide(block) for node in self.nodes]
        first = effects[0]
        for other in effects[1:]:  # L3, N1: votes are signed by different keys, all else is equal
            assert without_votes(other) == without_votes(first)
        if honest:
            assert first.last.event.reason is None, first.last.event.reason


def without_votes(effects: Effects) -> Effects:
    return replace(effects, logged=tuple(replace(one, vote=b"") for one in effects.logged))


Breaking = Callable[[Network, SimulatedNode, Block], Block]


def with_more(network: Network, node: SimulatedNode, block: Block) -> Block:
    """Put in something that nobody checked."""
    extra = network.draw.choice(network.made).body if network.made else b"{}"
    return network.sign(node, [*block.transactions, extra])


def with_garbage(network: Network, node: SimulatedNode, block: Block) -> Block:
    bodies = list(block.transactions)
    bodies.insert(network.draw.randrange(len(bodies) + 1), network.draw.randbytes(20))
    return network.sign(node, bodies)


def shuffled(network: Network, node: SimulatedNode, block: Block) -> Block:
    """Children may come before their parents."""
    return network.sign(node, network.draw.sample(block.transactions, len(block.transactions)))


def with_gaps(network: Network, node: SimulatedNode, block: Block) -> Block:
    return network.sign(node, [body for body in block.transactions if network.draw.random() < 0.6])


def respaced(network: Network, node: SimulatedNode, block: Block) -> Block:
    return network.sign(node, [body.replace(b",", b", ", 1) for body in block.transactions])


def changed_after_signing(network: Network, _: SimulatedNode, block: Block) -> Block:
    header = block.header
    changed = network.draw.choice(
        [
            replace(header, height=header.height + 1),
            replace(header, timestamp=1),
            replace(header, id="0" * 64),
            replace(header, signature=None),
            replace(header, voters=tuple(VOTERS[:1])),
            replace(header, node_pubkey=ALICE.public_key),
        ]
    )
    return replace(block, header=changed)


def too_large(network: Network, node: SimulatedNode, _: Block) -> Block:
    return network.sign(node, [create(-serial - 1).body for serial in range(9)])


FAULTS: Final[list[Breaking]] = [
    with_more,
    with_garbage,
    shuffled,
    with_gaps,
    respaced,
    changed_after_signing,
    too_large,
]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_history_of_a_network_with_faulty_proposers(seed: int) -> None:
    print(f"seed {seed}; to repeat: SEED={seed} python -m pytest {__file__}")
    network = Network(Random(seed))
    for _ in range(HEIGHTS):
        network.make_traffic()
        proposer = network.draw.choice(network.nodes)
        block, honest = network.make_proposal(proposer)
        if block.transactions or not honest:
            network.decide(block, honest=honest)
        if network.draw.random() < 0.1:
            network.draw.choice(network.nodes).restart()
    settle(network)
    check_shares(network.nodes[0].store.state)
    check_everyone_was_told(network)
    check_replay(network.nodes[0].store)


def settle(network: Network) -> None:
    """Propose and decide, honest nodes in turn, until all pools are empty."""
    for _ in range(60):
        for node in network.nodes:
            if bodies := node.propose():
                network.decide(network.sign(node, bodies), honest=True)
    assert [len(node.pool) for node in network.nodes] == [0, 0, 0]


def check_shares(state: Committed) -> None:
    """L2: what is unspent of an asset is what was created."""
    unspent: dict[str, int] = {}
    for transaction, index in state.unspent():
        unspent[transaction.asset_id] = unspent.get(transaction.asset_id, 0) + transaction.outputs[index].amount
    assert all(amount in {sum(AMOUNTS), 1} for amount in unspent.values()), unspent


def check_everyone_was_told(network: Network) -> None:
    """L4: whatever a node accepted was committed, or it said that it was not."""
    for node in network.nodes:
        assert node.accepted <= node.store.state.present.keys() | node.reported


def check_replay(store: ModelStore) -> None:
    """L3: a node that comes late and decides the same valid and invalid blocks ends with the same hash."""
    late = SimulatedNode(KEYS[0])
    for effects in store.history:
        if effects.last.event.reason is None:
            assert without_votes(late.decide(effects.last.block)) == without_votes(effects)
        else:
            late.store.commit(effects)
    assert late.store.tip() == store.tip()
