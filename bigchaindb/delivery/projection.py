"""Fields of a message by JSONPath: paths that an operator wrote, over documents that strangers wrote.

A path is checked whole when the options are read. What it can cost with a stranger's document is bounded: in bytes, in
the time of patterns, and by refusing paths whose work grows with a power of the document.

Source: RFC 9535 (JSONPath), RFC 9485 (the patterns of `match` and `search`).
"""

import time
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, cast

import msgspec

from bigchaindb.distribution import extra_command

try:
    import regex
    from iregexp_check import check as is_pattern
    from jsonpath_rfc9535 import JSONPathEnvironment, JSONPathError, JSONPathQuery
    from jsonpath_rfc9535.filter_expressions import (
        FunctionExtension,
        RootFilterQuery,
        StringLiteral,
    )
    from jsonpath_rfc9535.function_extensions import ExpressionType, FilterFunction
    from jsonpath_rfc9535.segments import JSONPathRecursiveDescentSegment
    from jsonpath_rfc9535.selectors import IndexSelector, NameSelector
except ImportError as error:
    raise ImportError(
        f"the option fields needs the extra jsonpath, which is not installed here; run: {extra_command('jsonpath')}"
    ) from error

FIELDS_MAX: Final = 64
NAME_CHARACTERS_MAX: Final = 100
PATH_CHARACTERS_MAX: Final = 500
"""Longer ones are written by programs, and nest so deep that reading them overflows the stack."""
GROWTH_MAX: Final = 2
ROOM_BYTES: Final = 1024
"""The values of a message's fields may have so many times the bytes of its data and so many more. Windows bound what is
on its way by the data; a path that selects a document and all that is in it copies it once for each level."""
PATTERNS_S_MAX: Final = 1.0
"""Time of all patterns of a message: there are patterns whose time grows with a power of a stranger's text."""
DEPTH_MAX: Final = 300
"""More than the 256 brackets of a transaction and those of the block around it."""

_Steps = tuple[str | int, ...]
_decode: Final = msgspec.json.Decoder(float_hook=float).decode  # see `bigchaindb.transaction.reading`
_DOT: Final = regex.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\.")


