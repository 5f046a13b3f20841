"""Conditions: the lock of an output, as JSON details, as DER, as a fingerprint and as a URI.

Source: docs/reference/contract/transactions.md, section 4 (the subset of draft-thomas-crypto-conditions-02 that
BigchainDB knows: Ed25519 keys and thresholds).
"""

from binascii import b2a_base64
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

from msgspec import Meta, Struct

from bigchaindb.transaction import der
from bigchaindb.transaction.keys import KEY_PATTERN, decode_key

DEPTH_END: Final = 100
"""Details at this depth (the root is at 0) are nested too deep. Source: transactions.md, section 4.1."""

THRESHOLD_MAX: Final = 100
KEY_COST: Final = 131_072
CONDITIONS_CACHED_MAX: Final = 16_384
"""Conditions of keys that are remembered: most outputs repeat keys. About 10 MB when full."""

URI_PATTERN: Final = (
    "^ni:///sha-256;([a-zA-Z0-9_-]{0,86})[?]"
    "(fpt=(ed25519|threshold)-sha-256(&)?|cost=[0-9]+(&)?|subtypes=ed25519-sha-256(&)?){2,3}$(?!\n)"
)

Key: TypeAlias = Annotated[
    str, Meta(extra_json_schema={"pattern": KEY_PATTERN, "description": "An Ed25519 key, base58."})
]


class Ed25519Details(Struct, frozen=True, tag_field="type", tag="ed25519-sha-256", forbid_unknown_fields=True):
    """Opened by one signature."""

    public_key: Key


class ThresholdDetails(Struct, frozen=True, tag_field="type", tag="threshold-sha-256", forbid_unknown_fields=True):
    """Opened by opening `threshold` of its subconditions."""

    threshold: Annotated[int, Meta(ge=1, le=THRESHOLD_MAX)]
    subconditions: Annotated[tuple["Ed25519Details | ThresholdDetails", ...], Meta(min_length=1)]


Details: TypeAlias = Ed25519Details | ThresholdDetails


class Condition(NamedTuple):
    """A condition in all its forms but the details.

    Attributes:
        fingerprint: SHA-256, 32 bytes; equal fingerprints mean equal conditions.
        cost: as the draft counts it.
        der: how it stands inside another condition or fulfillment.
        uri: as outputs carry it.
    """

    fingerprint: bytes
    cost: int
    der: bytes
    uri: str


def details_of(public_keys: Sequence[str], threshold: int | None = None) -> Details:
    """Return the details that drivers build for owners: one key alone, several as n-of-n or `threshold`-of-n."""
    if len(public_keys) == 1 and threshold is None:
        return Ed25519Details(public_keys[0])
    return ThresholdDetails(threshold or len(public_keys), tuple(map(Ed25519Details, public_keys)))


def to_json(details: Details) -> dict[str, Any]:
    """Return the JSON form of details."""
    if isinstance(details, Ed25519Details):
        return {"type": "ed25519-sha-256", "public_key": details.public_key}
    subconditions = [to_json(member) for member in details.subconditions]
    return {"type": "threshold-sha-256", "threshold": details.threshold, "subconditions": subconditions}


def condition_of(details: Details) -> Condition:
    """Compute the condition, each subcondition once: the work is linear in the size of the details.

    Raises:
        ValueError: a key is not a base58 text of 32 bytes, or a threshold exceeds its subconditions.
    """
    if isinstance(details, Ed25519Details):
        return key_condition(decode_key(details.public_key))
    if details.threshold > len(details.subconditions):
        raise ValueError(f"threshold {details.threshold} exceeds its {len(details.subconditions)} subconditions")
    return threshold_condition(details.threshold, [condition_of(member) for member in details.subconditions])


def keys_of(details: Details) -> list[str]:
    """Return every key that the details name, in order, with repeats."""
    if isinstance(details, Ed25519Details):
        return [details.public_key]
    return [key for member in details.subconditions for key in keys_of(member)]


def is_too_deep(details: Details, depth: int = 0) -> bool:
    """Whether details stand at depth 100 or below."""
    if isinstance(details, ThresholdDetails) and depth < DEPTH_END:
        return any(is_too_deep(member, depth + 1) for member in details.subconditions)
    return depth >= DEPTH_END


@lru_cache(maxsize=CONDITIONS_CACHED_MAX)
def key_condition(public_key: bytes) -> Condition:
    """Return the condition that one Ed25519 key opens."""
    fingerprint = sha256(b"\x30\x22\x80\x20" + public_key).digest()
    text = b"\xa4\x27\x80\x20" + fingerprint + b"\x81\x03" + der.integer(KEY_COST)
    return Condition(fingerprint, KEY_COST, text, _uri(fingerprint, f"ed25519-sha-256&cost={KEY_COST}"))


def threshold_condition(threshold: int, members: Sequence[Condition]) -> Condition:
    """Return the condition that any `threshold` of the members open; their order does not matter."""
    dearest = sorted((member.cost for member in members), reverse=True)[:threshold]
    cost = sum(dearest) + 1024 * len(members)
    subconditions = b"".join(sorted(member.der for member in members))  # DER sorts what stands in a SET OF
    contents = der.element(0x80, der.integer(threshold)) + der.element(0xA1, subconditions)
    fingerprint = sha256(der.element(0x30, contents)).digest()
    # The last element names the types below: bit 4 is ed25519. A threshold never lists its own.
    text = der.element(0xA2, b"\x80\x20" + fingerprint + der.element(0x81, der.integer(cost)) + b"\x82\x02\x03\x08")
    return Condition(
        fingerprint, cost, text, _uri(fingerprint, f"threshold-sha-256&cost={cost}&subtypes=ed25519-sha-256")
    )


def _uri(fingerprint: bytes, query: str) -> str:
    return f"ni:///sha-256;{to_base64url(fingerprint)}?fpt={query}"


def to_base64url(raw: bytes) -> str:
    """Return the base64url text without padding."""
    return b2a_base64(raw, newline=False).decode().rstrip("=").replace("+", "-").replace("/", "_")
