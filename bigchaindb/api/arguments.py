"""Query arguments as types, with the texts that clients know. Pure. Source: http-api.md, section 1.1."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, Literal, TypeVar
from urllib.parse import parse_qsl

from bigchaindb.api.problems import argument_error
from bigchaindb.engine.engine import Mode

MISSING: Final = "Missing required parameter in the JSON body or the post body or the query string"
TRANSACTION_ID: Final = re.compile(r"[a-fA-F0-9]{64}")
PUBLIC_KEY: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{43,44}")

T = TypeVar("T")
Arguments = Mapping[str, str]
Operation = Literal["CREATE", "TRANSFER"]
BlockStatus = Literal["valid", "invalid", "undecided"]


@lru_cache(maxsize=256)
def parse_query(text: str) -> Arguments:
    """Return the arguments of a form-encoded query string; the first of equal names counts. Read-only."""
    arguments: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, errors="replace"):
        arguments.setdefault(name, value)
    return arguments


def required(arguments: Arguments, name: str, convert: Callable[[str], T]) -> T:
    """Return a required argument.

    Raises:
        Problem: it is missing, or `convert` refused it.
    """
    if name not in arguments:
        raise argument_error({name: MISSING})
    return _converted(name, arguments[name], convert)


def optional(arguments: Arguments, name: str, convert: Callable[[str], T]) -> T | None:
    """Return an argument, or None if it is absent.

    Raises:
        Problem: `convert` refused it.
    """
    return _converted(name, arguments[name], convert) if name in arguments else None


def refuse_unknown(arguments: Arguments, *known: str, advice: str = "") -> None:
    """Refuse unknown arguments, as the strict routes do.

    Args:
        arguments: of the request.
        known: names that the route has.
        advice: added behind the unknown names; empty for routes of 1.x and 2.x.

    Raises:
        Problem: names the unknown arguments.
    """
    if unknown := [name for name in arguments if name not in known]:
        raise argument_error(f"Unknown arguments: {', '.join(unknown)}{advice}")


def text(value: str) -> str:
    """Take any text."""
    return value


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


def operation(value: str) -> Operation:
    """Take `CREATE` or `TRANSFER` in any letter case."""
    match value.upper():
        case "CREATE":
            return "CREATE"
        case "TRANSFER":
            return "TRANSFER"
    raise ValueError('Operation must be "CREATE" or "TRANSFER"')


def mode(value: str) -> Mode:
    """Take the name of a mode, exactly."""
    try:
        return Mode(value)
    except ValueError:
        raise ValueError('Mode must be "async", "sync" or "commit"') from None


def limit(value: str) -> int:
    """Take an integer as Python's `int` reads it, from 0."""
    number = int(value)
    if number < 0:
        raise ValueError(f"must not be negative: '{number}'")
    return number


def block_status(value: str) -> BlockStatus:
    """Take the status of a block in any letter case."""
    match value.lower():
        case "valid" | "invalid" | "undecided" as status:
            return status
    raise ValueError(f"{value} is not a valid choice")


def _converted(name: str, value: str, convert: Callable[[str], T]) -> T:
    try:
        return convert(value)
    except ValueError as error:
        raise argument_error({name: str(error)}) from None
