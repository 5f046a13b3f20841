"""Verifies a proof for a reader who trusts some validators' keys, and nobody else. Pure.

Nothing in a proof is believed. From the keys that are trusted follow the signatures, from those the hashes, and from
what was hashed the event is made anew: the result holds that event, not the one that the document shows.

All of it rests on one assumption: less than a third of the trusted power signs what is not so.
"""

from typing import Final

from bigchaindb.ledger.proofs.commit import verify_commit
from bigchaindb.ledger.proofs.document import (
    BareRejectionEvidence,
    BundledCommitEvidence,
    CommitEvidence,
    Proof,
    ProvenEvent,
    RejectionEvidence,
    read_proof,
)
from bigchaindb.ledger.proofs.pieces import Trust, Verified, canonical_bytes, require, require_equal
from bigchaindb.ledger.proofs.rejection import verify_bare_rejection, verify_rejection
from bigchaindb.ledger.proofs.single import verify_node

UNBOUND: Final = ("id", "block.voters")
"""Members that a rejection does not hold by itself."""


def verify(document: bytes, trust: Trust) -> Verified:
    """Check a proof; return what it proves.

    Args:
        document: from anyone.
        trust: from the reader, never from the document.

    Raises:
        ProofError: names what fails.
    """
    proof = read_proof(document)
    verified = _verified(proof, trust)
    signed = f"{verified.power} of the {verified.total} that are trusted"
    require(trust.validators.is_decisive(verified.power), f"power: {signed} signed it; more than 2/3 are needed")
    if None not in (trust.chain_id, verified.chain_id):
        require_equal("chain_id", verified.chain_id, trust.chain_id, "trusted is")
    _require_same(proof.event, verified)
    return verified


def _verified(proof: Proof, trust: Trust) -> Verified:
    shown = tuple(canonical_bytes(index, bytes(raw)) for index, raw in enumerate(proof.event.block.transactions))
    match proof.evidence:
        case CommitEvidence() | BundledCommitEvidence() as evidence:
            return verify_commit(evidence, shown, trust)
        case RejectionEvidence() as evidence:
            return verify_rejection(evidence, shown, trust)
        case BareRejectionEvidence() as evidence:
            return verify_bare_rejection(evidence, proof.event, shown, trust)
        case evidence:
            return verify_node(evidence, proof.event, shown, trust)


def _require_same(shown: ProvenEvent, verified: Verified) -> None:
    """Require that the document shows the event that was signed, member by member."""
    header = verified.block.header
    for member, found, expected in (
        ("height", shown.height, header.height),
        ("block.timestamp", shown.block.timestamp, str(header.timestamp)),
        ("block.node_pubkey", shown.block.node_pubkey, header.node_pubkey),
        ("block.voters", shown.block.voters, header.voters),
        ("id", shown.id, header.id),
        ("signature", shown.signature, header.signature),
        ("reason", shown.reason, verified.reason),
        ("body_omitted", bool(shown.body_omitted), verified.is_body_omitted),
    ):
        if verified.is_bound or member not in UNBOUND:
            require_equal(f"event.{member}", found, expected, "what was signed says")
