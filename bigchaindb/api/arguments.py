"""Arguments of a query as types, with the texts that clients know. Pure. Source: http-api.md, section 1.1."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache, partial
from typing import Final, Generic, NamedTuple, Protocol, TypeVar, cast
from urllib.parse import parse_qsl

from bigchaindb.agreed import PAGE_COUNT
from bigchaindb.api.problems import argument_error
from bigchaindb.api.schemas import Schema
from bigchaindb.config import Limits

MISSING: Final = "Missing required parameter in the JSON body or the post body or the query string"
TRANSACTION_ID: Final = re.compile(r"[a-fA-F0-9]{64}")
PUBLIC_KEY: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{43,44}")
PAGE: Final = 100
"""Rows of a page unless a client asks for more or fewer."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Arguments = Mapping[str, str]


class Unknown(Enum):
    """What becomes of arguments that a route does not have."""

    IGNORED = auto()
    """As 1.x and 2.x do on most routes."""
    REFUSED = auto()
    """As 1.x and 2.x do on some routes."""
    ADVISED = auto()
    """Refused, with the names that are known."""


class Asked(Protocol):
    """What has the arguments of a request: a `Call`."""

    @property
    def arguments(self) -> Arguments:
        """As they were sent."""
        ...

    @property
    def given(self) -> Mapping[str, object]:
        """As values by name, where the route declares them."""
        ...


class Parsed(NamedTuple):
    """The arguments of a request that is no `Call`."""

    arguments: Arguments
    given: Mapping[str, object]


def text(value: str) -> str:
    """Take any text."""
    return value


@dataclass(frozen=True, kw_only=True)
class Argument(Generic[T_co]):
    """An argument of a query, or the parameter of a path.

    Attributes:
        name: as clients write it.
        take: returns the value of a text; raises a ValueError with the text that clients get.
        schema: of the text.
        description: for people.
        is_required: whether it must be there.
        default: its value where it is not.
        example: a text that it takes; the example of a route has those of its arguments that have one.
        matches: whether a name belongs to it, where it stands for many names; their values are not parsed.
        in_path: whether it is the parameter of a path.
    """

    name: str
    take: Callable[[str], T_co]
    schema: Schema
    description: str = ""
    is_required: bool = False
    default: T_co | None = None
    example: str | None = None
    matches: Callable[[str], bool] | None = None
    in_path: bool = False

    @property
    def key(self) -> str:
        """Its key among the values of a request: a path and a query may have the same name."""
        return f"{{{self.name}}}" if self.in_path else self.name

    def of(self, call: Asked) -> T_co:
        """Return its value in a request."""
        return cast("T_co", call.given.get(self.key, self.default))

    def taker(self, _: Limits) -> Callable[[str], T_co]:
        """Return what parses a text on a node with these limits."""
        return self.take


@dataclass(frozen=True, kw_only=True)
class Limit(Argument[int]):
    """An argument that is a number from 1 to a limit of the node.

    Attributes:
        most: returns that limit.
    """

    most: Callable[[Limits], int]

    def taker(self, limits: Limits) -> Callable[[str], int]:
        """See `Argument.taker`."""
        return partial(limit_of, most=self.most(limits))

    def default_within(self, limits: Limits) -> int:
        """Return the default on a node with these limits, which may be lower."""
        most = self.most(limits)
        return most if self.default is None else min(self.default, most)


def choice(
    name: str,
    values: Mapping[str, T],
    *,
    default: T | None = None,
    description: str = "",
    example: str | None = None,
    in_any_case: bool = False,
) -> Argument[T]:
    """Return an argument that takes one of some texts.

    Args:
        name: of the argument.
        values: by text.
        default: see `Argument`.
        description: see `Argument`.
        example: see `Argument`.
        in_any_case: whether letter case makes no difference.
    """
    quoted = [f'"{text}"' for text in values]
    refused = f"{name.capitalize()} must be {', '.join(quoted[:-1])} or {quoted[-1]}"
    known = {text.upper(): value for text, value in values.items()} if in_any_case else values
    schema: Schema = {"enum": [*values]}
    if default is not None:
        schema["default"] = next(text for text, value in values.items() if value == default)

    def take(text: str) -> T:
        key = text.upper() if in_any_case else text
        if key not in known:
            raise ValueError(refused)
        return known[key]

    return Argument(name=name, take=take, schema=schema, default=default, description=description, example=example)


