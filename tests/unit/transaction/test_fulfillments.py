"""Fulfillments: one set of signatures, one text (but for the order of members)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.errors import InvalidSignature
from bigchaindb.transaction import der
from bigchaindb.transaction.conditions import Details, Ed25519Details, ThresholdDetails, condition_of, details_of
from bigchaindb.transaction.fulfillments import fulfill, parse_fulfillment
from bigchaindb.transaction.keys import KeyPair, decode_key, verify_signature

PAIRS = [KeyPair.from_seed(bytes([index]) * 32) for index in range(1, 6)]
A, B, C = PAIRS[:3]
MESSAGE = b"message"
SIGNATURES = {pair.public_key: pair.sign(MESSAGE) for pair in PAIRS}
LOCKS: st.SearchStrategy[Details] = st.recursive(
    st.sampled_from(sorted(SIGNATURES)).map(Ed25519Details),
    lambda inner: st.lists(inner, min_size=1, max_size=4).flatmap(
        lambda members: st.integers(1, len(members)).map(lambda n: ThresholdDetails(n, tuple(members)))
    ),
    max_leaves=8,
)


def raw(text: str) -> bytes:
    return urlsafe_b64decode(text + "==")


def text_of(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


@given(LOCKS)
def test_a_fulfillment_opens_its_own_condition(details: Details) -> None:
    fulfillment = parse_fulfillment(fulfill(details, SIGNATURES))
    assert fulfillment.fingerprint == condition_of(details).fingerprint
    assert fulfillment.signatures
    assert all(verify_signature(key, MESSAGE, signature) for key, signature in fulfillment.signatures)


def test_two_of_three() -> None:
    details = details_of([A.public_key, B.public_key, C.public_key], threshold=2)
    for pairs in ([A, B], [A, C], [B, C]):
        text = fulfill(details, {pair.public_key: SIGNATURES[pair.public_key] for pair in pairs})
        found = parse_fulfillment(text)
        assert {key for key, _ in found.signatures} == {decode_key(pair.public_key) for pair in pairs}
        assert found.fingerprint == condition_of(details).fingerprint


def test_too_few_signatures() -> None:
    two = details_of([A.public_key, B.public_key])
    with pytest.raises(InvalidSignature, match="do not open the condition"):
        fulfill(two, {A.public_key: SIGNATURES[A.public_key]})


def test_more_signatures_than_needed_give_the_cheapest_text() -> None:
    """A nested threshold costs more than a key: where both are signed, the key goes in."""
    details = ThresholdDetails(1, (details_of([B.public_key, C.public_key]), details_of([A.public_key])))
    assert parse_fulfillment(fulfill(details, SIGNATURES)).signatures == (
        (decode_key(A.public_key), SIGNATURES[A.public_key]),
    )


def test_depth_is_limited_as_in_details() -> None:
    def tower(levels: int) -> str:
        details: Details = details_of([A.public_key])
        for _ in range(levels):
            details = ThresholdDetails(1, (details,))
        return fulfill(details, SIGNATURES)

    parse_fulfillment(tower(99))
    with pytest.raises(InvalidSignature):
        parse_fulfillment(tower(100))


def bare_threshold(
    cost: bytes = b"\x81\x03\x02\x04\x00", *, tail: bytes = b"\x82\x02\x03\x08", size: int = 32
) -> bytes:
    return der.element(0xA2, der.element(0x80, bytes(size)) + cost + tail)


def test_bare_conditions_are_conditions() -> None:
    key = raw(fulfill(details_of([A.public_key]), SIGNATURES))

    def with_bare(bare: bytes) -> str:
        return text_of(der.element(0xA2, der.element(0xA0, key) + der.element(0xA1, bare)))

    parse_fulfillment(with_bare(bare_threshold()))
    for wrong in (
        bare_threshold(tail=b"\x82\x02\x03\x18"),
        bare_threshold(size=31),
        bare_threshold(b"\x81\x00"),
        bare_threshold(b"\x81\x09\x01" + bytes(8)),
        condition_of(details_of([A.public_key])).der[:-1] + b"\x01",
        der.element(0xA0, bare_threshold()[2:]),
    ):
        with pytest.raises(InvalidSignature):
            parse_fulfillment(with_bare(wrong))


def test_the_same_signatures_in_another_text_are_refused() -> None:
    one = fulfill(details_of([A.public_key]), SIGNATURES)
    two = fulfill(details_of([A.public_key, B.public_key]), SIGNATURES)
    parts = raw(two)[3:]
    assert parse_fulfillment(text_of(der.element(0xA2, parts))) == parse_fulfillment(two)
    for text in (
        one + "==",
        one + " ",
        one[:-2] + "+/",
        text_of(raw(one) + b"\0"),
        text_of(der.element(0xA2, parts + b"\xa3\x00")),  # a third part
        two[:-1] + chr(ord(two[-1]) + 1),  # bits that mean nothing
    ):
        with pytest.raises(InvalidSignature):
            parse_fulfillment(text)


def test_something_must_be_signed() -> None:
    bare = condition_of(details_of([A.public_key])).der
    for content in (b"\xa0\x00\xa1\x00", b"\xa0\x00" + der.element(0xA1, bare)):
        with pytest.raises(InvalidSignature):
            parse_fulfillment(text_of(der.element(0xA2, content)))


@given(LOCKS, st.data())
def test_every_other_byte_string_is_refused_or_means_something_else(details: Details, data: st.DataObject) -> None:
    """No change of a byte may leave the meaning: that would be a second text of the same signatures."""
    content = bytearray(raw(fulfill(details, SIGNATURES)))
    before = parse_fulfillment(text_of(bytes(content)))
    index = data.draw(st.integers(0, len(content) - 1))
    content[index] ^= data.draw(st.integers(1, 255))
    with suppress(InvalidSignature):
        assert parse_fulfillment(text_of(bytes(content))) != before


@given(st.text() | st.binary().map(text_of))
def test_nothing_but_invalid_signature_is_raised(text: str) -> None:
    with pytest.raises(InvalidSignature, match=r"^Fulfillment URI couldn't been parsed$"):
        parse_fulfillment(text)
