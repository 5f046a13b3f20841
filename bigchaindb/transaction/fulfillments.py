"""Fulfillments: the proof that opens a condition, between base64url text and values.

Reading is strict, so that one set of signatures has one text (but for the order of members, which old drivers do not
keep). Source: docs/reference/contract/transactions.md, sections 4.2 and 9.
"""

from binascii import a2b_base64
from collections.abc import Mapping
from typing import Final, NamedTuple

from bigchaindb.errors import InvalidSignature
from bigchaindb.transaction import der
from bigchaindb.transaction.conditions import (
    DEPTH_END,
    KEY_COST,
    Condition,
    Details,
    Ed25519Details,
    condition_of,
    key_condition,
    threshold_condition,
    to_base64url,
)
from bigchaindb.transaction.keys import decode_key
from bigchaindb.transaction.model import Fulfillment

_KEY_HEAD: Final = b"\xa4\x64\x80\x20"
_KEY_BYTES: Final = 102
_BARE_KEY_HEAD: Final = b"\xa4\x27\x80\x20"
_BARE_KEY_TAIL: Final = b"\x81\x03" + der.integer(KEY_COST)
_BARE_KEY_BYTES: Final = 41
_BARE_THRESHOLD_TAIL: Final = b"\x82\x02\x03\x08"
_COST_BYTES_MAX: Final = 8

Signatures = list[tuple[bytes, bytes]]


def parse_fulfillment(text: str) -> Fulfillment:
    """Read the text of an input's `fulfillment`; whether its signatures verify is another question.

    Raises:
        InvalidSignature: not exactly one fulfillment of types 2 and 4 in DER and base64url.
    """
    signatures: Signatures = []
    try:
        raw = _from_base64url(text)
        condition, stop = _read(raw, 0, len(raw), 0, signatures)
        if stop != len(raw):
            raise ValueError("trailing bytes")  # noqa: TRY301  joins the reader's own
    except ValueError as error:
        raise InvalidSignature("Fulfillment URI couldn't been parsed") from error
    return Fulfillment(condition.fingerprint, tuple(signatures))


def _from_base64url(text: str) -> bytes:
    raw = a2b_base64(text.replace("-", "+").replace("_", "/") + "==")
    if to_base64url(raw) != text:  # other letters, padding, or bits that mean nothing
        raise ValueError("not in base64url")
    return raw


def _read(raw: bytes, start: int, stop: int, depth: int, signatures: Signatures) -> tuple[Condition, int]:
    """Read one fulfillment at `start`; add its signatures; return the condition it opens and where it ends."""
    if depth >= DEPTH_END:
        raise ValueError("nested too deep")
    if raw[start : start + 4] == _KEY_HEAD:
        return _read_key(raw, start, stop, signatures)
    whole = der.read(raw, start, stop)
    proofs = _expect(raw, whole.start, whole.stop, 0xA0)
    bare = _expect(raw, proofs.stop, whole.stop, 0xA1)
    if whole.tag != 0xA2 or bare.stop != whole.stop:  # noqa: PLR2004  the tag of a threshold
        raise ValueError("neither a key nor a threshold")
    members: list[Condition] = []
    position = proofs.start
    while position < proofs.stop:
        member, position = _read(raw, position, proofs.stop, depth + 1, signatures)
        members.append(member)
    if not members:
        raise ValueError("a threshold that nothing fulfills")
    # The threshold is the number of members that are fulfilled; the rest stand as bare conditions.
    threshold = len(members)
    members += _read_bare(raw, bare.start, bare.stop)
    return threshold_condition(threshold, members), whole.stop


def _read_key(raw: bytes, start: int, stop: int, signatures: Signatures) -> tuple[Condition, int]:
    end = start + _KEY_BYTES
    if end > stop or raw[start + 36 : start + 38] != b"\x81\x40":
        raise ValueError("not a key and a signature")
    public_key = raw[start + 4 : start + 36]
    signatures.append((public_key, raw[start + 38 : end]))
    return key_condition(public_key), end


def _read_bare(raw: bytes, start: int, stop: int) -> list[Condition]:
    conditions = []
    while start < stop:
        whole = der.read(raw, start, stop)
        text = raw[start : whole.stop]
        start = whole.stop
        cost = KEY_COST if _is_bare_key(text) else _bare_threshold_cost(raw, whole)
        conditions.append(Condition(b"", cost, text, ""))  # only cost and text count inside a threshold
    return conditions


def _is_bare_key(text: bytes) -> bool:
    return len(text) == _BARE_KEY_BYTES and text.startswith(_BARE_KEY_HEAD) and text.endswith(_BARE_KEY_TAIL)


def _bare_threshold_cost(raw: bytes, whole: der.Element) -> int:
    fingerprint = _expect(raw, whole.start, whole.stop, 0x80)
    cost = _expect(raw, fingerprint.stop, whole.stop, 0x81)
    is_well_formed = (
        whole.tag == 0xA2  # noqa: PLR2004  the tag of a threshold
        and fingerprint.stop - fingerprint.start == 32  # noqa: PLR2004  SHA-256
        and cost.stop - cost.start <= _COST_BYTES_MAX
        and raw[cost.stop : whole.stop] == _BARE_THRESHOLD_TAIL
    )
    if not is_well_formed:
        raise ValueError("not a condition")
    return der.read_integer(raw[cost.start : cost.stop])


def _expect(raw: bytes, start: int, stop: int, tag: int) -> der.Element:
    found = der.read(raw, start, stop)
    if found.tag != tag:
        raise ValueError(f"tag {found.tag:#x} where {tag:#x} belongs")
    return found


class _Proof(NamedTuple):
    """What is known of one node of the details: its condition, and its fulfillment if there are signatures enough."""

    condition: Condition
    fulfillment: bytes | None


def fulfill(details: Details, signatures: Mapping[str, bytes]) -> str:
    """Write the fulfillment of `details` from signatures by public key.

    Raises:
        InvalidSignature: the signatures do not suffice.
    """
    proof = _fulfilled(details, signatures)
    if proof.fulfillment is None:
        raise InvalidSignature("the signatures do not open the condition")
    return to_base64url(proof.fulfillment)


def _fulfilled(details: Details, signatures: Mapping[str, bytes]) -> _Proof:
    if isinstance(details, Ed25519Details):
        signature = signatures.get(details.public_key)
        head = _KEY_HEAD + decode_key(details.public_key) + b"\x81\x40"
        return _Proof(condition_of(details), None if signature is None else head + signature)
    proofs = [_fulfilled(member, signatures) for member in details.subconditions]
    condition = threshold_condition(details.threshold, [proof.condition for proof in proofs])
    # The cheapest go in, as in the drivers, so that signing by more than needed makes the same text.
    ready = sorted((i for i, p in enumerate(proofs) if p.fulfillment), key=lambda i: proofs[i].condition.cost)
    chosen = set(ready[: details.threshold])
    if len(chosen) < details.threshold:
        return _Proof(condition, None)
    opened = sorted(p.fulfillment or b"" for i, p in enumerate(proofs) if i in chosen)
    bare = sorted(p.condition.der for i, p in enumerate(proofs) if i not in chosen)
    contents = der.element(0xA0, b"".join(opened)) + der.element(0xA1, b"".join(bare))
    return _Proof(condition, der.element(0xA2, contents))
