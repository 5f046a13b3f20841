"""Ed25519 keys and signatures (libsodium through PyNaCl) and their base58 text.

Every node of a network must run the same version of the signature library: libraries disagree on malformed keys, and a
disagreement is a fork. Source: docs/reference/contract/transactions.md, sections 3 and 9.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Self

from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError

from bigchaindb.transaction import base58

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
KEYS_CACHED_MAX: Final = 16_384
"""Decoded keys that are remembered: most documents repeat keys, and decoding one takes 3 µs. About 3 MB when full."""

KEY_PATTERN: Final = "^[1-9A-HJ-NP-Za-km-z]{43,44}$(?!\n)"
_KEY_TEXT: Final = re.compile("[1-9A-HJ-NP-Za-km-z]{43,44}")
_SIGNATURE_TEXT: Final = re.compile("[1-9A-HJ-NP-Za-km-z]{64,88}")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An Ed25519 key pair.

    Attributes:
        public_key: base58.
        private_key: the 32-byte seed in base58; never part of the `repr`.
    """

    public_key: str
    private_key: str = field(repr=False)
    _secret: bytes = field(repr=False, compare=False)

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Make the pair that belongs to 32 secret bytes, which the caller draws.

        Raises:
            ValueError: not 32 bytes.
        """
        if len(seed) != KEY_BYTES:
            raise ValueError(f"a seed has {KEY_BYTES} bytes, not {len(seed)}")
        public, secret = crypto_sign_seed_keypair(seed)
        return cls(encode(public), encode(seed), secret)

    @classmethod
    def from_private_key(cls, text: str) -> Self:
        """Make the pair of a private key in base58.

        Raises:
            ValueError: no base58 text of 32 bytes; the message does not show the text.
        """
        try:
            return cls.from_seed(base58.decode(text))
        except ValueError:
            raise ValueError("a private key is the base58 text of 32 bytes") from None

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature over `message`."""
        return crypto_sign(message, self._secret)[:SIGNATURE_BYTES]


def verify_signature(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` is valid. Releases the interpreter lock while libsodium works (about 40 µs)."""
    if len(public_key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        crypto_sign_open(signature + message, public_key)
    except BadSignatureError:
        return False
    return True


def encode(raw: bytes) -> str:
    """Return the base58 text of a key or a signature."""
    return base58.encode(raw)


@lru_cache(maxsize=KEYS_CACHED_MAX)
def key_text(public_key: bytes) -> str:
    """Return the base58 text of a public key, remembered: a block names each validator's."""
    return encode(public_key)


def election_key(election_id: str) -> str:
    """Return the key that votes of an election are paid to: the base58 text of its id, whose private half nobody has.

    Source: docs/reference/contract/transactions.md, section 7.
    """
    return encode(bytes.fromhex(election_id))


@lru_cache(maxsize=KEYS_CACHED_MAX)
def decode_key(text: str) -> bytes:
    """Return the 32 bytes of a public key.

    Raises:
        ValueError: not 43 or 44 characters of base58 that stand for 32 bytes.
    """
    raw = base58.decode(text) if _KEY_TEXT.fullmatch(text) else b""
    if len(raw) != KEY_BYTES:
        raise ValueError(f"{text[:60]!r} is not a base58 key of {KEY_BYTES} bytes")
    return raw


def decode_signature(text: str) -> bytes:
    """Return the 64 bytes of a signature in base58, as v1 blocks and votes carry it.

    Raises:
        ValueError: not the base58 text of 64 bytes.
    """
    raw = base58.decode(text) if _SIGNATURE_TEXT.fullmatch(text) else b""
    if len(raw) != SIGNATURE_BYTES:
        raise ValueError(f"{text[:100]!r} is not a base58 signature of {SIGNATURE_BYTES} bytes")
    return raw
