"""Selections: which events a subscriber wants, by what is in their transactions. Pure.

An event passes as a whole, never cut, if one of its transactions matches all members of the selection. The same names
are keys of a plugin's `select` and arguments of a query.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bigchaindb.errors import ConfigurationError, MalformedSelection
from bigchaindb.eventlog import members
from bigchaindb.eventlog.members import DATA, METADATA, Member, shown
from bigchaindb.transaction.canonical import canonical
from bigchaindb.transaction.keys import decode_key

MEMBER_COUNT_MAX: Final = 16
"""Members of one selection: each costs another look at every transaction."""

_NAMES: Final = ("operation", "asset", "owner")
_OPERATIONS: Final = ("CREATE", "TRANSFER")
_ID: Final = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Selection:
    """What one transaction of an event has to be; None and () demand nothing.

    Attributes:
        operation: what kind it is.
        asset: id of the asset that it belongs to: of a CREATE its own id.
        owner: base58 key among the `public_keys` of an output or the `owners_before` of an input.
        members: what must stand in its metadata or in the data of its asset, all of it.
    """

    operation: str | None = None
    asset: str | None = None
    owner: str | None = None
    members: tuple[Member, ...] = ()

    def matches(self, transaction: Mapping[str, Any]) -> bool:
        """Whether this transaction matches all members.

        Args:
            transaction: a document of any version; any other JSON object is not an error, a rejected block may hold it.
        """
        return (
            (self.operation is None or transaction.get("operation") == self.operation)
            and (self.asset is None or _asset_of(transaction) == self.asset)
            and (self.owner is None or self.owner in _owners_of(transaction))
            and all(member.matches(transaction) for member in self.members)
        )

    @property
    def needles(self) -> Sequence[Sequence[bytes]]:
        """Groups of byte strings: every match, in canonical form, contains at least one of each group.

        Others may contain them by accident, so a hit has to be confirmed by `matches`. No needle begins with a quote:
        a search stops at each first byte of its needle, and JSON is full of quotes.
        """
        groups = [needles for member in self.members if (needles := member.needles)]
        if self.owner is not None:
            groups.append([_text(self.owner)[1:]])
        if self.asset is not None:
            groups.append([_text(self.asset)[1:]])
        if self.operation is not None:
            groups.append([b'operation":' + _text(self.operation)])
        return groups


ALL: Final = Selection()
"""Every event, also one without a transaction; None means the same."""


def is_member(name: str) -> bool:
    """Whether a query argument of this name is a member of a selection."""
    return name in _NAMES or members.is_path(name)


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
        return _read(select, members.from_data)
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
    given = {name: value for name, value in arguments.items() if is_member(name)}
    return _read(given, members.from_query) if given else None


def _read(given: Mapping[Any, Any], member_of: Callable[[str, Any], Member]) -> Selection:
    if len(given) > MEMBER_COUNT_MAX:
        raise MalformedSelection(f"{shown(list(given)[-1])}: at most {MEMBER_COUNT_MAX} members, not {len(given)}")
    found = []
    for name, value in given.items():
        if not isinstance(name, str) or not is_member(name):
            expected = ", ".join([*_NAMES, f"{METADATA}<path>", f"{DATA}<path>"])
            raise MalformedSelection(f"{shown(name)}: expected one of {expected}")
        if members.is_path(name):
            found.append(member_of(name, value))
    return Selection(
        operation=_operation(given["operation"]) if "operation" in given else None,
        asset=_asset(given["asset"]) if "asset" in given else None,
        owner=_owner(given["owner"]) if "owner" in given else None,
        members=tuple(found),
    )


def _operation(value: object) -> str:
    if not isinstance(value, str) or value not in _OPERATIONS:
        raise MalformedSelection(f"operation: expected {' or '.join(_OPERATIONS)}, found {shown(value)}")
    return value


def _asset(value: object) -> str:
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        raise MalformedSelection(f"asset: expected 64 digits of lower-case hex, found {shown(value)}")
    return value


def _owner(value: object) -> str:
    try:
        decode_key(value if isinstance(value, str) else "")
    except ValueError:
        raise MalformedSelection(f"owner: expected a base58 key of 32 bytes, found {shown(value)}") from None
    return str(value)


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


def _text(value: str) -> bytes:
    return canonical(value, "2.0")
