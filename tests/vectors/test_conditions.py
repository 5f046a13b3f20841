"""Every record of conditions.json: details, fulfillments, URIs, signatures."""

import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Final

import msgspec
import pytest

from bigchaindb.errors import InvalidSignature, SchemaValidationError, ValidationError
from bigchaindb.transaction import KeyPair, parse, verify_signature
from bigchaindb.transaction.build import Payment, create
from bigchaindb.transaction.canonical import canonical
from bigchaindb.transaction.conditions import Details, condition_of
from bigchaindb.transaction.fulfillments import parse_fulfillment
from bigchaindb.transaction.texts import Texts, id_v2
from tests.vectors.judging import Record, read

VECTORS: Final = read("conditions")

STRICT: Final = "BER, trailing bytes, padding and foreign characters give one signature several texts"
TYPES: Final = "only keys and thresholds are known, and something must be signed"
DIFFERENT_FULFILLMENTS: Final = {
    **dict.fromkeys(("trailing-byte", "trailing-fulfillment", "padded", "spaces", "star"), STRICT),
    **dict.fromkeys(("ber-long-length", "inner-long-length"), STRICT),
    **dict.fromkeys(("tag-3", "preimage", "preimage-empty", "threshold-empty", "threshold-no-fulfillment"), TYPES),
    **dict.fromkeys(("threshold-with-preimage", "threshold-preimage-condition"), TYPES),
}
"""What cryptoconditions 0.8.0 parses and this node refuses."""


def named(part: str) -> list[object]:
    return [pytest.param(record, id=record["name"]) for record in VECTORS[part]]


IMPOSSIBLE: Final = {
    "3of2": "threshold 3 exceeds its 2 subconditions",
    "1of0": "Expected `array` of length >= 1",
    # Keys with many leading zero bytes have less than 43 characters: no release accepted them in a transaction.
    "small-order4-a": "is not a base58 key of 32 bytes",
    "small-order4-b": "is not a base58 key of 32 bytes",
}
"""Details that no output can have."""


@pytest.mark.parametrize("record", named("conditions"))
def test_condition(record: Record) -> None:
    if record["name"] in IMPOSSIBLE:
        with pytest.raises(ValueError, match=IMPOSSIBLE[record["name"]]):
            condition_of(msgspec.convert(record["details"], Details))
        return
    condition = condition_of(msgspec.convert(record["details"], Details))
    assert condition.uri == record["uri"]
    assert condition.cost == record["cost"]
    assert condition.fingerprint.hex() == record["fingerprint_hex"]
    assert urlsafe_b64encode(condition.der).rstrip(b"=").decode() == record["condition_der_b64url"]
    if record["fingerprint_contents_hex"]:
        assert sha256(bytes.fromhex(record["fingerprint_contents_hex"])).digest() == condition.fingerprint


@pytest.mark.parametrize("record", named("fulfillments"))
def test_fulfillment(record: Record) -> None:
    text, is_different = record["fulfillment"], record["name"] in DIFFERENT_FULFILLMENTS
    if not record["parses"] or is_different:
        with pytest.raises(InvalidSignature, match=r"^Fulfillment URI couldn't been parsed$"):
            parse_fulfillment(text)
        assert not (is_different and not record["parses"])
        return
    fulfillment = parse_fulfillment(text)
    message = bytes.fromhex(record["message_hex"])
    assert all(verify_signature(key, message, s) for key, s in fulfillment.signatures) is record["valid"]
    assert urlsafe_b64encode(fulfillment.fingerprint).rstrip(b"=").decode() in record["condition_uri"]


@pytest.mark.parametrize("record", named("condition_uris"))
def test_uri_of_an_output(record: Record) -> None:
    """URIs are never read, only compared: one text belongs to a condition, every other is refused."""
    alice = KeyPair.from_seed(sha256(b"alice").digest())
    details = next(
        msgspec.convert(other["details"], Details)
        for other in VECTORS["conditions"]
        if other["name"] == ("2of2" if record["name"].startswith("threshold") else "key-alice")
    )
    document = json.loads(create([alice], [Payment(details)]).body)
    document["outputs"][0]["condition"]["uri"] = record["uri"]
    texts = Texts.of(document, "2.0", plain=True)
    body = canonical({**document, "id": id_v2(texts.head, texts.tail)}, "2.0")
    if record["uri"] == condition_of(details).uri:
        assert record["name"] in {"ed25519", "threshold"}
        parse(body)
        return
    with pytest.raises((SchemaValidationError, ValidationError), match=r"^outputs\[0\]\.condition\.uri: expected "):
        parse(body)


@pytest.mark.parametrize("record", named("ed25519"))
def test_signature(record: Record) -> None:
    """This library in this version decides: another one would fork the network."""
    key, signature = bytes.fromhex(record["public_key_hex"]), bytes.fromhex(record["signature_hex"])
    assert verify_signature(key, bytes.fromhex(record["message_hex"]), signature) is record["accepts"]["PyNaCl 1.6.2"]


def test_the_file_is_complete() -> None:
    counts = {part: len(VECTORS[part]) for part in ("conditions", "fulfillments", "condition_uris", "ed25519")}
    assert counts == {"conditions": 50, "fulfillments": 81, "condition_uris": 24, "ed25519": 29}
