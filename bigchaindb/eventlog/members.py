"""Members of a selection that look into a transaction's metadata or into the data of its asset. Pure.

A member is a place, a comparison and the values to compare with: `metadata.weight[gte]` and 5. Source:
docs/reference/filters.md.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import ge, gt, le, lt
from typing import Any, Final, Literal, TypeAlias, cast

from bigchaindb.errors import MalformedJson, MalformedSelection
from bigchaindb.transaction.canonical import canonical

METADATA: Final = "metadata."
"""Starts the name of a member that looks into metadata; the path comes behind it."""
DATA: Final = "data."
"""Starts the name of a member that looks into the data of the asset of a CREATE."""
PATH_DEPTH_MAX: Final = 16
"""Names in a path."""
CHARACTER_COUNT_MAX: Final = 1_024
"""Characters of a path, and of a value: both have to fit the line of an HTTP request."""

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_LITERALS: Final[Mapping[str, bool | None]] = {"true": True, "false": False, "null": None}
_SCALARS: Final = (str, int, float, bool, type(None))
_NUMBERS: Final = (int, float)
_SUFFIX: Final = re.compile(r"\[([A-Za-z]+)\]$")
_SHOWN_MAX: Final = 80
_ABSENT: Final = object()

Scalar: TypeAlias = str | int | float | bool | None
Root: TypeAlias = Literal["metadata", "data"]


class Comparison(StrEnum):
    """How what stands at a place is compared; as it is written behind a path."""

    EQUAL = ""
    """It is one of the values, with its JSON type: 5 is neither 5.0 nor "5"."""
    NOT_EQUAL = "ne"
    """Something stands there, and it is none of the values."""
    GREATER = "gt"
    GREATER_OR_EQUAL = "gte"
    LESS = "lt"
    LESS_OR_EQUAL = "lte"
    EXISTS = "exists"
    """Whether anything stands there, null as well."""


_ORDERS: Final[Mapping[Comparison, Callable[[Any, Any], bool]]] = {
    Comparison.GREATER: gt,
    Comparison.GREATER_OR_EQUAL: ge,
    Comparison.LESS: lt,
    Comparison.LESS_OR_EQUAL: le,
}
_WRITTEN: Final = " ".join(f"[{one}]" for one in Comparison if one)


@dataclass(frozen=True, slots=True)
class Member:
    """A place in a transaction and what may stand there.

    Attributes:
        path: names of members, from the outside in; arrays are not entered.
        values: any of them; one alone where the comparison is an order.
        comparison: of what stands there with the values.
        root: where the path begins.
    """

    path: tuple[str, ...]
    values: tuple[Scalar, ...]
    comparison: Comparison = Comparison.EQUAL
    root: Root = "metadata"

    def matches(self, transaction: Mapping[str, Any]) -> bool:
        """Whether what stands in a transaction compares as it must."""
        found = _at(_root_of(transaction, self.root), self.path)
        if self.comparison is Comparison.EXISTS:
            return (found is not _ABSENT) in self.values
        if found is _ABSENT:
            return False
        if (order := _ORDERS.get(self.comparison)) is not None:
            (value,) = self.values
            return _is_comparable(found, value) and order(found, value)
        is_equal = any(type(found) is type(value) and found == value for value in self.values)
        return is_equal is (self.comparison is Comparison.EQUAL)

    @property
    def needles(self) -> Sequence[bytes]:
        """Byte strings of which every match, in canonical form, contains at least one; none: nothing is known."""
        if self.comparison is Comparison.EXISTS and not self.values[0]:
            return []
        name = _canonical(self.path[-1])[1:] + b":"
        if self.comparison is not Comparison.EQUAL:
            return [name]
        return [name + text for value in self.values for text in _texts(value)]


def is_path(name: str) -> bool:
    """Whether the name of a member is that of a place."""
    return name.startswith((METADATA, DATA))


def from_data(name: str, value: object) -> Member:
    """Read a member as a plugin writes it, with a value that has a type.

    Raises:
        MalformedSelection: names the member and the rule.
    """
    root, path, comparison = _place(name)
    if comparison is Comparison.EXISTS:
        if not isinstance(value, bool):
            raise _refusal(name, comparison, "expected true or false", value)
        return Member(path, (value,), comparison, root)
    scalar = _scalar(name, value)
    if comparison in _ORDERS and type(scalar) not in (str, *_NUMBERS):
        raise _refusal(name, comparison, "compares with a number or a text", value)
    return Member(path, (scalar,), comparison, root)


def from_query(name: str, text: str) -> Member:
    """Read a member as an argument of a query, which has no type: `5` stands for the text and for the number.

    An order cannot mean both, so there a number is a number.

    Raises:
        MalformedSelection: names the member and the rule.
    """
    root, path, comparison = _place(name)
    if comparison is Comparison.EXISTS:
        if text not in ("true", "false"):
            raise _refusal(name, comparison, "expected true or false", text)
        return Member(path, (text == "true",), comparison, root)
    if comparison not in _ORDERS:
        return Member(path, _alternatives(name, text), comparison, root)
    number = _number(str(_scalar(name, text)))
    if text in _LITERALS:
        raise _refusal(name, comparison, "compares with a number or a text", text)
    return Member(path, (text if number is None else _scalar(name, number),), comparison, root)


def shown(value: object) -> str:
    """Return a value of anyone as an error has it."""
    return repr(value[:_SHOWN_MAX]) if isinstance(value, str) else type(value).__name__


def _refusal(name: str, comparison: Comparison, rule: str, value: object) -> MalformedSelection:
    found = str(value).lower() if isinstance(value, bool) else shown(value)
    return MalformedSelection(f"{shown(name)}: [{comparison}] {rule}, found {found}")


def _place(name: str) -> tuple[Root, tuple[str, ...], Comparison]:
    if len(name) > CHARACTER_COUNT_MAX:
        raise MalformedSelection(f"{shown(name)}: at most {CHARACTER_COUNT_MAX} characters, not {len(name)}")
    root: Root = "metadata" if name.startswith(METADATA) else "data"
    place, comparison = name.partition(".")[2], Comparison.EQUAL
    if (suffix := _SUFFIX.search(place)) is not None:
        if suffix[1] not in list(Comparison):
            raise MalformedSelection(f"{shown(name)}: [{suffix[1]}] is no comparison; expected one of {_WRITTEN}")
        place, comparison = place[: suffix.start()], Comparison(suffix[1])
    path = tuple(place.split("."))
    if len(path) > PATH_DEPTH_MAX:
        raise MalformedSelection(f"{shown(name)}: at most {PATH_DEPTH_MAX} names in a path, not {len(path)}")
    for part in path:
        _scalar(name, part)
    return root, path, comparison


def _root_of(transaction: Mapping[str, Any], root: Root) -> object:
    if root == "metadata":
        return transaction.get("metadata")
    asset = transaction.get("asset")
    return asset.get("data") if transaction.get("operation") == "CREATE" and isinstance(asset, Mapping) else None


def _at(document: object, path: Iterable[str]) -> object:
    for name in path:
        if not isinstance(document, Mapping) or name not in document:
            return _ABSENT
        document = document[name]
    return document


def _is_comparable(found: object, value: Scalar) -> bool:
    return isinstance(found, str) if isinstance(value, str) else type(found) in _NUMBERS


def _scalar(name: str, value: object) -> Scalar:
    # Exactly these types: a value of a subclass would be equal to nothing that stands in a transaction.
    if type(value) not in _SCALARS:
        raise MalformedSelection(f"{shown(name)}: expected a string, number, boolean or null, found {shown(value)}")
    scalar: Scalar = cast("Scalar", value)
    if isinstance(scalar, str) and len(scalar) > CHARACTER_COUNT_MAX:
        raise MalformedSelection(f"{shown(name)}: at most {CHARACTER_COUNT_MAX} characters, not {len(scalar)}")
    try:
        _canonical(scalar)
    except MalformedJson as error:
        raise MalformedSelection(f"{shown(name)}: no transaction holds such a value: {error}") from error
    return scalar


def _alternatives(name: str, text: str) -> tuple[Scalar, ...]:
    values: tuple[Scalar, ...] = (_scalar(name, text),)
    if text in _LITERALS:
        return (*values, _LITERALS[text])
    if (number := _number(text)) is None:
        return values
    try:
        return (*values, _scalar(name, number))
    except MalformedSelection:  # beyond the largest double: only the text can stand in a transaction
        return values


def _number(text: str) -> int | float | None:
    """Return the number that a text spells as JSON does; the text is no longer than allowed."""
    if (found := _NUMBER.fullmatch(text)) is None:
        return None
    return float(text) if any(found.groups()) else int(text)


def _texts(value: Scalar) -> Sequence[bytes]:
    # Zero is equal to minus zero, which is written otherwise; other floats are laid out by the transaction's version.
    spellings = (0.0, -0.0) if isinstance(value, float) and value == 0 else (value,)
    return list(dict.fromkeys(canonical(one, version) for one in spellings for version in ("1.0", "2.0")))


def _canonical(value: Scalar) -> bytes:
    return canonical(value, "2.0")
