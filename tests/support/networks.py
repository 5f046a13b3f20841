"""Validators, their votes and the ports of a network's ledger as models, for tests."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

import msgspec

from bigchaindb.ledger.consensus import vote_extension_sign_bytes
from bigchaindb.ledger.effects import Effects
from bigchaindb.ledger.network import Support
from bigchaindb.ledger.network_ledger import NetworkLedger
from bigchaindb.ledger.proven import Proven
from bigchaindb.ledger.rejections import (
    BODY_BYTES_MAX,
    Rejection,
    SignedExtension,
    VotesTransaction,
    body_digest,
    body_size,
    encode_extension,
    encode_votes,
)
from bigchaindb.ledger.validators import ValidatorSet, address_of
from bigchaindb.transaction import KeyPair
from bigchaindb.transaction.keys import decode_key
from tests.support.chains import ModelStore

CHAIN: Final = "a-chain"
KEYS: Final = [KeyPair.from_seed(bytes([n]) * 32) for n in range(1, 9)]
BODY: Final = (b"not a transaction",)
TIME: Final = 1_700_000_000


def raw(key: KeyPair) -> bytes:
    """Return the 32 bytes of the public key."""
    return decode_key(key.public_key)


def address(key: KeyPair) -> str:
    """Return the validator's address, hex."""
    return address_of(raw(key)).hex()


def validators(*powers: int) -> ValidatorSet:
    """Return a set in which the first of `KEYS` have these powers."""
    return ValidatorSet.of((raw(key), power) for key, power in zip(KEYS, powers, strict=False))


def said(
    height: int = 5,
    *,
    name: str = "block",
    body: Sequence[bytes] = BODY,
    proposer: KeyPair = KEYS[0],
    size: int | None = None,
) -> Rejection:
    """Make the rejection of a proposal; another `name` is another proposal."""
    return Rejection(
        height=height,
        block=sha256(name.encode()).hexdigest(),
        proposer=address(proposer),
        time=TIME,
        body=body_digest(body),
        size=body_size(body) if size is None else size,
        reason="MalformedJson at transactions[0]",
    )


def signed(
    key: KeyPair, *rejections: Rejection, height: int = 5, round_: int = 0, chain_id: str = CHAIN
) -> SignedExtension:
    """Make the extension of a validator's vote at `height`."""
    return signed_bytes(key, encode_extension(sorted(rejections)), height=height, round_=round_, chain_id=chain_id)


def signed_bytes(
    key: KeyPair, extension: bytes, *, height: int = 5, round_: int = 0, chain_id: str = CHAIN
) -> SignedExtension:
    """Make an extension of any bytes."""
    signature = key.sign(vote_extension_sign_bytes(chain_id, height, round_, extension))
    return SignedExtension(validator=address(key), round=round_, extension=extension, signature=signature)


def votes(
    *extensions: SignedExtension, bodies: Sequence[Sequence[bytes]] = (BODY,), height: int = 5
) -> VotesTransaction:
    """Make a votes transaction about the votes at `height`, its extensions put in order."""
    ascending = tuple(sorted(extensions, key=lambda one: one.validator))
    return VotesTransaction(height=height, extensions=ascending, bodies=tuple(map(tuple, bodies)))


class KeptProof(msgspec.Struct):
    """The proof of an invalid block as the store keeps it."""

    rejection: Rejection
    support: tuple[Support, ...]


def kept_proof(text: bytes) -> KeptProof:
    """Read what `bigchaindb.ledger.network.encode_proof` made."""
    return msgspec.json.decode(text, type=KeptProof)


@dataclass
class ModelNetworkStore(ModelStore):
    """The port of a network's store, as a model."""

    kept: bytes | None = None

    def network(self) -> bytes | None:
        return self.kept

    def commit(self, effects: Effects) -> None:
        super().commit(effects)
        self.kept = self.kept if effects.network is None else effects.network


@dataclass
class ModelRejections:
    """The port of a node's own rejections, as a model."""

    bodies: dict[Rejection, tuple[bytes, ...] | None] = field(default_factory=dict)

    def add(self, rejection: Rejection, body: Sequence[bytes]) -> None:
        self.bodies[rejection] = tuple(body) if rejection.size <= BODY_BYTES_MAX else None

    def forget(self, height: int) -> None:
        self.bodies = {one: body for one, body in self.bodies.items() if one.height > height}

    def all(self) -> Sequence[Rejection]:
        return sorted(self.bodies)

    def body_of(self, rejection: Rejection) -> tuple[bytes, ...] | None:
        return self.bodies.get(rejection)


def network_ledger_over(
    store: ModelNetworkStore, own: ModelRejections | None = None, *, key: KeyPair = KEYS[0]
) -> NetworkLedger:
    """Make the ledger of a node of a network."""
    return NetworkLedger(
        store,
        chain_id=CHAIN,
        key=key,
        body_bytes_max=1_000_000,
        proven=Proven(count_max=100, bytes_max=1_000_000),
        own=ModelRejections() if own is None else own,
    )


VOTES: Final = encode_votes(votes(signed(KEYS[0], said()), signed(KEYS[1], said())))
