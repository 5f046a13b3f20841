"""The description says what the table of routes and the vectors say."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from bigchaindb.api.openapi import document
from bigchaindb.api.pulls import NackedLease, ParkedLease, Pull
from bigchaindb.api.routes import ROUTES

VECTORS = Path(__file__).parents[2] / "vectors" / "data"
DOCUMENT = document(ROUTES)
SCHEMAS = DOCUMENT["components"]["schemas"]


def vectors(name: str) -> list[dict[str, Any]]:
    return [record for record in json.loads((VECTORS / name).read_text()) if "tx" in record]


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def references(value: Any) -> set[str]:
    """Return all `$ref` in a document."""
    match value:
        case dict():
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own.union(*(references(held) for held in value.values()))
        case list():
            return set().union(*(references(held) for held in value))
        case _:
            return set()


def test_it_describes_every_route_as_declared() -> None:
    operations = [one for methods in DOCUMENT["paths"].values() for one in methods.values()]
    assert {one["operationId"] for one in operations} == {route.id for route in ROUTES}
    assert len(operations) == len(ROUTES)
    assert {tag for one in operations for tag in one["tags"]} <= {tag["name"] for tag in DOCUMENT["tags"]}
    for route in ROUTES:
        described = DOCUMENT["paths"][route.path][route.method.lower()]
        assert str(route.status) in described["responses"]
        assert {str(status) for status in route.errors} <= described["responses"].keys()


def test_its_server_is_the_node_even_behind_a_path() -> None:
    (server,) = DOCUMENT["servers"]
    for root in ("http://localhost:9984", "https://proxy.example/ledger"):
        for path in ("/", "/api/v1/blocks"):
            base = f"{root}/api/v1/openapi.json"
            assert urljoin(base, server["url"] + path) == root + path


def test_each_operation_names_how_a_key_is_shown_and_how_it_is_refused() -> None:
    assert DOCUMENT["security"] == [{}, {"bearer": []}, {"basic": []}]
    for operations in DOCUMENT["paths"].values():
        assert all({"401", "403", "429"} <= operation["responses"].keys() for operation in operations.values())


def test_a_pull_has_the_members_that_the_node_reads() -> None:
    pull = SCHEMAS["Pull"]
    nack, park = (pull["properties"][name]["items"] for name in ("nack", "park"))
    for schema, kind in ((pull, Pull), (nack, NackedLease), (park, ParkedLease)):
        fields = kind.__struct_fields__
        required = fields[: len(fields) - len(kind.__struct_defaults__)]
        assert (tuple(schema["properties"]), tuple(schema["required"])) == (fields, required)


def test_it_is_json_without_loose_ends() -> None:
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT
    for reference in references(DOCUMENT):
        section, name = reference.removeprefix("#/components/").split("/")
        assert name in DOCUMENT["components"][section], reference


def test_every_operation_has_what_openapi_requires() -> None:
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            assert operation["summary"]
            assert all(
                response.get("description") or "$ref" in response for response in operation["responses"].values()
            )
            names = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"}
            assert names == {part.strip("{}") for part in path.split("/") if part.startswith("{")}
            assert operation["operationId"].isidentifier()


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_schema_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize("file", ["valid_v2.json", "valid_v1.json"])
def test_the_transaction_schema_takes_every_valid_vector(file: str) -> None:
    transaction = validator(SCHEMAS["Transaction"])
    for record in vectors(file):
        transaction.validate(record["tx"])


@pytest.mark.parametrize("file", ["invalid_v2.json", "invalid_v1.json"])
def test_the_transaction_schema_refuses_what_has_a_missing_or_unknown_member(file: str) -> None:
    """It is for people and tools: what it cannot say (hashes, sums, signatures) the node says."""
    transaction = validator(SCHEMAS["Transaction"])
    refused = [record for record in vectors(file) if record.get("rule") in {"required", "additionalProperties"}]
    assert refused
    for record in refused:
        with pytest.raises(ValidationError):
            transaction.validate(record["tx"])
