"""Checks what proves an invalid block of a network: from signed vote extensions to rejection and event."""

from collections.abc import Sequence

import msgspec

from bigchaindb.errors import ImproperVoteError, ProofError
from bigchaindb.ledger.block import Block, Header, event_body
from bigchaindb.ledger.consensus import validators_hash, vote_extension_sign_bytes
from bigchaindb.ledger.network import Support, Unseen
from bigchaindb.ledger.proofs.commit import signers_of
from bigchaindb.ledger.proofs.document import BareRejectionEvidence, ProvenEvent, RejectionEvidence
from bigchaindb.ledger.proofs.pieces import Trust, Verified, merged, network_block, power_of, require, require_equal
from bigchaindb.ledger.proposal import can_be_carried
from bigchaindb.ledger.rejections import BODY_BYTES_MAX, Rejection, body_digest, decode_extension
from bigchaindb.ledger.validators import ValidatorSet, address_of
from bigchaindb.transaction.keys import decode_key, verify_signature


def verify_rejection(evidence: RejectionEvidence, shown: Sequence[bytes], trust: Trust) -> Verified:
    """Check the evidence of an invalid block.

    The event names all validators of its height, and a rejection does not. So the trusted ones must be those that the
    header of that height names, under their own signatures.

    Args:
        evidence: from anyone.
        shown: canonical bytes of the event's transactions.
        trust: the reader's.

    Raises:
        ProofError: names what fails.
    """
    said, validators, signed = evidence.rejection, trust.validators, evidence.signed_header
    require_equal("signed_header.header.height", int(signed.header.height), said.height, "the rejection says")
    require(
        validators_hash(validators).hex().upper() == signed.header.validators_hash,
        f"trusted: not the validators of height {said.height}, whose file is needed: the answer of a node that you "
        f"trust to /api/v1/validators?height={said.height}",
    )
    signers_of(signed, validators)
    supporters = _supporters(evidence.support, said, signed.header.chain_id, validators)
    is_omitted = _is_omitted(said, shown, evidence.unseen)
    hash_ = said.block if is_omitted else None
    block = network_block(said.height, said.time, bytes.fromhex(said.proposer), validators, shown, consensus_hash=hash_)
    return Verified(
        kind="rejection-2",
        block=block,
        reason=said.reason,
        body=event_body(block, said.reason, body_omitted=is_omitted),
        chain_id=signed.header.chain_id,
        power=power_of(supporters, validators),
        total=validators.total,
        is_body_omitted=is_omitted,
    )


def verify_bare_rejection(
    evidence: BareRejectionEvidence, event: ProvenEvent, shown: Sequence[bytes], trust: Trust
) -> Verified:
    """Check the evidence of an invalid block that comes without the header of its height.

    What was rejected is proven, and nothing that follows from who else voted: neither the voters nor the id.

    Args:
        evidence: from anyone.
        event: as the proof shows it; of it the proposer's key is taken, whose address the rejection has.
        shown: canonical bytes of the event's transactions.
        trust: the reader's.

    Raises:
        ProofError: names what fails.
    """
    said, validators = evidence.rejection, trust.validators
    supporters = _supporters(evidence.support, said, evidence.chain_id, validators)
    is_omitted = _is_omitted(said, shown, evidence.unseen)
    node_pubkey = event.block.node_pubkey
    require_equal("event.block.node_pubkey", _address(node_pubkey), said.proposer, "the proposer's address is")
    block = Block(Header("", said.height, said.time, node_pubkey, (), None), tuple(shown))
    return Verified(
        kind="rejection",
        block=block,
        reason=said.reason,
        body=_body_of_what_is_proven(block, said.reason, is_omitted=is_omitted),
        chain_id=evidence.chain_id,
        power=power_of(supporters, validators),
        total=validators.total,
        is_body_omitted=is_omitted,
        is_bound=False,
    )


def _body_of_what_is_proven(block: Block, reason: str, *, is_omitted: bool) -> bytes:
    header = block.header
    content = {
        "node_pubkey": header.node_pubkey,
        "timestamp": str(header.timestamp),
        "transactions": [msgspec.Raw(one) for one in block.transactions],
    }
    omitted = {"body_omitted": True} if is_omitted else {}
    return msgspec.json.encode(
        {"block": content, **omitted, "height": header.height, "reason": reason, "signature": header.signature}
    )


def _address(key: str) -> str:
    try:
        return address_of(decode_key(key)).hex()
    except ValueError as error:
        raise ProofError(f"event.block.node_pubkey: {error}") from None


def _is_omitted(said: Rejection, shown: Sequence[bytes], unseen: Sequence[Unseen]) -> bool:
    """Whether the event does not show all transactions; those that there are must be the rejection's.

    Raises:
        ProofError: they are not.
    """
    if said.size > BODY_BYTES_MAX:
        require(not shown and not unseen, "transactions: too large to be carried, yet there are some")
        return True
    transactions = merged(shown, unseen, lambda one: not can_be_carried(one))
    require(body_digest(transactions) == said.body, "transactions: not those that the rejection names")
    return bool(unseen)


def _supporters(support: Sequence[Support], said: Rejection, chain_id: str, validators: ValidatorSet) -> set[bytes]:
    """Return the keys of those who stand behind a rejection; every entry that is present must be valid.

    Raises:
        ProofError: names what fails.
    """
    keys = {address.hex(): key for address, key in validators.by_address.items()}
    signers: set[bytes] = set()
    for index, one in enumerate(support):
        key = keys.get(one.validator)
        if key is None:
            raise ProofError(f"support[{index}]: {one.validator[:40]!r} is none of the trusted validators")
        _check_word(f"support[{index}]", one, said, chain_id, key)
        require(key not in signers, f"support[{index}]: {one.validator} is listed twice")
        signers.add(key)
    return signers


def _check_word(where: str, support: Support, said: Rejection, chain_id: str, key: bytes) -> None:
    try:
        message = vote_extension_sign_bytes(chain_id, support.height, support.round, support.extension)
        says = decode_extension(support.extension)
    except (ImproperVoteError, OverflowError) as error:
        raise ProofError(f"{where}: {error}") from None
    require(verify_signature(key, message, support.signature), f"{where}: not a signature of its validator")
    require(said in says, f"{where}: does not say the rejection")
