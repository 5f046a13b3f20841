"""Explains why a configuration file is not JSON: the place, its line, the usual cause and the cure. Pure."""

import json
import re
from typing import Final

from bigchaindb.masking import is_secret_name, masked_text

SHOWN_CHARACTERS_MAX: Final = 60
MARK: Final = "⟶"
"""Marks the character at which parsing ended."""

_WORD: Final = re.compile(r"[\w-]+")
_LONG: Final = re.compile(r"[A-Za-z0-9+/=_-]{20,}")
_YAML: Final = re.compile(r"\s*(?:#[^\n]*\n\s*|---\s*)*[A-Za-z_][\w.]*:(?:\s|$)")
_EXAMPLE: Final = '{"server": {"bind": "localhost:9984"}}'


def explain(text: bytes, error: Exception) -> str:
    """Return the fault of `text`, whose parsing raised `error`, and what to do."""
    if not text.strip(b" \t\r\n"):
        return "the file is empty; write {} into it for all defaults, or delete it"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8: {error.reason} at byte {error.start}; save it as UTF-8"
    if not isinstance(error, json.JSONDecodeError):
        return f"{error}; write a JSON number or a string"
    if _YAML.match(error.doc):
        return f"{error}: this looks like YAML, and the file is JSON; write it as {_EXAMPLE}"
    return f"{error}: {_line(error)}; {_cure(error)}"


def _line(error: json.JSONDecodeError) -> str:
    """Return the line with a mark at the place, unless it may hold a secret: the end of a broken text is not known."""
    start = error.doc.rfind("\n", 0, error.pos) + 1
    end = error.doc.find("\n", error.pos)
    line = error.doc[start : len(error.doc) if end < 0 else end]
    if any(is_secret_name(word) for word in _WORD.findall(line)):
        return "its line is not shown, as it may hold a secret"
    place = error.pos - start
    before, after = (_LONG.sub("…", masked_text(part)) for part in (line[:place], line[place:]))
    half = SHOWN_CHARACTERS_MAX // 2
    return f"`{before.lstrip()[-half:]}{MARK}{after.rstrip()[:half]}`"


def _cure(error: json.JSONDecodeError) -> str:
    before, found = error.doc[: error.pos].rstrip(), error.doc[error.pos : error.pos + 1]
    # Python 3.13 has its own message for the first, and points at the comma.
    is_comma = (before.endswith(",") and found in ("}", "]", "")) or error.msg.startswith("Illegal trailing comma")
    cures = (
        (is_comma, "JSON has no comma behind the last member: delete the comma"),
        (found == "'", 'JSON has no single quotes: write "'),
        (found in ("#", "/"), "JSON has no comments: delete the comment"),
        (error.msg.startswith("Expecting ','"), "a comma or a bracket is missing before the mark: add it"),
        (error.msg.startswith("Extra data"), "the object has ended before the mark: delete what follows"),
        (True, f"correct it there; a file looks like {_EXAMPLE}"),
    )
    return next(cure for is_it, cure in cures if is_it)
