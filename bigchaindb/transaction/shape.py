"""The structure of a transaction as types: one declaration checks documents (T3) and makes the JSON Schema.

Source: docs/reference/contract/transactions.md, sections 1 and 4.1. Rules that a type cannot express (keys are base58
of 32 bytes, a URI belongs to its details, a threshold has members enough) are checked right after, in `checked`.
"""

import re
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

from msgspec import UNSET, Meta, Struct, UnsetType, ValidationError, convert
from msgspec.json import Decoder

from bigchaindb.errors import SchemaValidationError
from bigchaindb.transaction.conditions import URI_PATTERN, Condition, Details, Ed25519Details, Key, condition_of
from bigchaindb.transaction.keys import decode_key

MEMBERS: Final = frozenset({"asset", "id", "inputs", "metadata", "operation", "outputs", "version"})
OUTPUT_INDEX_MAX: Final = 2**63 - 1
"""Largest `output_index` that is looked up; no transaction has as many outputs, and the store keeps 64 bits."""

NODE_ID_CHARACTERS_MAX: Final = 128
"""Of the `node_id` of an election, which is for people; CometBFT's have 40."""
SEED_CHARACTERS_MAX: Final = 128
KEY_TEXT_CHARACTERS_MAX: Final = 128
"""Of a proposed key in any of its encodings: hex, the longest, takes 64."""
POWER_MAX: Final = 2**60 - 1
"""Most voting power of all validators together that CometBFT counts with."""

_HEX_PATTERN: Final = "^[0-9a-f]{64}$(?!\n)"
_TEXT_MAX: Final = 300
"""Most characters of a message: it repeats untrusted names and values."""

Hex: TypeAlias = Annotated[str, Meta(pattern=_HEX_PATTERN, description="A SHA3-256 in lower-case hex.")]
Id: TypeAlias = Annotated[
    str, Meta(extra_json_schema={"pattern": _HEX_PATTERN, "description": "Hash of the transaction."})
]
Metadata: TypeAlias = Annotated[dict[str, Any], Meta(min_length=1)] | None
FulfillmentText: TypeAlias = Annotated[
    str, Meta(pattern="^[a-zA-Z0-9_-]*$(?!\n)", description="A fulfillment in DER, base64url without padding.")
]
AmountText: TypeAlias = Annotated[str, Meta(pattern="^[0-9]{1,20}$(?!\n)", description="Shares: 1 to 9·10^18.")]
Uri: TypeAlias = Annotated[str, Meta(extra_json_schema={"pattern": URI_PATTERN})]


