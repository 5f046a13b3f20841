"""Who votes, and with how much power, as the consensus engine counts it.

Source: docs/explanation/network.md; CometBFT names a validator by the first 20 bytes of the SHA-256 of its key.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Final

ADDRESS_BYTES: Final = 20


def address_of(public_key: bytes) -> bytes:
    """Return the address, 20 bytes, of a validator's Ed25519 key, 32 bytes."""
    return sha256(public_key).digest()[:ADDRESS_BYTES]


def address_text(address: bytes) -> str:
    """Return an address as the consensus engine writes it: upper-case hex."""
    return address.hex().upper()


@dataclass(frozen=True)
class ValidatorSet:
    """The validators of one height; equal sets are equal whatever order they came in.

    Attributes:
        powers: voting power, above 0, by public key, 32 bytes.
    """

    powers: Mapping[bytes, int]

    @classmethod
    def of(cls, pairs: Iterable[tuple[bytes, int]]) -> "ValidatorSet":
        """Make a set of public keys and powers; a power of 0 leaves a key out."""
        return cls({key: power for key, power in sorted(pairs) if power})

    @cached_property
    def total(self) -> int:
        """The power of all."""
        return sum(self.powers.values())

    @cached_property
    def by_address(self) -> Mapping[bytes, bytes]:
        """Public keys by address."""
        return {address_of(key): key for key in self.powers}

    def power_of(self, address: bytes) -> int:
        """Return the power of a validator by its address, 0 for a stranger."""
        key = self.by_address.get(address)
        return 0 if key is None else self.powers[key]

    def changed(self, updates: Mapping[bytes, int]) -> "ValidatorSet":
        """Return the set after updates: new power by key, 0 removes the key."""
        return ValidatorSet.of({**self.powers, **updates}.items())

    def is_decisive(self, power: int) -> bool:
        """Whether `power` is more than two thirds of all, which decides."""
        return power * 3 > self.total * 2

    def is_credible(self, power: int) -> bool:
        """Whether `power` is more than one third of all: an honest validator is among it."""
        return power * 3 > self.total