def segment(
    name: str, schema: Schema, *, example: str | None, take: Callable[[str], str] = text, description: str = ""
) -> Argument[str]:
    """Return the parameter of a path."""
    return Argument(
        name=name, take=take, schema=schema, description=description, is_required=True, example=example, in_path=True
    )


def rows_of_page(limits: Limits) -> int:
    """Return the most rows of a page that a client may ask for."""
    return max(PAGE_COUNT, limits.page_count_max)


def limit(
    most: Callable[[Limits], int], name: str = "limit", *, what: str = "Most rows of a page.", default: int = PAGE
) -> Limit:
    """Return an argument that is a number from 1 to `most`."""
    schema = {"type": "integer", "minimum": 1, "default": default}
    return Limit(name=name, take=not_negative, schema=schema, description=what, default=default, most=most)


def parse(
    arguments: Sequence[Argument[object]], given: Arguments, unknown: Unknown, limits: Limits
) -> dict[str, object]:
    """Return the values of declared arguments by name.

    Raises:
        Problem: one is missing, wrong or unknown.
    """
    found: dict[str, object] = {}
    if unknown is Unknown.ADVISED:
        refuse_unknown(arguments, given, unknown)
    for one in arguments:
        if one.name in given and one.matches is None:
            found[one.name] = converted(one.name, given[one.name], one.taker(limits))
        elif one.is_required:
            raise argument_error({one.name: MISSING})
        elif isinstance(one, Limit):
            found[one.name] = one.default_within(limits)
    if unknown is Unknown.REFUSED:
        refuse_unknown(arguments, given, unknown)
    return found


def refuse_unknown(arguments: Sequence[Argument[object]], given: Arguments, unknown: Unknown) -> None:
    """Refuse arguments that are not declared.

    Raises:
        Problem: names them, and with `ADVISED` those that are known.
    """
    names = {one.name for one in arguments if one.matches is None}
    families = [one.matches for one in arguments if one.matches is not None]
    others = [name for name in given if name not in names and not any(matches(name) for matches in families)]
    if others:
        known = ", ".join(one.name for one in arguments)
        advice = f"; use {known}" if known else "; this address takes none"
        raise argument_error(f"Unknown arguments: {', '.join(others)}{advice if unknown is Unknown.ADVISED else ''}")


@lru_cache(maxsize=256)
def parse_query(text: str) -> Arguments:
    """Return the arguments of a form-encoded query string; the first of equal names counts. Read-only."""
    arguments: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, errors="replace"):
        arguments.setdefault(name, value)
    return arguments


def required(arguments: Arguments, name: str, convert: Callable[[str], T]) -> T:
    """Return a required argument of a request that no route declares.

    Raises:
        Problem: it is missing, or `convert` refused it.
    """
    if name not in arguments:
        raise argument_error({name: MISSING})
    return converted(name, arguments[name], convert)


def transaction_id(value: str) -> str:
    """Take 64 hexadecimal digits; return them in lower case."""
    if TRANSACTION_ID.fullmatch(value) is None:
        raise ValueError("Invalid hash")
    return value.lower()


def boolean(value: str) -> bool:
    """Take `true` or `false` in any letter case: the Python driver sends `True`."""
    match value.lower():
        case "true":
            return True
        case "false":
            return False
    raise ValueError('Boolean value must be "true" or "false" (lowercase)')


def public_key(value: str) -> str:
    """Take a text with the form of a base58 Ed25519 key; it is not decoded."""
    if PUBLIC_KEY.fullmatch(value) is None:
        raise ValueError("Invalid base58 ed25519 key")
    return value


def not_negative(value: str) -> int:
    """Take an integer as Python's `int` reads it, from 0."""
    number = int(value)
    if number < 0:
        raise ValueError(f"must not be negative: '{number}'")
    return number


def limit_of(value: str, most: int) -> int:
    """Take an integer from 1 to `most`."""
    number = not_negative(value)
    if not 1 <= number <= most:
        raise ValueError(f"must be from 1 to {most}, not '{number}'")
    return number


def converted(name: str, value: str, convert: Callable[[str], T]) -> T:
    """Return the value of a text.

    Raises:
        Problem: `convert` refused it.
    """
    try:
        return convert(value)
    except ValueError as error:
        raise argument_error({name: str(error)}) from None
