"""Which proof an event gets, and what of it the consensus engine is asked for."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from bigchaindb.api.proofs import document
from bigchaindb.events import EventTypes
from bigchaindb.ledger.effects import LoggedEvent
from bigchaindb.ledger.ports import Decision
from bigchaindb.ledger.proofs.signed_header import SignedHeader
from bigchaindb.ledger.proofs.verifying import verify
from bigchaindb.ledger.validators import ValidatorSet, address_of
from tests.support.proofs import CHAIN_ID, HEIGHT, KEYS, NODE_TRUST, TRUST, Decided, Rejected, node_document, raw


@dataclass
class Engine:
    """A consensus engine that has decided one block."""

    decided: Decided = field(default_factory=Decided)
    asked: list[int] = field(default_factory=list)
    chain_id: str = CHAIN_ID

    async def header_and_commit(self, height: int) -> SignedHeader:
        self.asked.append(height)
        return self.decided.signed_header(address_of(raw(KEYS[1])))

    async def transactions(self, height: int) -> Sequence[bytes]:
        self.asked.append(height)
        return self.decided.transactions

    async def validators(self, height: int) -> ValidatorSet:
        self.asked.append(height)
        return self.decided.validators


def decision_of(proof: bytes, *, signed: bytes = b"") -> Decision:
    """Return what a ledger holds of the event that a proof is about."""
    raws = msgspec.json.decode(proof, type=dict[str, msgspec.Raw])
    event = json.loads(bytes(raws["event"]))
    reason = event.get("reason")
    type_ = EventTypes.BLOCK_VALID if reason is None else EventTypes.BLOCK_INVALID
    vote = msgspec.json.decode(raws["evidence"], type=dict[str, msgspec.Raw]).get("vote", b"{}")
    logged = LoggedEvent(1, type_, event["height"], event["id"], reason, bytes(32))
    return Decision(logged, bytes(raws["event"]), bytes(vote), signed)


async def test_a_valid_block_of_a_network_is_proven_by_what_the_engine_keeps() -> None:
    engine = Engine()
    made = await document(decision_of(Decided().document()), engine)
    assert engine.asked == [HEIGHT] * 3
    assert verify(made, TRUST) == verify(Decided().document(), TRUST)


async def test_an_invalid_block_of_a_network_is_proven_by_what_the_ledger_and_the_engine_keep() -> None:
    engine, proof = Engine(), Rejected().document()
    evidence = json.loads(proof)["evidence"]
    kept = json.dumps({name: evidence[name] for name in ("rejection", "support", "unseen")}).encode()
    made = await document(decision_of(proof, signed=kept), engine)
    assert engine.asked == [HEIGHT]
    assert verify(made, TRUST) == verify(proof, TRUST)


async def test_what_one_node_decided_is_proven_by_its_signature_also_after_it_became_a_network() -> None:
    engine = Engine()
    reason = "DoubleSpend at transactions[1]"
    unsigned = node_document(reason).replace(
        b'"signature":"' + _signature(node_document(reason)), b'"signature":null', 1
    )
    for proof in (node_document(), node_document(reason), unsigned.replace(b'null"', b"null")):
        for source in (None, engine):
            made = await document(decision_of(proof), source)
            assert verify(made, NODE_TRUST) == verify(proof, NODE_TRUST)
    assert engine.asked == []


def _signature(proof: bytes) -> bytes:
    return str(json.loads(proof)["event"]["signature"]).encode()
