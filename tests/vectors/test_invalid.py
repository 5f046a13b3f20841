"""Every document of invalid_v1.json and invalid_v2.json is refused, with the class and message of the contract.

Where this node decides otherwise than the releases did (or where they crashed), the name stands below with the class
and the reason. Texts that only a parser chose are not compared.
"""

from typing import Final

import pytest

from bigchaindb.errors import ValidationError
from tests.vectors.judging import Record, judge, read

# Refused while the bytes are read.
NO_JSON: Final = "NaN, Infinity, lone surrogates and numbers beyond a double are no JSON"
DEPTH: Final = "deeper than 256 brackets, found before any parser runs"
# Structure.
NO_OBJECT: Final = "the releases crashed on what is no object"
ANCHORED: Final = "the patterns of ids are anchored: 64 digits, nothing else"
KEY: Final = "a key must be the base58 text of 32 bytes"
NULL_OWNERS: Final = "null owners_before made the releases crash"
IMPOSSIBLE: Final = "a threshold beyond its subconditions can never be opened"
UNHASHABLE: Final = "an array or object as operation made 2.2.2 crash"
# The id.
ID_TYPE: Final = "an id that is no hex made 2.2.2 crash: it is a wrong id"
ID_FIRST: Final = "what is not of version 1.0 is checked for its id first, by the rule of 2.0"
# Content and state.
BASE64: Final = "impossible base64 made the releases crash"
TAG: Final = "unknown DER tags made 2.2.2 crash"
TYPES: Final = "only keys and thresholds are known types of fulfillments"
ZEROS: Final = "1.3.0 checked signatures over a text with the amount written anew"
URI: Final = "a URI that does not belong to its details is refused by name"
NO_OUTPUT: Final = "an index past the end names an output that does not exist"
UNSPENDABLE: Final = "such an output cannot be in this ledger; nothing opens it"

DECIDED: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "v1": {
        **dict.fromkeys(
            ("number-nan", "number-inf", "number-neginf", "number-overflow", "number-int-4300"),
            ("MalformedJson", NO_JSON),
        ),
        **dict.fromkeys(("lone-surrogate-escaped", "lone-surrogate-key"), ("MalformedJson", NO_JSON)),
        **dict.fromkeys(("threshold-depth-200", "asset-depth-900"), ("MalformedJson", DEPTH)),
        **dict.fromkeys(
            ("body-empty-object", "missing-version", "missing-version-rehashed"), ("InvalidHash", ID_FIRST)
        ),
        **dict.fromkeys(
            ("version-null", "version-number", "version-other", "version-no-zero"), ("InvalidHash", ID_FIRST)
        ),
        **dict.fromkeys(("version-long", "version-any-char", "version-newline"), ("InvalidHash", ID_FIRST)),
        **dict.fromkeys(("version-prefix", "version-zero-nine", "version-three"), ("InvalidHash", ID_FIRST)),
        "id-padded": ("SchemaValidationError", ANCHORED),
        **dict.fromkeys(
            ("transfer-asset-long", "fulfills-tx-long", "fulfills-tx-spaces"), ("SchemaValidationError", ANCHORED)
        ),
        "owners-before-null": ("SchemaValidationError", NULL_OWNERS),
        **dict.fromkeys(("threshold-too-many-needed", "threshold-no-subs"), ("SchemaValidationError", IMPOSSIBLE)),
        **dict.fromkeys(("fulfillment-one-char", "fulfillment-five-chars"), ("InvalidSignature", BASE64)),
        "preimage-for-key": ("InvalidSignature", TYPES),
        **dict.fromkeys(("amount-leading-zeros", "amount-leading-zeros-20"), ("AmountError", ZEROS)),
        **dict.fromkeys(
            ("uri-other-fingerprint", "uri-short-fingerprint", "uri-no-fingerprint"), ("ValidationError", URI)
        ),
        **dict.fromkeys(
            ("uri-other-cost", "uri-swapped", "uri-twice-cost", "uri-threshold-type"), ("ValidationError", URI)
        ),
        **dict.fromkeys(("uri-with-subtypes", "uri-trailing-amp", "uri-joined"), ("ValidationError", URI)),
        "threshold-depth-99": ("ValidationError", "1.3.0 never answered; the record carries a URI that is not its own"),
        **dict.fromkeys(("output-index-past-end", "output-index-far"), ("InputDoesNotExist", NO_OUTPUT)),
    },
    "v2": {
        **dict.fromkeys(
            ("number-nan", "number-inf", "number-neginf", "number-overflow", "number-int-4300"),
            ("MalformedJson", NO_JSON),
        ),
        **dict.fromkeys(
            ("lone-surrogate-escaped", "lone-surrogate-key", "js-q-lone-surrogate"), ("MalformedJson", NO_JSON)
        ),
        **dict.fromkeys(("threshold-depth-200", "asset-depth-900"), ("MalformedJson", DEPTH)),
        **dict.fromkeys(("body-null", "body-list", "body-string", "body-number"), ("SchemaValidationError", NO_OBJECT)),
        **dict.fromkeys(("body-true", "body-list-of-tx"), ("SchemaValidationError", NO_OBJECT)),
        **dict.fromkeys(("operation-list", "operation-object"), ("SchemaValidationError", UNHASHABLE)),
        **dict.fromkeys(
            ("transfer-asset-long", "fulfills-tx-long", "fulfills-tx-spaces"), ("SchemaValidationError", ANCHORED)
        ),
        "owners-before-null": ("SchemaValidationError", NULL_OWNERS),
        **dict.fromkeys(("id-short", "id-odd", "id-nonhex", "id-number"), ("InvalidHash", ID_TYPE)),
        **dict.fromkeys(("id-padded", "id-list"), ("InvalidHash", ID_TYPE)),
        "version-other": ("InvalidHash", "a document of version 1.0 has another rule for its id"),
        **dict.fromkeys(("fulfillment-one-char", "fulfillment-five-chars"), ("InvalidSignature", BASE64)),
        **dict.fromkeys(("fulfillment-zeros", "fulfillment-tag-5", "fulfillment-universal"), ("InvalidSignature", TAG)),
        "preimage-for-key": ("InvalidSignature", TYPES),
        "spend-3-of-2": ("InvalidSignature", UNSPENDABLE),
        **dict.fromkeys(("output-index-past-end", "output-index-far"), ("InputDoesNotExist", NO_OUTPUT)),
    },
}

