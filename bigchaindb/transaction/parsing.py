"""From bytes to a `Transaction`: everything that can be checked without state and signatures (T0 to T7)."""

from collections.abc import Iterable, Sequence
from hashlib import sha3_256
from itertools import count, repeat
from typing import Any, Final

from bigchaindb.errors import (
    AmountError,
    InvalidHash,
    InvalidSignature,
    SchemaValidationError,
    ThresholdTooDeep,
    ValidationError,
)
from bigchaindb.transaction.canonical import canonical_plain, exact
from bigchaindb.transaction.conditions import Condition, Details, Ed25519Details, is_too_deep, keys_of
from bigchaindb.transaction.content import check_content
from bigchaindb.transaction.fulfillments import parse_fulfillment
from bigchaindb.transaction.model import AMOUNT_MAX, Input, Output, OutputRef, Transaction, Version
from bigchaindb.transaction.reading import bound_values, read
from bigchaindb.transaction.shape import HEX, MEMBERS, InputShape, OutputShape, Shape, TransferAsset, checked
from bigchaindb.transaction.texts import Texts, id_v1, id_v2, messages_v2, with_id

SIGNED_BYTES_MAX: Final = 64 * 2**20
"""Signatures times the bytes that each signs, of one document. In version 1.0 each signs nearly all of it: without a
bound 1 MiB of inputs keeps a core busy for seconds. A rule of the network (docs/decisions/0022)."""

_ID_SHOWN_MAX: Final = 200
_VERSION_START: Final = -len(b',"version":"2.0"}')


def parse(body: bytes, *, elections: bool = False, committed: bool = False) -> Transaction:
    """Turn bytes from anyone into a transaction whose structure, id and content are right.

    Version 1.0 is checked for structure before its id, every other document the other way round: the messages that
    clients know depend on it. Source: docs/reference/contract/transactions.md, section 6.

    Args:
        body: of one document.
        elections: whether VALIDATOR_ELECTION and VOTE are operations, which they are where several nodes vote.
        committed: whether a ledger holds it: what was valid once stays so, however many values it has.

    Raises:
        MalformedJson: T0, no JSON object within the limits.
        InvalidHash: T1 or T2, the id is missing or is not the hash of the body.
        SchemaValidationError: T3, names the path and the rule; more than `VALUE_COUNT_MAX` values, before T0.
        ValidationError: T4, a key name; T5, a language; T7, a URI that does not belong to its details.
        InvalidSignature: T6, a fulfillment cannot be read.
        ThresholdTooDeep: T7, details are nested too deep.
        AmountError: T7, an amount is out of range.
        ValidationError: the signatures of a 1.0 sign more than `SIGNED_BYTES_MAX`.
    """
    if not committed:
        bound_values(body)
    document, plain = read(body)
    if document.get("version") == "1.0":
        return _parse_v1(document, plain=plain)
    return _parse_v2(document, plain=plain, elections=elections)


def _parse_v1(document: dict[str, Any], *, plain: bool) -> Transaction:
    shape, conditions = checked(document)
    texts = Texts.of(document, "1.0", plain=plain)
    check_content(document["asset"], document["metadata"], texts.body[:_VERSION_START])
    _require_fulfillments(shape.inputs)
    unsigned = texts.unsigned(len(shape.inputs))
    if shape.id != id_v1(texts.head, unsigned):
        if not HEX.search(shape.id):
            raise SchemaValidationError(f"id: {shape.id[:_ID_SHOWN_MAX]!r} is not 64 digits of lower-case hex")
        raise _wrong_id(shape.id)
    message = with_id(texts.head, shape.id, unsigned)
    transaction = _built(shape, conditions, [message] * len(shape.inputs), texts.body)
    _bound_signed(transaction.inputs, len(message))
    return transaction


def _bound_signed(inputs: Iterable[Input], message_bytes: int) -> None:
    # In 2.0 a signature signs 32 bytes, and takes more bytes of the document than that.
    count = sum(len(input_.fulfillment.signatures) for input_ in inputs)
    if count * message_bytes > SIGNED_BYTES_MAX:
        raise ValidationError(
            f"{count} signatures over {message_bytes} bytes each: signatures times bytes must be <= {SIGNED_BYTES_MAX}"
        )


