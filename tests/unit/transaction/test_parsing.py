"""`parse` and `verify` over documents that `build` makes: a valid value, then one thing broken."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bigchaindb.errors import (
    AmountError,
    InvalidHash,
    InvalidSignature,
    MalformedJson,
    SchemaValidationError,
    ThresholdTooDeep,
    ValidationError,
)
from bigchaindb.transaction import parse, verify
from bigchaindb.transaction.build import Payment, Spend, create, transfer
from bigchaindb.transaction.canonical import canonical
from bigchaindb.transaction.conditions import Details, Ed25519Details, ThresholdDetails, condition_of, details_of
from bigchaindb.transaction.model import OutputRef, Version
from bigchaindb.transaction.parsing import SIGNED_BYTES_MAX
from tests.support.signed_documents import ALICE, BOB, CAROL, contents, made, rehashed

VERSIONS = pytest.mark.parametrize("version", ["1.0", "2.0"])


def refused(document: dict[str, Any]) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        parse(rehashed(document))
    return caught.value


@VERSIONS
def test_create(version: Version) -> None:
    signed = create(
        [ALICE], [Payment(details_of([BOB.public_key]), 7)], data={"x": 1}, metadata={"y": 2}, version=version
    )
    transaction = parse(signed.body)
    assert verify(transaction)
    assert (transaction.id, transaction.body) == signed
    assert transaction.asset_id == transaction.id
    assert (transaction.operation, transaction.version) == ("CREATE", version)
    assert contents(transaction) == ({"data": {"x": 1}}, {"y": 2})
    assert transaction.inputs[0].owners_before == (ALICE.public_key,)
    assert transaction.inputs[0].fulfills is None
    assert [(o.amount, o.public_keys, o.owners) for o in transaction.outputs] == [(7, *[(BOB.public_key,)] * 2)]
    assert transaction.id in repr(transaction)
    assert len(repr(transaction)) < 150


@VERSIONS
def test_transfer(version: Version) -> None:
    asset = create([ALICE], version=version).id
    two = details_of([ALICE.public_key, BOB.public_key, CAROL.public_key], threshold=2)
    spends = [
        Spend(OutputRef(asset, 0), details_of([ALICE.public_key]), (ALICE,)),
        Spend(OutputRef(asset, 1), two, (BOB, CAROL)),
    ]
    transaction = parse(transfer(asset, spends, [Payment(two)], version=version).body)
    assert verify(transaction)
    assert transaction.asset_id == asset
    assert contents(transaction) == ({"id": asset}, None)
    assert [i.fulfills for i in transaction.inputs] == [OutputRef(asset, 0), OutputRef(asset, 1)]
    assert [i.fulfillment.fingerprint for i in transaction.inputs] == [
        condition_of(s.details).fingerprint for s in spends
    ]
    assert (transaction.inputs[0].message == transaction.inputs[1].message) is (version == "1.0")


@VERSIONS
def test_signatures_of_others_do_not_verify(version: Version) -> None:
    good, other = parse(create([ALICE], version=version).body), parse(create([ALICE], data={}, version=version).body)
    first = replace(good.inputs[0], fulfillment=other.inputs[0].fulfillment)
    assert verify(good)
    assert not verify(replace(good, inputs=(first,)))


@VERSIONS
def test_every_signature_must_verify(version: Version) -> None:
    transaction = parse(create([ALICE, BOB], version=version).body)
    (first,) = transaction.inputs
    one, (key, signature) = first.fulfillment.signatures
    fulfillment = replace(first.fulfillment, signatures=(one, (key, signature[:63] + b"\0")))
    assert verify(transaction)
    assert not verify(replace(transaction, inputs=(replace(first, fulfillment=fulfillment),)))


def test_documents_without_a_version_name_it() -> None:
    document = made("2.0")
    del document["version"]
    assert str(refused(document)) == "'version' is a required property"


def test_1_0_is_checked_for_structure_before_its_id_and_2_0_after() -> None:
    assert type(refused(made("1.0", extra=1))) is SchemaValidationError
    with pytest.raises(SchemaValidationError):
        parse(canonical(made("1.0", extra=1, id="0" * 64), "1.0"))
    with pytest.raises(InvalidHash, match=r"^The transaction's id '0{64}' isn't equal to the hash of its body"):
        parse(canonical(made("2.0", extra=1, id="0" * 64), "2.0"))


def test_missing_and_odd_ids() -> None:
    for version, error in (("1.0", SchemaValidationError), ("2.0", InvalidHash)):
        document = made(version)
        del document["id"]
        with pytest.raises(error):
            parse(canonical(document, version))
    with pytest.raises(InvalidHash, match="id 'None' isn't"):
        parse(canonical(made("2.0", id=None), "2.0"))
    with pytest.raises(InvalidHash):
        parse(canonical(made("2.0", id={"inputs": 1}), "2.0"))
    with pytest.raises(SchemaValidationError, match="lower-case hex"):
        parse(canonical(made("1.0", id="A" * 64), "1.0"))


@VERSIONS
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": "3.0"}, "'3.0' is not one of ['1.0', '2.0']"),
        ({"operation": "VOTE"}, "'VOTE' is not one of "),
        ({"operation": []}, "[] is not one of "),
        ({"metadata": {}}, "metadata: "),
        ({"metadata": []}, "metadata: "),
        ({"extra": 1}, "Additional properties are not allowed ('extra' was unexpected)"),
        ({"asset": {"id": "0" * 64}}, "asset: "),
        ({"inputs": []}, "inputs: "),
    ],
)
def test_structure(version: Version, changes: dict[str, Any], message: str) -> None:
    error = refused(made(version, **changes))
    assert isinstance(error, SchemaValidationError)
    assert str(error).startswith(message)


def test_genesis_is_of_version_1_0() -> None:
    assert "GENESIS" in str(refused(made("2.0", operation="GENESIS")))
    assert parse(rehashed(made("1.0", operation="GENESIS"))).operation == "GENESIS"


@VERSIONS
def test_depth_of_details(version: Version) -> None:
    def document(levels: int) -> bytes:
        details: Details = Ed25519Details(ALICE.public_key)
        for _ in range(levels):
            details = ThresholdDetails(1, (details,))
        return create([ALICE], [Payment(details)], version=version).body

    assert parse(document(99)).outputs[0].owners == (ALICE.public_key,)
    for levels in (100, 120):
        with pytest.raises(ThresholdTooDeep, match=r"^$"):
            parse(document(levels))
    with pytest.raises(MalformedJson):
        parse(document(128))


@VERSIONS
@pytest.mark.parametrize(
    ("amount", "message"),
    [("0", "`amount` must be greater than 0"), ("9000000000000000001", "`amount` must be <= 9000000000000000000")],
)
def test_amounts(version: Version, amount: str, message: str) -> None:
    document = made(version)
    document["outputs"][0]["amount"] = amount
    error = refused(document)
    assert isinstance(error, AmountError)
    assert str(error) == message


def test_leading_zeros_of_amounts() -> None:
    for version in ("1.0", "2.0"):
        document = made(version)
        document["outputs"][0]["amount"] = "0007"
        if version == "1.0":
            assert isinstance(refused(document), AmountError)
        else:
            assert parse(rehashed(document)).outputs[0].amount == 7


@VERSIONS
def test_owners_are_the_public_keys_that_the_condition_names(version: Version) -> None:
    """Who is listed as owner but could not spend is not listed for the output (http-api.md, section 7)."""
    document = made(version)
    document["outputs"][0]["public_keys"] = [BOB.public_key, ALICE.public_key, ALICE.public_key]
    found = parse(rehashed(document)).outputs[0]
    assert found.public_keys == (BOB.public_key, ALICE.public_key, ALICE.public_key)
    assert found.owners == (ALICE.public_key,)
    document["outputs"][0]["public_keys"] = None
    assert parse(rehashed(document)).outputs[0].owners == ()


@VERSIONS
def test_a_uri_of_another_condition_names_the_right_one(version: Version) -> None:
    document = made(version)
    right = document["outputs"][0]["condition"]["uri"]
    document["outputs"][0]["condition"]["uri"] = condition_of(details_of([BOB.public_key])).uri
    error = refused(document)
    assert type(error) is ValidationError
    assert str(error) == f"outputs[0].condition.uri: expected {right} from the details"


@VERSIONS
def test_a_uri_that_is_none_is_an_error_of_structure(version: Version) -> None:
    document = made(version)
    for uri in ("", "ni:///sha-256;x\n", document["outputs"][0]["condition"]["uri"] + "\n"):
        document["outputs"][0]["condition"]["uri"] = uri
        error = refused(document)
        assert type(error) is SchemaValidationError
        assert str(error).startswith("outputs[0].condition.uri: expected `str` matching regex")


@VERSIONS
def test_keys_are_keys_wherever_they_stand(version: Version) -> None:
    for place in ("owners_before", "public_keys", "public_key"):
        document = made(version)
        if place == "owners_before":
            document["inputs"][0][place] = [ALICE.public_key, "1" * 43]
        elif place == "public_keys":
            document["outputs"][0][place] = [ALICE.public_key, "1" * 43]
        else:
            document["outputs"][0]["condition"]["details"][place] = "1" * 43
        error = refused(document)
        assert type(error) is SchemaValidationError
        assert str(error).endswith(f"'{'1' * 43}' is not a base58 key of 32 bytes")


@VERSIONS
def test_unsigned_documents(version: Version) -> None:
    """Drivers put the details where the fulfillment will be; whoever posts that forgot to sign."""
    document = made(version)
    document["inputs"][0]["fulfillment"] = {"type": "ed25519-sha-256", "public_key": ALICE.public_key}
    error = refused(document)
    assert type(error) is InvalidSignature
    assert str(error) == "Transaction signature is invalid."


def wide(version: Version, signature_count: int, input_count: int, *, message_bytes: int) -> bytes:
    """Make a TRANSFER whose inputs all stand on `signature_count` signatures over so many bytes, none of them right."""
    asset = create([ALICE], version=version).id
    spend = Spend(OutputRef(asset, 0), details_of([ALICE.public_key, BOB.public_key][:signature_count]), (ALICE, BOB))
    document = json.loads(transfer(asset, [spend], [Payment(spend.details)], metadata={"m": ""}, version=version).body)
    document["inputs"] *= input_count
    text = json.dumps(document["inputs"][0]["fulfillment"])
    padding = message_bytes - len(canonical(document, version)) + input_count * (len(text) - len("null"))
    return rehashed({**document, "metadata": {"m": "x" * padding}})


@pytest.mark.parametrize(("signatures", "inputs"), [(1, 64), (2, 32)])
def test_what_signatures_sign_together_is_bounded(signatures: int, inputs: int) -> None:
    """Each signature of a 1.0 signs the document without its fulfillments, so that the work grows with the square."""
    share = SIGNED_BYTES_MAX // 64
    longest = parse(wide("1.0", signatures, inputs, message_bytes=share))
    assert {len(one.message) for one in longest.inputs} == {share}
    with pytest.raises(ValidationError, match=f"64 signatures over {share + 1} bytes each: .* <= 67108864$") as caught:
        parse(wide("1.0", signatures, inputs, message_bytes=share + 1))
    assert type(caught.value) is ValidationError
    assert parse(wide("2.0", signatures, inputs, message_bytes=share + 1))


@VERSIONS
def test_metadata_may_look_like_an_input(version: Version) -> None:
    """Texts are cut out of the canonical text: nothing that a client writes may be taken for a member."""
    trap = {"fulfillment": "x", "inputs": [{"fulfillment": "y"}], "id": "z", "operation": "CREATE", "metadata": None}
    signed = create([ALICE], data=trap, metadata=trap, version=version)
    transaction = parse(signed.body)
    assert verify(transaction)
    assert contents(transaction) == ({"data": trap}, trap)


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_refused_in_order(body: bytes) -> None:
    with pytest.raises(ValidationError):
        parse(body)


@VERSIONS
@pytest.mark.parametrize(
    "value", ["x", "x" * 100_000, list(range(8_000)), [{}] * 4_000], ids=["short", "text", "numbers", "objects"]
)
def test_a_transaction_takes_little_more_memory_than_its_body_is_long(version: Version, value: object) -> None:
    """Bounds on memory count bytes of bodies, so a body must not keep the room that a writer took for it, nor values.

    Ten thousand empty objects are 30 kB of text and 700 kB of memory.
    """
    body = create([ALICE], data={"value": value}, metadata={"value": value}, version=version).body
    parse(body)  # fills caches
    tracemalloc.start()
    transaction = parse(body)
    held_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert transaction.body == body
    assert held_bytes < 3 * len(body) + 3_000  # 1.0 signs, and so holds, nearly all of it