class _Object(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """An object with exactly the members that it names."""


class Fulfills(_Object, frozen=True, gc=False):
    """Names the output that an input spends."""

    output_index: Annotated[int, Meta(ge=0, le=OUTPUT_INDEX_MAX)]
    transaction_id: Hex


class CreateInput(_Object, frozen=True, gc=False):
    """The one input of a CREATE: who issues the asset."""

    fulfillment: FulfillmentText | Details
    fulfills: None
    owners_before: tuple[Key, ...]


class TransferInput(_Object, frozen=True, gc=False):
    """Spends one output."""

    fulfillment: FulfillmentText | Details
    fulfills: Fulfills
    owners_before: tuple[Key, ...]


InputShape: TypeAlias = CreateInput | TransferInput


class ConditionShape(_Object, frozen=True, gc=False):
    """The lock of an output; `uri` is derived from `details`."""

    details: Details
    uri: Uri


class OutputShape(_Object, frozen=True, gc=False):
    """An amount under a condition."""

    amount: AmountText
    condition: ConditionShape
    public_keys: tuple[Key, ...] | None


class CreateAsset(_Object, frozen=True, gc=False):
    """What a CREATE brings into being."""

    data: dict[str, Any] | None


class ProposedKey(_Object, frozen=True, gc=False):
    """The key of a validator, as text."""

    type: Literal["ed25519-base16", "ed25519-base32", "ed25519-base64"]
    value: Annotated[str, Meta(max_length=KEY_TEXT_CHARACTERS_MAX)]


class ElectionData(_Object, frozen=True, gc=False):
    """What an election is about: which power a key is to have, 0 for none. `seed` makes its id unique."""

    node_id: Annotated[str, Meta(max_length=NODE_ID_CHARACTERS_MAX)]
    power: Annotated[int, Meta(ge=0, le=POWER_MAX)]
    public_key: ProposedKey
    seed: Annotated[str, Meta(max_length=SEED_CHARACTERS_MAX)] | UnsetType = UNSET


class ElectionAsset(_Object, frozen=True, gc=False):
    """What an election brings into being."""

    data: ElectionData


class TransferAsset(_Object, frozen=True, gc=False):
    """The asset that is passed on: the id of its CREATE."""

    id: Hex


class _CreateLike(_Object, frozen=True, gc=False):
    """What a CREATE and a GENESIS have in common."""

    asset: CreateAsset
    id: Id
    inputs: Annotated[tuple[CreateInput, ...], Meta(min_length=1, max_length=1)]
    metadata: Metadata
    outputs: tuple[OutputShape, ...]


class Create(_CreateLike, frozen=True, gc=False):
    """Makes an asset and its first owners."""

    operation: Literal["CREATE"]
    version: Literal["1.0", "2.0"]


class Genesis(_CreateLike, frozen=True, gc=False):
    """The first transaction of a 1.x chain: a CREATE by another name."""

    operation: Literal["GENESIS"]
    version: Literal["1.0"]


class Transfer(_Object, frozen=True, gc=False):
    """Passes shares of an asset on."""

    asset: TransferAsset
    id: Id
    inputs: Annotated[tuple[TransferInput, ...], Meta(min_length=1)]
    metadata: Metadata
    operation: Literal["TRANSFER"]
    outputs: tuple[OutputShape, ...]
    version: Literal["1.0", "2.0"]


class ValidatorElection(_Object, frozen=True, gc=False):
    """Proposes a validator's power, and hands out the votes on it. Known on networks only."""

    asset: ElectionAsset
    id: Id
    inputs: Annotated[tuple[CreateInput, ...], Meta(min_length=1, max_length=1)]
    metadata: Metadata
    operation: Literal["VALIDATOR_ELECTION"]
    outputs: tuple[OutputShape, ...]
    version: Literal["2.0"]


class ElectionVote(_Object, frozen=True, gc=False):
    """Passes votes on: to the election itself, or to another voter. Known on networks only."""

    asset: TransferAsset
    id: Id
    inputs: Annotated[tuple[TransferInput, ...], Meta(min_length=1)]
    metadata: Metadata
    operation: Literal["VOTE"]
    outputs: tuple[OutputShape, ...]
    version: Literal["2.0"]


Shape: TypeAlias = Create | Genesis | Transfer | ValidatorElection | ElectionVote

for _kind in get_args(Shape):
    # msgspec prepares a type when it is first used: a second thread that came meanwhile would end the process.
    Decoder(_kind)

_SINGLE_KEYED: Final = (ValidatorElection, ElectionVote)

_Kinds: TypeAlias = dict[str, dict[str, type[Shape]]]
_KINDS: Final[_Kinds] = {
    "1.0": {"CREATE": Create, "TRANSFER": Transfer, "GENESIS": Genesis},
    "2.0": {"CREATE": Create, "TRANSFER": Transfer},
}
_NETWORK_KINDS: Final[_Kinds] = {
    "1.0": _KINDS["1.0"],
    "2.0": {**_KINDS["2.0"], "VALIDATOR_ELECTION": ValidatorElection, "VOTE": ElectionVote},
}


def checked(document: dict[str, Any], *, elections: bool = False) -> tuple[Shape, list[Condition]]:
    """Check the structure of a document (T3); return it as a value, and the conditions of its outputs.

    Args:
        document: any JSON object.
        elections: whether the operations of elections are known.

    Raises:
        SchemaValidationError: names the path and the rule.
    """
    kinds = _NETWORK_KINDS if elections else _KINDS
    try:
        shape: Shape = convert(document, kinds[document["version"]][document["operation"]])
    except (KeyError, TypeError):
        raise SchemaValidationError(_no_kind(document, kinds)) from None
    except ValidationError as error:
        raise SchemaValidationError(_explained(str(error))) from error
    inputs: tuple[InputShape, ...] = shape.inputs
    for index, input_ in enumerate(inputs):
        _check_keys(input_.owners_before, "inputs", index, "owners_before")
    if isinstance(shape, _SINGLE_KEYED):
        _check_single_keys(shape.outputs)
    return shape, [_checked_output(output, index) for index, output in enumerate(shape.outputs)]


def _no_kind(document: dict[str, Any], kinds: _Kinds) -> str:
    """Return why no kind of transaction has this `version` and `operation`."""
    for name in ("version", "operation"):
        if name not in document:
            return f"'{name}' is a required property"
    version, operation = document["version"], document["operation"]
    is_known = isinstance(version, str) and version in kinds
    value, choices = (operation, list(kinds[version])) if is_known else (version, list(kinds))
    return f"{repr(value)[:_TEXT_MAX]} is not one of {choices}"


def _checked_output(output: OutputShape, index: int) -> Condition:
    if output.public_keys is not None:
        _check_keys(output.public_keys, "outputs", index, "public_keys")
    try:
        condition = condition_of(output.condition.details)
    except ValueError as error:
        raise SchemaValidationError(f"outputs[{index}].condition.details: {error}") from error
    # The URI must equal the derived one (T7); only if it does not, its form decides which error that is.
    if output.condition.uri != condition.uri and not _URI.search(output.condition.uri):
        raise SchemaValidationError(f"outputs[{index}].condition.uri: expected `str` matching regex {URI_PATTERN!r}")
    return condition


def _check_single_keys(outputs: tuple[OutputShape, ...]) -> None:
    for index, output in enumerate(outputs):
        if not isinstance(output.condition.details, Ed25519Details):
            raise SchemaValidationError(
                f"outputs[{index}].condition.details: expected ed25519-sha-256, as all votes have"
            )


HEX: Final = re.compile(_HEX_PATTERN)
_URI: Final = re.compile(URI_PATTERN)


def _check_keys(keys: tuple[str, ...], part: str, index: int, name: str) -> None:
    try:
        for key in keys:
            decode_key(key)
    except ValueError as error:
        raise SchemaValidationError(f"{part}[{index}].{name}: {error}") from error


_MISSING: Final = re.compile("Object missing required field `(.*)`", re.DOTALL)
_UNKNOWN: Final = re.compile("Object contains unknown field `(.*)`", re.DOTALL)


def _explained(message: str) -> str:
    """Turn the parser's message into one that begins with the path and words a missing member as ever."""
    rule, _, path = message.partition(" - at `$")
    if missing := _MISSING.fullmatch(rule):
        rule = f"'{missing[1]}' is a required property"
    elif unknown := _UNKNOWN.fullmatch(rule):
        rule = f"Additional properties are not allowed ('{unknown[1]}' was unexpected)"
    else:
        rule = rule[:1].lower() + rule[1:]
    where = path.rstrip("`").lstrip(".")
    return (f"{where}: {rule}" if where else rule)[:_TEXT_MAX]
