"""The JSON Schema says what `parse` says of a document's structure, as far as a JSON Schema can."""

import json
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from bigchaindb.transaction.schema import transaction_schema
from tests.vectors.judging import Record, body_of, read

ROOT, DEFINITIONS = transaction_schema()
VALIDATOR: Final = Draft202012Validator({**ROOT, "$defs": DEFINITIONS})

SCHEMA_ALLOWS: Final = {
    "output-index-float": "0.0 is an integer to JSON Schema, not to the contract",
    "threshold-float": "1.0 is an integer to JSON Schema, not to the contract",
    "js-simple": "a valid document of version 2.0, which 1.3.0 did not know",
    "js-chain-1": "a valid document of version 2.0, which 1.3.0 did not know",
    "version-other": "only the id is wrong for that version",
}
"""Records with a schema error whose documents the JSON Schema lets through."""


def named(kind: str, **wanted: str) -> list[Any]:
    return [
        pytest.param(record, id=f"{version}-{record['name']}")
        for version in ("v1", "v2")
        for record in read(f"{kind}_{version}")
        if all(record.get(name) == value for name, value in wanted.items())
    ]


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(VALIDATOR.schema)


@pytest.mark.parametrize("record", named("valid"))
def test_valid_documents_pass(record: Record) -> None:
    VALIDATOR.validate(record["tx"])


@pytest.mark.parametrize("record", [p for p in named("invalid", stage="schema") if "raw_b64" not in p.values[0]])
def test_documents_with_a_schema_error_fail(record: Record) -> None:
    assert VALIDATOR.is_valid(json.loads(body_of(record))) is (record["name"] in SCHEMA_ALLOWS)


def test_references_are_written_as_openapi_wants_them() -> None:
    root, definitions = transaction_schema("#/components/schemas/{name}")
    references = {branch["$ref"].rpartition("/")[2] for branch in root["anyOf"]}
    assert references == {"Create", "Transfer", "Genesis", "ValidatorElection", "ElectionVote"}
    assert references < definitions.keys()
