"""Checks what proves a valid block of a network: from precommits to the header, from that to the event."""

from collections.abc import Sequence
from typing import Final

from bigchaindb.errors import ProofError
from bigchaindb.ledger.block import event_body
from bigchaindb.ledger.bundle import carried_in
from bigchaindb.ledger.consensus import data_hash, precommit_sign_bytes, validators_hash
from bigchaindb.ledger.proofs.document import BundledCommitEvidence, CommitEvidence
from bigchaindb.ledger.proofs.pieces import Trust, Verified, merged, network_block, power_of, require, require_equal
from bigchaindb.ledger.proofs.signed_header import (
    ABSENT,
    FOR_BLOCK,
    Commit,
    Precommit,
    SignedHeader,
    header_hash,
    moment,
)
from bigchaindb.ledger.rejections import INTERNAL_MARK
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.transaction.keys import decode_key, verify_signature

ABSENT_TIME: Final = "0001-01-01T00:00:00Z"
"""What the engine writes as the time of a precommit that is not there."""


def verify_commit(evidence: CommitEvidence | BundledCommitEvidence, shown: Sequence[bytes], trust: Trust) -> Verified:
    """Check the evidence of a valid block.

    The validators that it names are those of its height, since the header that they signed names them; the power of
    the trusted ones among them decides whether the proof holds.

    Args:
        evidence: from anyone.
        shown: canonical bytes of the event's transactions.
        trust: the reader's.

    Raises:
        ProofError: names what fails.
    """
    header = evidence.signed_header.header
    electors = _electors(evidence)
    signers = signers_of(evidence.signed_header, electors)
    transactions = merged(shown, evidence.unseen, lambda one: one.startswith(INTERNAL_MARK))
    carried = _carried(evidence, transactions)
    require(_text(data_hash(carried)) == header.data_hash, "transactions: not those that the header names")
    require(bool(shown), "transactions: none of a client; such a height is no event")
    proposer = bytes.fromhex(header.proposer_address)
    block = network_block(int(header.height), moment(header.time).seconds, proposer, electors, shown)
    return Verified(
        kind="commit" if isinstance(evidence, CommitEvidence) else "commit-2",
        block=block,
        reason=None,
        body=event_body(block),
        chain_id=header.chain_id,
        power=power_of(signers, trust.validators),
        total=trust.validators.total,
    )


def signers_of(signed: SignedHeader, electors: ValidatorSet) -> list[bytes]:
    """Return the keys of those who decided the block of a header.

    Args:
        signed: from anyone.
        electors: who must be the validators that it names.

    Raises:
        ProofError: they are not, or have not decided it; names what fails.
    """
    header = signed.header
    named = _text(validators_hash(electors)) == header.validators_hash
    require(named, "validators: not those that the header names")
    require(
        _text(header_hash(header)) == signed.commit.block_id.hash, "signed_header.header: not what the precommits name"
    )
    require_equal("signed_header.commit.height", signed.commit.height, signed.header.height, "the header says")
    signers = _signers(signed, electors)
    power = power_of(signers, electors)
    require(electors.is_decisive(power), f"signatures: of {power} of {electors.total}; more than 2/3 decide")
    return signers


def _carried(evidence: CommitEvidence | BundledCommitEvidence, transactions: Sequence[bytes]) -> Sequence[bytes]:
    """Return what the engine's block holds: the transactions, or the bundles that they were in."""
    if isinstance(evidence, CommitEvidence):
        return transactions
    carried = carried_in(evidence.order, transactions)
    if carried is None:
        raise ProofError(f"order: not of {len(transactions)} transactions")
    require(any(evidence.order), "order: of no bundle; without one the evidence is of the kind `commit`")
    return carried


def _electors(evidence: CommitEvidence | BundledCommitEvidence) -> ValidatorSet:
    """Return the validators that a proof names."""
    try:
        electors = ValidatorSet.of((decode_key(one.public_key), one.power) for one in evidence.validators)
    except ValueError as error:
        raise ProofError(f"validators: {error}") from None
    require(len(electors.powers) == len(evidence.validators), "validators: one is listed twice")
    return electors


def _signers(signed: SignedHeader, electors: ValidatorSet) -> list[bytes]:
    """Return the keys that signed for the block; every signature that is present must be valid."""
    signers: list[bytes] = []
    seen: set[bytes] = set()
    for index, one in enumerate(signed.commit.signatures):
        where = f"signatures[{index}]"
        if one.block_id_flag == ABSENT:
            is_empty = (one.validator_address, one.signature, one.timestamp) == ("", None, ABSENT_TIME)
            require(is_empty, f"{where}: of an absent validator, yet not empty")
            continue
        key = electors.by_address.get(bytes.fromhex(one.validator_address))
        if key is None:
            raise ProofError(f"{where}: {one.validator_address} is none of the validators")
        require(key not in seen, f"{where}: {one.validator_address} signed before")
        require(
            _is_signed(one, signed.commit, signed.header.chain_id, key), f"{where}: not a signature of its validator"
        )
        seen.add(key)
        if one.block_id_flag == FOR_BLOCK:
            signers.append(key)
    return signers


def _is_signed(one: Precommit, commit: Commit, chain_id: str, key: bytes) -> bool:
    block = commit.block_id.value() if one.block_id_flag == FOR_BLOCK else None
    message = precommit_sign_bytes(chain_id, int(commit.height), commit.round, block, moment(one.timestamp))
    return verify_signature(key, message, one.signature or b"")


def _text(digest: bytes) -> str:
    return digest.hex().upper()
