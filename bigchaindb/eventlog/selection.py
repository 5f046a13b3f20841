"""Selections: which events a subscriber wants, by what is in their transactions. Pure.

An event passes as a whole, never cut, if one of its transactions matches all members of the selection. The same names
are keys of a plugin's `select` and arguments of a query.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from bigchaindb.errors import ConfigurationError, MalformedJson, MalformedSelection
from bigchaindb.transaction.canonical import canonical
from bigchaindb.transaction.keys import decode_key

METADATA: Final = "metadata."
"""Starts the name of a member that looks into metadata; the path comes behind it."""

MEMBER_COUNT_MAX: Final = 16
"""Members of one selection: each costs another look at every transaction."""
PATH_DEPTH_MAX: Final = 16
"""Names in a path."""
CHARACTER_COUNT_MAX: Final = 1_024
"""Characters of a path, and of a value: both have to fit the line of an HTTP request."""

_NAMES: Final = ("operation", "asset", "owner")
_OPERATIONS: Final = ("CREATE", "TRANSFER")
_ID: Final = re.compile("[0-9a-f]{64}")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_LITERALS: Final[Mapping[str, bool | None]] = {"true": True, "false": False, "null": None}
_SCALARS: Final = (str, int, float, bool, type(None))
_SHOWN_MAX: Final = 80

Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class MetadataMember:
    """A place in metadata and what may stand there.

    Attributes:
        path: names of members, from the outside in; arrays are not entered.
        values: any of them, with its JSON type: 5 is neither 5.0 nor "5".
    """

    path: tuple[str, ...]
    values: tuple[Scalar, ...]

    def matches(self, metadata: object) -> bool:
        """Whether the metadata hold one of the values at the path."""
        found = metadata
        for name in self.path:
            if not isinstance(found, Mapping) or name not in found:
                return False
            found = found[name]
        return any(type(found) is type(value) and found == value for value in self.values)

    @property
    def needles(self) -> Sequence[bytes]:
        """Byte strings of which every match, in canonical form, contains at least one."""
        name = _canonical(self.path[-1])[1:]
        return [name + b":" + text for value in self.values for text in _texts(value)]


@dataclass(frozen=True, slots=True)
class Selection:
    """What one transaction of an event has to be; None and () demand nothing.

    Attributes:
        operation: what kind it is.
        asset: id of the asset that it belongs to: of a CREATE its own id.
        owner: base58 key among the `public_keys` of an output or the `owners_before` of an input.
        metadata: what must stand in it, all of it.
    """

    operation: str | None = None
    asset: str | None = None
    owner: str | None = None
    metadata: tuple[MetadataMember, ...] = ()

    def matches(self, transaction: Mapping[str, Any]) -> bool:
        """Whether this transaction matches all members.

        Args:
            transaction: a document of any version; any other JSON object is not an error, a rejected block may hold it.
        """
        return (
            (self.operation is None or transaction.get("operation") == self.operation)
            and (self.asset is None or _asset_of(transaction) == self.asset)
            and (self.owner is None or self.owner in _owners_of(transaction))
            and all(member.matches(transaction.get("metadata")) for member in self.metadata)
        )

    @property
    def needles(self) -> Sequence[Sequence[bytes]]:
        """Groups of byte strings: every match, in canonical form, contains at least one of each group.

        Others may contain them by accident, so a hit has to be confirmed by `matches`. No needle begins with a quote:
        a search stops at each first byte of its needle, and JSON is full of quotes.
        """
        groups: list[Sequence[bytes]] = [member.needles for member in self.metadata]
        if self.owner is not None:
            groups.append([_canonical(self.owner)[1:]])
        if self.asset is not None:
            groups.append([_canonical(self.asset)[1:]])
        if self.operation is not None:
            groups.append([b'operation":' + _canonical(self.operation)])
        return groups


ALL: Final = Selection()
"""Every event, also one without a transaction; None means the same."""


def is_member(name: str) -> bool:
    """Whether a query argument of this name is a member of a selection."""
    return name in _NAMES or name.startswith(METADATA)


def from_data(select: object, where: str) -> Selection:
    """Read what a plugin says: `{"operation": "CREATE", "metadata.a.b": 5}`; values are compared with their type.

    Args:
        select: an object whose members are those of a selection; without any it is `ALL`.
        where: what to call it in an error.

    Raises:
        ConfigurationError: it is none; names the member and the rule.
    """
    if not isinstance(select, Mapping):
        raise ConfigurationError(f"{where}: expected an object, found {type(select).__name__}")
    try:
        return _read(select, lambda name, value: (_scalar(name, value),))
    except MalformedSelection as error:
        raise ConfigurationError(f"{where}: {error}") from error


def from_query(arguments: Mapping[str, str]) -> Selection | None:
    """Read the arguments of a query, which have no types: `5` stands for the text and for the number.

    Args:
        arguments: by name; those that are no members (`is_member`) are somebody else's.

    Returns:
        None if no argument is a member.

    Raises:
        MalformedSelection: a member is wrong; names it and the rule.
    """
    members = {name: value for name, value in arguments.items() if is_member(name)}
    return _read(members, _alternatives) if members else None


def _read(members: Mapping[Any, Any], values_of: Callable[[str, Any], tuple[Scalar, ...]]) -> Selection:
    if len(members) > MEMBER_COUNT_MAX:
        raise MalformedSelection(f"{_shown(list(members)[-1])}: at most {MEMBER_COUNT_MAX} members, not {len(members)}")
    metadata = []
    for name, value in members.items():
        if not isinstance(name, str) or not is_member(name):
            expected = ", ".join([*_NAMES, METADATA + "<path>"])
            raise MalformedSelection(f"{_shown(name)}: expected one of {expected}")
        if name.startswith(METADATA):
            metadata.append(MetadataMember(_path(name), values_of(name, value)))
    return Selection(
        operation=_operation(members["operation"]) if "operation" in members else None,
        asset=_asset(members["asset"]) if "asset" in members else None,
        owner=_owner(members["owner"]) if "owner" in members else None,
        metadata=tuple(metadata),
    )


def _operation(value: object) -> str:
    if not isinstance(value, str) or value not in _OPERATIONS:
        raise MalformedSelection(f"operation: expected {' or '.join(_OPERATIONS)}, found {_shown(value)}")
    return value


def _asset(value: object) -> str:
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        raise MalformedSelection(f"asset: expected 64 digits of lower-case hex, found {_shown(value)}")
    return value


def _owner(value: object) -> str:
    try:
        decode_key(value if isinstance(value, str) else "")
    except ValueError:
        raise MalformedSelection(f"owner: expected a base58 key of 32 bytes, found {_shown(value)}") from None
    return str(value)


def _path(name: str) -> tuple[str, ...]:
    path = tuple(name.removeprefix(METADATA).split("."))
    if len(name) > CHARACTER_COUNT_MAX:
        raise MalformedSelection(f"{_shown(name)}: at most {CHARACTER_COUNT_MAX} characters, not {len(name)}")
    if len(path) > PATH_DEPTH_MAX:
        raise MalformedSelection(f"{_shown(name)}: at most {PATH_DEPTH_MAX} names in a path, not {len(path)}")
    for part in path:
        _scalar(name, part)
    return path


def _scalar(name: str, value: object) -> Scalar:
    # Exactly these types: a value of a subclass would be equal to nothing that stands in a transaction.
    if type(value) not in _SCALARS:
        raise MalformedSelection(f"{_shown(name)}: expected a string, number, boolean or null, found {_shown(value)}")
    scalar: Scalar = cast("Scalar", value)
    if isinstance(scalar, str) and len(scalar) > CHARACTER_COUNT_MAX:
        raise MalformedSelection(f"{_shown(name)}: at most {CHARACTER_COUNT_MAX} characters, not {len(scalar)}")
    try:
        _canonical(scalar)
    except MalformedJson as error:
        raise MalformedSelection(f"{_shown(name)}: no transaction holds such a value: {error}") from error
    return scalar


def _alternatives(name: str, text: str) -> tuple[Scalar, ...]:
    values: tuple[Scalar, ...] = (_scalar(name, text),)
    if text in _LITERALS:
        return (*values, _LITERALS[text])
    if (found := _NUMBER.fullmatch(text)) is None:
        return values
    try:
        return (*values, _scalar(name, float(text) if any(found.groups()) else int(text)))
    except MalformedSelection:  # beyond the largest double: only the text can stand in a transaction
        return values


def _asset_of(transaction: Mapping[str, Any]) -> object:
    asset = transaction.get("asset")
    return asset["id"] if isinstance(asset, Mapping) and "id" in asset else transaction.get("id")


def _owners_of(transaction: Mapping[str, Any]) -> Iterator[object]:
    for parts, keys in (("outputs", "public_keys"), ("inputs", "owners_before")):
        for part in _list(transaction.get(parts)):
            if isinstance(part, Mapping):
                yield from _list(part.get(keys))


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _texts(value: Scalar) -> Sequence[bytes]:
    # Zero is equal to minus zero, which is written otherwise; other floats are laid out by the transaction's version.
    spellings = (0.0, -0.0) if isinstance(value, float) and value == 0 else (value,)
    return list(dict.fromkeys(canonical(one, version) for one in spellings for version in ("1.0", "2.0")))


def _canonical(value: Scalar) -> bytes:
    return canonical(value, "2.0")


def _shown(value: object) -> str:
    return repr(value[:_SHOWN_MAX]) if isinstance(value, str) else type(value).__name__
