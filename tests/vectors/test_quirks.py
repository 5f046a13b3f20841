"""Every record of quirks_v1.json and quirks_v2.json: what the releases let through, and what this node says to it.

Source of the decisions: docs/reference/contract/transactions.md, section 9.
"""

from base64 import b64decode
from typing import Any, Final

import pytest

from bigchaindb.errors import InvalidHash, ValidationError
from bigchaindb.transaction import parse
from tests.vectors.judging import Record, judge, read

KEY: Final = "entries must be base58 keys of 32 bytes"
STRICT: Final = "one set of signatures must not have several texts"
UNSIGNED: Final = "nobody signed it"
URI: Final = "a URI that does not belong to its details is refused"
IMPOSSIBLE: Final = "nothing could open it"
DEPTH: Final = "data is nested deeper than 128 brackets, or the body deeper than 256"
WEAK: Final = "libsodium refuses signatures by keys of small order"
NAMES: Final = "key names and languages are checked in arrays and in metadata, as in 2.2.2"

REFUSED_BY_BOTH: Final[dict[str, tuple[str, str]]] = {
    **dict.fromkeys(
        ("owners-before-long-key", "owners-before-hat", "public-keys-long"), ("SchemaValidationError", KEY)
    ),
    **dict.fromkeys(("fulfillment-trailing-byte", "fulfillment-trailing-100"), ("InvalidSignature", STRICT)),
    **dict.fromkeys(("fulfillment-long-length", "fulfillment-outer-long-4"), ("InvalidSignature", STRICT)),
    "fulfillment-b64-slack": ("InvalidSignature", STRICT),
    **dict.fromkeys(("create-preimage", "create-preimage-empty"), ("InvalidSignature", UNSIGNED)),
    **dict.fromkeys(("create-threshold-preimage", "create-threshold-zero"), ("InvalidSignature", UNSIGNED)),
    "create-threshold-only-conditions": ("InvalidSignature", UNSIGNED),
    **dict.fromkeys(("asset-depth-200", "asset-depth-300", "asset-depth-400"), ("MalformedJson", DEPTH)),
    "asset-list-depth-300": ("MalformedJson", DEPTH),
    **dict.fromkeys(("weak-key-order1", "weak-key-order8", "weak-output-spend"), ("InvalidSignature", WEAK)),
}

REFUSED: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "v1": {
        **REFUSED_BY_BOTH,
        "operation-genesis": ("GenesisBlockAlreadyExistsError", "the chain has begun"),
        **dict.fromkeys(("asset-key-list-dollar-first", "metadata-key-list-dollar-first"), ("ValidationError", NAMES)),
        **dict.fromkeys(("asset-key-list-dot", "metadata-key-list-dot"), ("ValidationError", NAMES)),
        **dict.fromkeys(("asset-key-list-nul", "metadata-key-list-nul"), ("ValidationError", NAMES)),
        **dict.fromkeys(("language-nested", "language-metadata"), ("ValidationError", NAMES)),
        "create-duplicate": ("DuplicateTransaction", "a repeat is found at once, for 1.0 too"),
        "transfer-duplicate": ("DoubleSpend", "a repeat is found at once, for 1.0 too"),
        "transfer-again": ("DoubleSpend", "a repeat is found at once, for 1.0 too"),
        "spent-by-backlog": ("DoubleSpend", "what a waiting transaction spends is taken"),
        "renormalised-uri": ("ValidationError", URI),
        "renormalised-amount": ("AmountError", "the text that was sent is the text that is signed"),
    },
    "v2": {
        **REFUSED_BY_BOTH,
        "q-3-of-2": ("SchemaValidationError", IMPOSSIBLE),
        **dict.fromkeys(("threshold-too-many-needed", "threshold-no-subs"), ("SchemaValidationError", IMPOSSIBLE)),
        "q-uri-bob-details-alice": ("ValidationError", URI),
        **dict.fromkeys(
            ("uri-other-fingerprint", "uri-short-fingerprint", "uri-no-fingerprint"), ("ValidationError", URI)
        ),
        **dict.fromkeys(
            ("uri-other-cost", "uri-swapped", "uri-twice-cost", "uri-threshold-type"), ("ValidationError", URI)
        ),
        **dict.fromkeys(("uri-with-subtypes", "uri-trailing-amp", "uri-joined"), ("ValidationError", URI)),
        "threshold-depth-99": ("ValidationError", "the record carries a URI that is not its own"),
    },
}
"""What the releases accepted and this node refuses."""

RECORDS: Final = [(version, record) for version in ("v1", "v2") for record in read(f"quirks_{version}")]


def having(member: str) -> list[Any]:
    """Return the records that have `member`; those with neither of the other two are documents themselves."""
    others = {"see", "sequence_b64"} - {member}
    return [
        pytest.param(version, record, id=f"{version}-{record['name']}")
        for version, record in RECORDS
        if (member in record or member == "document") and not others & record.keys()
    ]


@pytest.mark.parametrize(("version", "record"), having("document"))
def test_document(version: str, record: Record) -> None:
    assert record["verdict"] == "accepted"
    if (decision := REFUSED[version].get(record["name"])) is None:
        judge(version, record)
        return
    with pytest.raises(ValidationError) as caught:
        judge(version, record)
    assert type(caught.value).__name__ == decision[0]


@pytest.mark.parametrize(("version", "record"), having("see"))
def test_record_stands_in_another_file(version: str, record: Record) -> None:
    """It is judged there: test_invalid.py and test_valid.py run all of them."""
    file, _, name = record["see"].partition("#")
    names = {other["name"] for other in read(file.removesuffix(".json"))}
    assert version in file
    assert (name or record["name"]) in names


@pytest.mark.parametrize(("version", "record"), having("sequence_b64"))
def test_nothing_is_answered_from_a_cache(version: str, record: Record) -> None:
    """Of documents that compare equal in Python (`true`, `1`, `1.0`) only the one that was hashed has that id."""
    assert version == "v2"
    good = 1 if record["name"] == "cache-true-first" else 0
    bodies = [b64decode(text) for text in record["sequence_b64"]]
    for index, body in enumerate(bodies):
        if index == good:
            parse(body)
        else:
            with pytest.raises(InvalidHash):
                parse(body)


def test_every_decision_is_about_a_record() -> None:
    for version, decisions in REFUSED.items():
        assert decisions.keys() <= {record["name"] for record in read(f"quirks_{version}")}


def test_the_files_are_complete() -> None:
    assert len(RECORDS) == 87 + 124
    assert sum(len(having(member)) for member in ("document", "see", "sequence_b64")) == len(RECORDS)
