"""How ids, owners and outputs become what rows are found by. Pure.

Index keys are 8 bytes of a hash. An attacker with time can make two ids whose keys are equal, so every hit is confirmed
against the row that it leads to.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from typing import Final

OUTPUT_BITS: Final = 20
OUTPUT_COUNT_MAX: Final = 1 << OUTPUT_BITS
"""Outputs of one transaction that can be numbered."""
NAMED: Final = 1 << 62
"""The marker bit: a row of `owner_index` with it is of a transaction, whose seq is the rest, and of no output."""
HASH_BYTES: Final = 32
_KEY_BYTES: Final = 8


def key_of(hash_: bytes) -> int:
    """Return the index key of a hash: its first 8 bytes."""
    return int.from_bytes(hash_[:_KEY_BYTES], "big", signed=True)


@lru_cache(maxsize=4096)  # an owner comes again and again
def owner_hash(public_key: str) -> bytes:
    """Return the hash that stands for an owner, so that nobody can crowd keys beside another owner's."""
    return sha256(public_key.encode()).digest()


def owner_hashes(owners: bytes) -> list[bytes]:
    """Cut the column `outputs.owners`."""
    if len(owners) == HASH_BYTES:
        return [owners]
    return [owners[at : at + HASH_BYTES] for at in range(0, len(owners), HASH_BYTES)]


def joined_keys(hashes: Iterable[bytes]) -> bytes:
    """Join what keys are made of, each once, ascending: the column `named.keys`."""
    return b"".join(sorted({hash_[:_KEY_BYTES] for hash_ in hashes}))


def keys_of(joined: bytes) -> list[bytes]:
    """Cut the column `named.keys`; `key_of` takes each."""
    return [joined[at : at + _KEY_BYTES] for at in range(0, len(joined), _KEY_BYTES)]


def id_bytes(text: str) -> bytes | None:
    """Return the bytes of a 64-digit lower-case id, None for any other text."""
    try:
        id_ = bytes.fromhex(text)
    except ValueError:
        return None
    return id_ if len(id_) == HASH_BYTES and id_.hex() == text else None


def output_number(seq: int, index: int) -> int:
    """Number an output, in commit order."""
    assert 0 <= index < OUTPUT_COUNT_MAX, index
    return seq << OUTPUT_BITS | index
