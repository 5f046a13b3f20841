"""From foreign bytes to JSON values, within limits that do not depend on the caller (T0)."""

import re
from itertools import accumulate
from math import isinf
from typing import Any, Final

from msgspec import DecodeError, json

from bigchaindb.errors import MalformedJson, SchemaValidationError
from bigchaindb.transaction.canonical import is_plain

DEPTH_MAX: Final = 256
"""Most brackets open at once in a body: 99 nested thresholds need 203, and parsers depend on their caller's stack."""

DATA_DEPTH_MAX: Final = 128
"""Most brackets open at once inside `asset` or `metadata`, their own included."""

VALUE_COUNT_MAX: Final = 2**14
"""Most values of a document: what a check costs besides its signatures, and what a block costs to write, goes by their
number. A rule of the network (docs/decisions/0050)."""

_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
"""A string; one that never ends reaches to the end. It matches at every quotation mark, or a search that failed at each
of them would take quadratic time."""
_NO_BRACKET: Final = bytes(set(range(256)) - set(b"{}[]"))
_STEP: Final = {ord("{"): 1, ord("["): 1, ord("}"): -1, ord("]"): -1}


class _OtherFloat(Exception):
    """A float was met that the versions write differently."""


def read(body: bytes) -> tuple[dict[str, Any], bool]:
    """Parse a JSON object.

    Returns:
        The object, and whether all its floats are plain (`canonical.is_plain`).

    Raises:
        MalformedJson: no JSON in UTF-8, nested too deep, or a number beyond the largest double.
        SchemaValidationError: JSON, but no object.
    """
    is_crowded = body.count(b"{") + body.count(b"[") > DATA_DEPTH_MAX
    if is_crowded:
        _bound_depth(body)
    document, plain = _decoded(body)
    if not isinstance(document, dict):
        raise SchemaValidationError(f"{repr(document)[:80]} is not of type 'object'")
    if is_crowded:
        _bound_data(document)
    return document, plain


def bound_values(body: bytes) -> None:
    """Refuse a document of too many values, before anything is spent on it.

    What is counted are the commas and opening brackets outside strings, one of which stands before each value.

    Raises:
        SchemaValidationError: there are more than `VALUE_COUNT_MAX`.
    """
    # A short body cannot have so many, and with those in strings only a long text seems to.
    if len(body) <= VALUE_COUNT_MAX or _separators(body) <= VALUE_COUNT_MAX:
        return
    # Without escaped backslashes and quotation marks, each of those that are left begins or ends a string.
    marks = body.replace(rb"\\", b"").replace(rb"\"", b"")
    if (count := _separators(b"".join(marks.split(b'"')[::2]))) > VALUE_COUNT_MAX:
        raise SchemaValidationError(
            f"{count} values (commas and opening brackets outside strings), and a document has at most "
            f"{VALUE_COUNT_MAX}: send several, or keep the data elsewhere and its hash here"
        )


def _separators(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _decoded(body: bytes) -> tuple[Any, bool]:
    try:
        try:
            return _PLAIN.decode(body), True
        except _OtherFloat:
            return _ANY.decode(body), False
    except (DecodeError, UnicodeDecodeError) as error:  # msgspec's own "out of range" is a DecodeError too
        raise MalformedJson(str(error)) from error


def _plain_float(text: str) -> float:
    number = float(text)
    if is_plain(number):
        return number
    raise _OtherFloat


def _finite_float(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise MalformedJson("a number is beyond the largest double")
    return number


_PLAIN: Final = json.Decoder(float_hook=_plain_float)
# By itself msgspec takes 15 µs for `1e300`, fifty times what Python takes for the same double: 1 MiB of them would keep
# the interpreter lock, and with it the whole node, for seconds.
_ANY: Final = json.Decoder(float_hook=_finite_float)


def _bound_depth(body: bytes) -> None:
    # What stands in a string that never ends is not counted: the parser refuses that body before it gets there.
    brackets = _STRING.sub(b"", body).translate(None, _NO_BRACKET)
    if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > DEPTH_MAX:
        raise MalformedJson(f"nested deeper than {DEPTH_MAX} brackets")


def _bound_data(document: dict[str, Any]) -> None:
    for name in ("asset", "metadata"):
        if _is_deeper(document.get(name), DATA_DEPTH_MAX):
            raise MalformedJson(f"{name}: nested deeper than {DATA_DEPTH_MAX} brackets")


def _is_deeper(value: object, depth_max: int) -> bool:
    level = _branches([value])
    for _ in range(depth_max):
        if not level:
            return False
        level = [inner for branch in level for inner in _branches(branch)]
    return bool(level)


def _branches(value: dict[str, Any] | list[Any]) -> list[Any]:
    items = value.values() if isinstance(value, dict) else value
    return [item for item in items if isinstance(item, (dict, list))]
