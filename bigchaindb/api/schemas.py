"""What schemas of the API are made of. Pure. `openapi_schemas` has those with a name."""

from typing import Any, Final

Schema = dict[str, Any]

HEX_64: Final[Schema] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
KEY: Final[Schema] = {"type": "string", "pattern": "^[1-9A-HJ-NP-Za-km-z]{43,44}$"}
TEXT: Final[Schema] = {"type": "string"}
TEXT_OR_NULL: Final[Schema] = {"type": ["string", "null"]}
BOOLEAN: Final[Schema] = {"type": "boolean"}
NUMBER: Final[Schema] = {"type": "number"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
COUNT_OR_NULL: Final[Schema] = {"type": ["integer", "null"], "minimum": 0}
OBJECT: Final[Schema] = {"type": "object"}


def record(required: Schema, optional: Schema | None = None) -> Schema:
    """Return the schema of an object with these members."""
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


def array(items: Schema) -> Schema:
    """Return the schema of an array."""
    return {"type": "array", "items": items}


def ref(name: str) -> Schema:
    """Return a reference to a schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def json_of(schema: Schema) -> Schema:
    """Return the content of a body that is JSON."""
    return {"application/json": {"schema": schema}}


def response(description: str, schema: Schema | None = None) -> Schema:
    """Return a response; without a schema it has no body."""
    return {"description": description} | ({} if schema is None else {"content": json_of(schema)})