class Projection:
    """An object of a message's fields, in the order of the option; of each message it is the same on every node.

    A path that can select one value at most gives that value, or null if there is none. Any other path gives an array
    of what it selects.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        """Compile the paths.

        Args:
            fields: names with their paths.

        Raises:
            ValueError: one is no path, or could cost too much; names the field and the character.
        """
        if len(fields) > FIELDS_MAX:
            raise ValueError(f"fields: must be {FIELDS_MAX} at most, found {len(fields)}")
        self._environment = _Environment()
        self._queries = [
            (name, msgspec.json.encode(name), _simplest(self._environment.read(name, path)))
            for name, path in fields.items()
        ]

    def __call__(self, data: bytes) -> bytes:
        """Return the fields of a JSON document, as JSON.

        Raises:
            ValueError: they are too large, or a pattern takes too long.
        """
        document = _decode(data)
        self._environment.begin()
        members, most = list[bytes](), GROWTH_MAX * len(data) + ROOM_BYTES
        room = most
        for name, key, query in self._queries:
            try:
                text = _one(query, document) if isinstance(query, tuple) else _many(query, document, room)
            except TimeoutError:
                raise ValueError(
                    f"fields.{name}: its patterns take longer than {PATTERNS_S_MAX:g} s on this message; "
                    "write a pattern without nested repetitions"
                ) from None
            members.append(b"%b:%b" % (key, text))
            room -= len(text)
            if room < 0:
                raise ValueError(
                    f"fields.{name}: the fields of this message exceed {most} bytes, {GROWTH_MAX} times the whole of "
                    f"it and {ROOM_BYTES}; select less"
                )
        return b"{%b}" % b",".join(members)


class _Matching(FilterFunction):
    """`match` or `search`, in the time that is left."""

    arg_types = [ExpressionType.VALUE, ExpressionType.VALUE]  # noqa: RUF012 - as the library declares it
    return_type = ExpressionType.LOGICAL

    def __init__(self, *, is_whole: bool) -> None:
        self._is_whole = is_whole
        self.end = 0.0

    def __call__(self, text: object, pattern: str) -> bool:
        if not isinstance(text, str):
            return False
        compiled = _compiled(pattern)
        find = compiled.fullmatch if self._is_whole else compiled.search
        left_s = self.end - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return find(text, timeout=left_s) is not None


class _Environment(JSONPathEnvironment):
    max_recursion_depth = DEPTH_MAX

    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        self._matching = _Matching(is_whole=True), _Matching(is_whole=False)
        self.function_extensions["match"], self.function_extensions["search"] = self._matching

    def begin(self) -> None:
        """Begin the time of a message."""
        end = time.monotonic() + PATTERNS_S_MAX
        for one in self._matching:
            one.end = end

    def read(self, name: str, path: str) -> JSONPathQuery:
        """Compile a path.

        Raises:
            ValueError: it is none, or one that is refused.
        """
        if not 0 < len(name) <= NAME_CHARACTERS_MAX:
            raise ValueError(f"fields: a name must have 1 to {NAME_CHARACTERS_MAX} characters, found {len(name)}")
        if len(path) > PATH_CHARACTERS_MAX:
            raise ValueError(f"fields.{name}: must have at most {PATH_CHARACTERS_MAX} characters, found {len(path)}")
        place = f"fields.{name}: {path!r}"
        try:
            query = self.compile(path)
            _refuse_costly(query)
        except _Refused as refused:
            raise ValueError(f"{place}, character {refused.index + 1}: {refused}") from None
        except JSONPathError as error:
            where = "" if error.token is None else f", character {error.token.index + 1}"
            raise ValueError(f"{place} is no JSONPath{where}: {error.args[0]}") from None
        except (RecursionError, ValueError, OverflowError) as error:
            raise ValueError(f"{place} is no JSONPath: {error}") from None
        return query


class _Refused(Exception):
    """A path that the standard allows, and that would never match or could cost too much."""

    def __init__(self, index: int, why: str) -> None:
        super().__init__(why)
        self.index = index


def _refuse_costly(query: JSONPathQuery) -> None:
    descents = 0
    for part in _parts(query):
        match part:
            case FunctionExtension(name="match" | "search" as name, args=[_, pattern]):
                _refuse_pattern(name, pattern)
            case RootFilterQuery() if not part.query.singular_query():
                raise _Refused(part.token.index, "a path from $ within a filter must name one value, without * and ..")
            case JSONPathRecursiveDescentSegment():
                descents += 1
                if descents > 1:
                    raise _Refused(part.token.index, ".. may stand once in a path, its filters included")


def _refuse_pattern(name: str, pattern: Any) -> None:  # noqa: ANN401 - any expression
    if not isinstance(pattern, StringLiteral):
        raise _Refused(
            pattern.token.index, f"the pattern of {name} must stand in quotes: one out of a document could be anybody's"
        )
    try:
        if is_pattern(pattern.value):
            _compiled(pattern.value)
            return
    except regex.error:
        pass
    raise _Refused(pattern.token.index, f"{pattern.value!r} is no pattern of {name}; RFC 9485 says what is one")


@lru_cache(maxsize=FIELDS_MAX)
def _compiled(pattern: str) -> "regex.Pattern[str]":
    """Compile a pattern; source: RFC 9485, section 5.4."""
    return regex.compile(_DOT.sub(lambda found: r"[^\n\r]" if found[0] == "." else found[0], pattern))


def _parts(part: object) -> Iterator[object]:
    """Yield a path and all it is made of, those of its filters too."""
    yield part
    for inner in _inner(part):
        yield from _parts(inner)


def _inner(part: object) -> Iterator[object]:
    for name in ("segments", "selectors", "expression", "left", "right", "args", "query"):
        found = getattr(part, name, ())
        yield from found if isinstance(found, (tuple, list)) else (found,)


def _simplest(query: JSONPathQuery) -> JSONPathQuery | _Steps:
    """Return the steps to the one value that a path can select: they take a tenth of the library's time."""
    if not query.singular_query():
        return query
    selectors = (segment.selectors[0] for segment in query.segments)
    return tuple(one.name if isinstance(one, NameSelector) else cast("IndexSelector", one).index for one in selectors)


def _one(steps: _Steps, document: Any) -> bytes:  # noqa: ANN401 - any JSON
    for step in steps:
        match document, step:
            case dict(), str():
                document = document.get(step)
            case list(), int() if -len(document) <= step < len(document):
                document = document[step]
            case _:
                return b"null"
    return msgspec.json.encode(document)


def _many(query: JSONPathQuery, document: Any, room: int) -> bytes:  # noqa: ANN401 - any JSON
    """Return an array; it is left unfinished once it is larger than the room, since the caller refuses it."""
    texts = list[bytes]()
    for node in query.finditer(document):
        texts.append(msgspec.json.encode(node.value))
        room -= len(texts[-1]) + 1
        if room < 0:
            break
    return b"[%b]" % b",".join(texts)
