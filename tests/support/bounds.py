"""What the bound on the values of a document counts, by what JSON is."""

from typing import Any

from bigchaindb.errors import SchemaValidationError
from bigchaindb.transaction.reading import bound_values


def separators(value: Any) -> int:
    """Count by what JSON is, and not by its bytes: what a value has of its own, its members included."""
    match value:
        case dict() | list():
            items = value.values() if isinstance(value, dict) else value
            return 1 + max(0, len(value) - 1) + sum(map(separators, items))
    return 0


def is_refused(body: bytes) -> bool:
    """Whether a body has too many values."""
    try:
        bound_values(body)
    except SchemaValidationError:
        return True
    return False
