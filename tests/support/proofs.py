"""Proofs of events, made as a network makes them: validators whose keys the tests have, and what they sign."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import pytest

from bigchaindb.errors import ProofError
from bigchaindb.ledger.block import event_body
from bigchaindb.ledger.bundle import bundle_of
from bigchaindb.ledger.consensus import (
    BlockId,
    Moment,
    data_hash,
    precommit_sign_bytes,
    validators_hash,
    vote_extension_sign_bytes,
)
from bigchaindb.ledger.network import OpenRejection, Support, encode_proof
from bigchaindb.ledger.proofs.document import commit_proof, node_proof, rejection_proof
from bigchaindb.ledger.proofs.pieces import Trust, network_block
from bigchaindb.ledger.proofs.signed_header import ConsensusHeader, SignedHeader, header_hash
from bigchaindb.ledger.proofs.verifying import verify
from bigchaindb.ledger.proposal import can_be_carried, sign_proposal
from bigchaindb.ledger.rejections import BODY_BYTES_MAX, INTERNAL_MARK, Rejection, body_digest, encode_extension
from bigchaindb.ledger.validators import ValidatorSet, address_of
from bigchaindb.ledger.voting import make_vote
from bigchaindb.transaction import KeyPair
from bigchaindb.transaction.keys import decode_key
from tests.support.chains import NODE, create

CHAIN_ID: Final = "proven"
HEIGHT: Final = 7
TIME: Final = Moment(1_700_000_000, 123_456_789)
TIME_TEXT: Final = "2023-11-14T22:13:20.123456789Z"
KEYS: Final = tuple(KeyPair.from_seed(letter * 32) for letter in (b"p", b"q", b"r", b"s"))
POWERS: Final = (10, 7, 7, 3)
TRANSACTIONS: Final = (create(1).body, create(2, version="1.0").body)
INTERNAL: Final = (b"\0votes and so on",)
BUNDLED: Final = (*INTERNAL, bundle_of(TRANSACTIONS))


def raw(key: KeyPair) -> bytes:
    return decode_key(key.public_key)


def set_of(keys: Sequence[KeyPair] = KEYS, powers: Sequence[int] = POWERS) -> ValidatorSet:
    return ValidatorSet.of(zip(map(raw, keys), powers, strict=True))


TRUST: Final = Trust(validators=set_of(), chain_id=CHAIN_ID)


@dataclass(frozen=True)
class Decided:
    """A block of a network that validators have signed; every field is a way to forge one.

    Attributes:
        flags: of each validator's precommit, in their order: 1 absent, 2 for the block, 3 for none.
        sign: makes a signature.
        header: fields that are not what they should be.
        commit_height: of the precommits.
    """

    keys: tuple[KeyPair, ...] = KEYS
    powers: tuple[int, ...] = POWERS
    flags: tuple[int, ...] = (2, 2, 3, 2)
    transactions: tuple[bytes, ...] = (*INTERNAL, *TRANSACTIONS)
    shown: tuple[bytes, ...] = TRANSACTIONS
    sign: Callable[[KeyPair, bytes], bytes] = KeyPair.sign
    header: Mapping[str, Any] = field(default_factory=dict)
    commit_height: int = HEIGHT

    @property
    def validators(self) -> ValidatorSet:
        return set_of(self.keys, self.powers)

    def document(self) -> bytes:
        """Return the proof of this block."""
        proposer = address_of(raw(self.keys[1]))
        block = network_block(HEIGHT, TIME.seconds, proposer, self.validators, self.shown)
        return commit_proof(event_body(block), self.signed_header(proposer), self.validators, self.transactions)

    def signed_header(self, proposer: bytes) -> SignedHeader:
        header: dict[str, Any] = {
            "version": {"block": "11", "app": "1"},
            "chain_id": CHAIN_ID,
            "height": str(HEIGHT),
            "time": TIME_TEXT,
            "last_block_id": _block_id(BlockId(b"l" * 32, 1, b"m" * 32)),
            "last_commit_hash": "61" * 32,
            "data_hash": data_hash(self.transactions).hex().upper(),
            "validators_hash": validators_hash(self.validators).hex().upper(),
            "next_validators_hash": "64" * 32,
            "consensus_hash": "65" * 32,
            "app_hash": "66" * 32,
            "last_results_hash": "67" * 32,
            "evidence_hash": "69" * 32,
            "proposer_address": proposer.hex().upper(),
            **self.header,
        }
        block_id = BlockId(header_hash(msgspec.convert(header, ConsensusHeader)), 1, b"n" * 32)
        document = {
            "header": header,
            "commit": {
                "height": str(self.commit_height),
                "round": 2,
                "block_id": _block_id(block_id),
                "signatures": [
                    self._precommit(*pair, header["chain_id"], block_id)
                    for pair in zip(self.keys, self.flags, strict=True)
                ],
            },
        }
        return msgspec.convert(document, SignedHeader)

    def _precommit(self, key: KeyPair, flag: int, chain_id: str, block_id: BlockId) -> dict[str, Any]:
        if flag == 1:
            absent = {"validator_address": "", "timestamp": "0001-01-01T00:00:00Z", "signature": None}
            return {"block_id_flag": 1, **absent}
        message = precommit_sign_bytes(chain_id, self.commit_height, 2, block_id if flag == 2 else None, TIME)
        return {
            "block_id_flag": flag,
            "validator_address": address_of(raw(key)).hex().upper(),
            "timestamp": TIME_TEXT,
            "signature": base64.b64encode(self.sign(key, message)).decode(),
        }


@dataclass(frozen=True)
class Rejected:
    """A proposal that validators have rejected; every field is a way to forge it.

    Attributes:
        signers: who says so.
        says: what their extensions hold besides, or instead.
        said: members of the rejection that are not what they should be.
        decided: what was decided at its height after all.
    """

    signers: tuple[KeyPair, ...] = KEYS[:3]
    transactions: tuple[bytes, ...] = (*INTERNAL, TRANSACTIONS[0], b"no JSON", TRANSACTIONS[1])
    sign: Callable[[KeyPair, bytes], bytes] = KeyPair.sign
    said: Mapping[str, Any] = field(default_factory=dict)
    says: Callable[[Rejection], Sequence[Rejection]] = lambda rejection: [rejection]
    body_omitted: bool = False
    decided: Decided = field(default_factory=Decided)

    @property
    def rejection(self) -> Rejection:
        whole: dict[str, Any] = {
            "height": HEIGHT,
            "block": "ab" * 32,
            "proposer": address_of(raw(KEYS[3])).hex(),
            "time": TIME.seconds,
            "body": body_digest(self.transactions),
            "size": sum(map(len, self.transactions)),
            "reason": "DoubleSpend at transactions[1]",
        }
        return Rejection(**{**whole, **self.said})

    def document(self) -> bytes:
        """Return the proof of this rejection."""
        body, proven = self._event_and_proof()
        return rejection_proof(body, self.decided.signed_header(address_of(raw(KEYS[1]))), proven)

    def bare_document(self) -> bytes:
        """Return the proof as it was made before headers came with it, and as people keep it."""
        body, proven = self._event_and_proof()
        evidence = {"kind": "rejection", "chain_id": CHAIN_ID, **json.loads(proven)}
        return json.dumps(
            {"format": "bigchaindb-proof-1", "event": json.loads(body), "evidence": evidence}, ensure_ascii=False
        ).encode()

    def _event_and_proof(self) -> tuple[bytes, bytes]:
        said = self.rejection
        shown = () if self.body_omitted else tuple(filter(can_be_carried, self.transactions))
        is_partial = len(shown) < len(self.transactions)
        hash_ = said.block if is_partial else None
        proposer = bytes.fromhex(said.proposer)
        block = network_block(said.height, said.time, proposer, set_of(), shown, consensus_hash=hash_)
        extension = encode_extension(self.says(said))
        support = tuple(self.support(key, extension) for key in self.signers)
        body = None if self.body_omitted else self.transactions
        proven = encode_proof(OpenRejection(said, body, support))
        return event_body(block, said.reason, body_omitted=is_partial), proven

    def support(self, key: KeyPair, extension: bytes) -> Support:
        """Return a validator's signed word, whatever it says."""
        message = vote_extension_sign_bytes(CHAIN_ID, HEIGHT + 1, 1, extension)
        return Support(address_of(raw(key)).hex(), HEIGHT + 1, 1, extension, self.sign(key, message))


