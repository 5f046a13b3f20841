"""Proposals to the ledger of a network, and the votes on them."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from bigchaindb.ledger.bundle import unbundled
from bigchaindb.ledger.effects import Effects
from bigchaindb.ledger.network_ledger import NetworkLedger, Proposal
from bigchaindb.ledger.rejections import Rejection, SignedExtension, encode_votes
from bigchaindb.transaction import Transaction
from tests.support.networks import (
    BODY,
    KEYS,
    TIME,
    ModelNetworkStore,
    ModelRejections,
    address,
    network_ledger_over,
    signed,
    validators,
    votes,
)

A, B, C, D = KEYS[:4]
VOTERS: Final = tuple(sorted(key.public_key for key in KEYS[:4]))


def begun(store: ModelNetworkStore, own: ModelRejections | None = None) -> NetworkLedger:
    ledger = network_ledger_over(store, own)
    ledger.begin(validators(1, 1, 1, 1), 1)
    return ledger


def proposal(store: ModelNetworkStore, *transactions: Transaction | bytes, name: str = "p") -> Proposal:
    bodies = tuple(one if isinstance(one, bytes) else one.body for one in transactions)
    block = sha256(name.encode()).digest()
    return Proposal(
        store.tip().height + 1, block, TIME + store.tip().height, bytes.fromhex(address(B)), unbundled(bodies)
    )


def decide(ledger: NetworkLedger, store: ModelNetworkStore, *transactions: Transaction | bytes) -> Effects:
    effects = ledger.finalize(ledger.accepts(proposal(store, *transactions)))
    ledger.commit(effects)
    return effects


def voted(*rejections: Rejection, height: int, bodies: Sequence[Sequence[bytes]] = (BODY,)) -> bytes:
    """Return the votes transaction by which three of four decide."""
    return encode_votes(votes(*evidence(*rejections, height=height), bodies=bodies, height=height))


def evidence(*rejections: Rejection, height: int) -> list[SignedExtension]:
    return [signed(key, *rejections, height=height) for key in (A, B, C)]


def reason_of(ledger: NetworkLedger, one: Proposal) -> str | None:
    fault = ledger.accepts(one).fault
    return None if fault is None else fault.reason
