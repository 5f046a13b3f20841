"""Checks what proves an invalid block of a network: from signed vote extensions to rejection and event."""

from collections.abc import Mapping, Sequence

from bigchaindb.errors import ImproperVoteError, ProofError
from bigchaindb.ledger.block import event_body
from bigchaindb.ledger.consensus import vote_extension_sign_bytes
from bigchaindb.ledger.network import Support
from bigchaindb.ledger.proofs.document import RejectionEvidence
from bigchaindb.ledger.proofs.pieces import Trust, Verified, merged, network_block, power_of, require
from bigchaindb.ledger.proposal import can_be_carried
from bigchaindb.ledger.rejections import BODY_BYTES_MAX, body_digest, decode_extension
from bigchaindb.transaction.keys import verify_signature


def verify_rejection(evidence: RejectionEvidence, shown: Sequence[bytes], trust: Trust) -> Verified:
    """Check the evidence of an invalid block.

    No header says who voted at its height, so the trusted validators must be those.

    Args:
        evidence: from anyone.
        shown: canonical bytes of the event's transactions.
        trust: the reader's.

    Raises:
        ProofError: names what fails.
    """
    said, validators = evidence.rejection, trust.validators
    keys = {address.hex(): key for address, key in validators.by_address.items()}
    signers: set[bytes] = set()
    for index, support in enumerate(evidence.support):
        key = _supporter(f"support[{index}]", support, evidence, keys)
        require(key not in signers, f"support[{index}]: {support.validator} is listed twice")
        signers.add(key)
    if said.size > BODY_BYTES_MAX:
        is_omitted = True
        require(not shown and not evidence.unseen, "transactions: too large to be carried, yet there are some")
    else:
        is_omitted = bool(evidence.unseen)
        transactions = merged(shown, evidence.unseen, lambda one: not can_be_carried(one))
        require(body_digest(transactions) == said.body, "transactions: not those that the rejection names")
    consensus_hash = said.block if is_omitted else None
    proposer = bytes.fromhex(said.proposer)
    block = network_block(said.height, said.time, proposer, validators, shown, consensus_hash=consensus_hash)
    return Verified(
        kind="rejection",
        block=block,
        reason=said.reason,
        body=event_body(block, said.reason, body_omitted=is_omitted),
        chain_id=evidence.chain_id,
        power=power_of(signers, validators),
        total=validators.total,
        is_body_omitted=is_omitted,
    )


def _supporter(where: str, support: Support, evidence: RejectionEvidence, keys: Mapping[str, bytes]) -> bytes:
    """Give the key of a validator that stands behind the rejection."""
    key = keys.get(support.validator)
    if key is None:
        raise ProofError(f"{where}: {support.validator[:40]!r} is none of the trusted validators")
    try:
        message = vote_extension_sign_bytes(evidence.chain_id, support.height, support.round, support.extension)
        says = decode_extension(support.extension)
    except (ImproperVoteError, OverflowError) as error:
        raise ProofError(f"{where}: {error}") from None
    require(verify_signature(key, message, support.signature), f"{where}: not a signature of its validator")
    require(evidence.rejection in says, f"{where}: does not say the rejection")
    return key