for version in DECIDED:
    for name in ("key-33-bytes", "key-31-bytes", "key-bad-alphabet", "key-hat"):
        DECIDED[version][f"details-{name}"] = ("SchemaValidationError", KEY)
    for name in ("key-zero-43", "key-space", "key-unicode", "key-long"):
        DECIDED[version][f"details-{name}"] = ("SchemaValidationError", KEY)

ACCEPTED: Final = {
    "js-simple": "a valid document of version 2.0, which 1.3.0 did not know",
    "input-in-undecided": "a parent that waits counts as present",
    "input-in-backlog": "a parent that waits counts as present",
}
"""Records of invalid_v1.json that this node accepts."""

ANOTHER_STATE: Final = {"js-chain-1": "InputDoesNotExist"}
"""Of version 2.0, and its ledger of version 1.0 has no parent for it."""

ANOTHER_FAULT: Final = {
    "missing-outputs-rehashed",  # the next three are not signed again: their fulfillment is null too
    "missing-metadata-rehashed",
    "missing-asset-rehashed",
    "operation-validator_election",  # elections are unknown here, whatever their asset
    "operation-chain_migration_election",
    "operation-vote",
}
"""Records with two faults, of which this node names the other."""

ALL: Final = [
    pytest.param(version, record, id=f"{version}-{record['name']}")
    for version in ("v1", "v2")
    for record in read(f"invalid_{version}")
]


@pytest.mark.parametrize(("version", "record"), ALL)
def test_document(version: str, record: Record) -> None:
    if version == "v1" and record["name"] in ACCEPTED:
        judge(version, record)
        return
    with pytest.raises(ValidationError) as caught:
        judge(version, record)
    found, message = type(caught.value).__name__, str(caught.value)
    if version == "v1" and record["name"] in ANOTHER_STATE:
        assert found == ANOTHER_STATE[record["name"]]
    elif record["name"] in DECIDED[version]:
        assert found == DECIDED[version][record["name"]][0]
    elif record["stage"] == "decode":
        assert found == "MalformedJson"
    elif record["error_class"] == "SchemaValidationError":
        assert found == "SchemaValidationError"
        assert_names_place_and_rule(message, record)
    else:
        assert (found, message) == (record["error_class"], record["error_message"])


def assert_names_place_and_rule(message: str, record: Record) -> None:
    """The wording of schema errors is ours, but it names the member; a missing one is worded as ever."""
    path = record.get("path") or []
    if record["name"] in ANOTHER_FAULT:
        return
    if record["rule"] == "required" and len(path) < 2:
        assert message.endswith(record["error_message"])
    if path and path[0] not in {"version", "operation"}:  # these two are named by their values
        assert message.startswith(str(path[0]))


def test_every_decision_is_about_a_record() -> None:
    for version, decisions in DECIDED.items():
        assert decisions.keys() <= {record["name"] for record in read(f"invalid_{version}")}


def test_the_files_are_complete() -> None:
    assert len(ALL) == 339 + 344