def _parse_v2(document: dict[str, Any], *, plain: bool, elections: bool) -> Transaction:
    if "id" not in document:
        raise InvalidHash("No transaction id found!")
    texts = Texts.of(document, "2.0", plain=plain) if document.keys() == MEMBERS else None
    if document["id"] != (_id_of_any(document, plain=plain) if texts is None else id_v2(texts.head, texts.tail)):
        raise _wrong_id(document["id"])
    shape, conditions = checked(document, elections=elections)
    assert texts is not None, document.keys()  # T3 refuses other members than the seven
    check_content(document["asset"], document["metadata"], texts.body[:_VERSION_START])
    _require_fulfillments(shape.inputs)
    messages = messages_v2(texts.head, texts.unsigned(len(shape.inputs)), map(_ref_of, shape.inputs))
    return _built(shape, conditions, messages, texts.body)


def _id_of_any(document: dict[str, Any], *, plain: bool) -> str:
    write = canonical_plain if plain else exact
    return sha3_256(write({**document, "id": None}, "2.0")).hexdigest()


def _wrong_id(transaction_id: object) -> InvalidHash:
    shown = str(transaction_id)[:_ID_SHOWN_MAX]
    return InvalidHash(f"The transaction's id '{shown}' isn't equal to the hash of its body, i.e. it's not valid.")


def _require_fulfillments(inputs: Iterable[InputShape]) -> None:
    # Details stand where a fulfillment belongs: the transaction was prepared but not signed.
    if not all(isinstance(shape.fulfillment, str) for shape in inputs):
        raise InvalidSignature("Transaction signature is invalid.")


def _built(shape: Shape, conditions: Sequence[Condition], messages: Sequence[bytes], body: bytes) -> Transaction:
    return Transaction(
        id=shape.id,
        version=shape.version,
        operation=shape.operation,
        asset_id=shape.asset.id if isinstance(shape.asset, TransferAsset) else shape.id,
        inputs=tuple(map(_input, shape.inputs, messages)),
        outputs=tuple(map(_output, shape.outputs, conditions, repeat(shape.version), count())),
        body=body,
    )


def _input(shape: InputShape, message: bytes) -> Input:
    assert isinstance(shape.fulfillment, str), shape  # see _require_fulfillments
    return Input(shape.owners_before, _ref_of(shape), parse_fulfillment(shape.fulfillment), message)


def _ref_of(shape: InputShape) -> OutputRef | None:
    fulfills = shape.fulfills
    return None if fulfills is None else OutputRef(fulfills.transaction_id, fulfills.output_index)


def _output(shape: OutputShape, condition: Condition, version: Version, index: int) -> Output:
    if is_too_deep(shape.condition.details):
        raise ThresholdTooDeep
    amount = _amount(shape.amount, version)
    if shape.condition.uri != condition.uri:
        raise ValidationError(f"outputs[{index}].condition.uri: expected {condition.uri} from the details")
    public_keys = shape.public_keys or ()
    return Output(amount, condition.fingerprint, public_keys, _owners(public_keys, shape.condition.details))


def _amount(text: str, version: Version) -> int:
    amount = int(text)
    if amount == 0:
        raise AmountError("`amount` must be greater than 0")
    if amount > AMOUNT_MAX:
        raise AmountError(f"`amount` must be <= {AMOUNT_MAX}")
    if text[0] == "0" and version == "1.0":
        # Servers of 1.x checked signatures over a text in which the amount was written anew.
        raise AmountError("`amount` must not have leading zeros")
    return amount


def _owners(public_keys: tuple[str, ...], details: Details) -> tuple[str, ...]:
    if isinstance(details, Ed25519Details) and public_keys == (details.public_key,):
        return public_keys
    named = set(keys_of(details))
    return tuple(key for key in dict.fromkeys(public_keys) if key in named)
