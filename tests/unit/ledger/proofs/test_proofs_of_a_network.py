"""What a network's ledger logs is what its proofs prove: two makers of the same event, byte for byte."""

from typing import Final

from bigchaindb.ledger.block import event_body
from bigchaindb.ledger.effects import Effects, Logged
from bigchaindb.ledger.network_ledger import NetworkLedger, Proposal
from bigchaindb.ledger.proofs.document import rejection_proof
from bigchaindb.ledger.proofs.pieces import Trust, Verified
from bigchaindb.ledger.proofs.verifying import verify
from bigchaindb.ledger.rejections import BODY_BYTES_MAX, Rejection, encode_votes
from bigchaindb.ledger.validators import address_of
from tests.support.networks import (
    CHAIN,
    KEYS,
    ModelNetworkStore,
    address,
    network_ledger_over,
    said,
    signed,
    validators,
    votes,
)
from tests.support.proofs import HEIGHT, TIME, TRANSACTIONS, Decided, raw

B: Final = KEYS[1]
POWERS: Final = (1, 1, 1, 1)
TRUST: Final = Trust(validators=validators(*POWERS), chain_id=CHAIN)


class Network:
    """A ledger of four validators whose next height is the one of the proofs."""

    def __init__(self) -> None:
        self.store = ModelNetworkStore()
        self.ledger: NetworkLedger = network_ledger_over(self.store)
        self.ledger.begin(TRUST.validators, 1)
        for _ in range(1, HEIGHT):
            self.decide()

    def decide(self, *transactions: bytes) -> Effects:
        height, proposer = self.store.tip().height + 1, bytes.fromhex(address(B))
        verdict = self.ledger.accepts(Proposal(height, bytes(32), TIME.seconds, proposer, transactions))
        effects = self.ledger.finalize(verdict)
        self.ledger.commit(effects)
        return effects

    def voted(self, rejection: Rejection, body: tuple[bytes, ...] | None) -> bytes:
        extensions = [signed(key, rejection, height=HEIGHT - 1) for key in KEYS[:3]]
        return encode_votes(votes(*extensions, bodies=() if body is None else [body], height=HEIGHT - 1))


def proven(logged: Logged, *, body_omitted: bool = False) -> tuple[bytes, Verified]:
    """Return the body of an invalid event as it is logged, and what its proof proves."""
    body = event_body(logged.block, logged.event.reason, body_omitted=body_omitted)
    assert logged.body_omitted is body_omitted
    decided = Decided(
        keys=tuple(KEYS[:4]),
        powers=POWERS,
        flags=(2, 2, 1, 2),
        header={"height": str(logged.block.header.height), "chain_id": CHAIN},
        commit_height=logged.block.header.height,
    )
    return body, verify(rejection_proof(body, decided.signed_header(address_of(raw(B))), logged.proof), TRUST)


def test_a_logged_rejection_is_proven_with_all_that_was_proposed() -> None:
    """Among it what no event can show: a forged votes transaction, and what is no JSON."""
    network = Network()
    body = (b"\0votes forged", TRANSACTIONS[0], b"no JSON", b"", TRANSACTIONS[1])
    (logged,) = network.decide(network.voted(said(HEIGHT - 1, body=body), body)).logged
    expected, verified = proven(logged, body_omitted=True)
    assert verified.body == expected
    assert verified.block.transactions == TRANSACTIONS
    assert verified.block.header.id == logged.event.block_id
    assert (verified.power, verified.reason) == (3, logged.event.reason)


def test_a_logged_rejection_without_its_body_is_proven() -> None:
    network = Network()
    rejection = said(HEIGHT - 1, size=BODY_BYTES_MAX + 1)
    (logged,) = network.decide(network.voted(rejection, None)).logged
    expected, verified = proven(logged, body_omitted=True)
    assert verified.body == expected
    assert verified.block.header.id == rejection.block


def test_a_logged_block_is_proven_beside_the_votes_that_it_carries() -> None:
    network = Network()
    body = (b"no JSON",)
    internal = network.voted(said(HEIGHT - 1, body=body), body)
    invalid, valid = network.decide(internal, *TRANSACTIONS).logged
    assert invalid.event.reason is not None
    made = Decided(keys=tuple(KEYS[:4]), powers=POWERS, flags=(2, 2, 1, 2), transactions=(internal, *TRANSACTIONS))
    verified = verify(made.document(), Trust(validators=TRUST.validators))
    assert verified.body == event_body(valid.block)
    assert verified.block.header.id == valid.event.block_id
