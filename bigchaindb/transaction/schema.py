"""The structure of a transaction as a JSON Schema (2020-12), for people and for OpenAPI. Generated from `shape`."""

from typing import Any

from msgspec.json import schema_components

from bigchaindb.transaction.shape import Create, ElectionVote, Genesis, Transfer, ValidatorElection


def transaction_schema(ref_template: str = "#/$defs/{name}") -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the schema of any transaction, and the definitions that it refers to.

    Args:
        ref_template: how references are written; `#/components/schemas/{name}` in OpenAPI.
    """
    kinds = (Create, Transfer, Genesis, ValidatorElection, ElectionVote)
    refs, definitions = schema_components(kinds, ref_template=ref_template)
    return {"anyOf": list(refs)}, definitions