def node_document(
    reason: str | None = None, key: KeyPair = NODE, transactions: Sequence[bytes] = TRANSACTIONS
) -> bytes:
    """Return the proof of a block of a network of one."""
    block = sign_proposal(transactions, height=HEIGHT, timestamp=TIME.seconds, voters=[key.public_key], key=key)
    return node_proof(event_body(block, reason), make_vote(block.header, "cd" * 32, reason, key))


NODE_TRUST: Final = Trust(validators=set_of([NODE], [1]))
assert all(one.startswith(INTERNAL_MARK) for one in INTERNAL)


def _block_id(block_id: BlockId) -> dict[str, Any]:
    return {
        "hash": block_id.hash.hex().upper(),
        "parts": {"total": block_id.parts_total, "hash": block_id.parts_hash.hex().upper()},
    }


LARGE: Final = BODY_BYTES_MAX + 1
REASON: Final = "DoubleSpend at transactions[1]"
PROOFS: Final = {
    "commit": (Decided().document(), TRUST),
    "commit-2": (Decided(transactions=BUNDLED).document(), TRUST),
    "rejection": (Rejected().document(), TRUST),
    "rejection of a large body": (Rejected(said={"size": LARGE}, body_omitted=True).document(), TRUST),
    "bare rejection": (Rejected().bare_document(), TRUST),
    "node": (node_document(), NODE_TRUST),
    "node, invalid": (node_document(REASON), NODE_TRUST),
}
Path = tuple[str | int, ...]


def refusal(document: bytes, trust: Trust = TRUST) -> str:
    """Return why a proof proves nothing."""
    with pytest.raises(ProofError) as refused:
        verify(document, trust)
    return str(refused.value)


def changed(document: bytes, path: Path, change: Callable[[Any], Any]) -> bytes:
    """Return a proof with one member changed."""
    whole = json.loads(document)
    inner = whole
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = change(inner[path[-1]])
    return json.dumps(whole).encode()


def replaced(document: bytes, path: Path, value: Any) -> bytes:
    """Return a proof with another member at one place."""
    return changed(document, path, lambda _: value)
