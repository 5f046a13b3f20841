"""The outputs that a page shows, compared with what its commands print.

In an `output` block `…` stands for any text within a line, and a line `…` for any lines, or none.
"""

import difflib
import itertools
import re
from collections.abc import Sequence
from typing import Final

ANY: Final = "…"


def difference(shown: str, printed: str) -> str:
    """Return a unified diff from what a page shows to what was printed; empty if they agree.

    Lines that agree stand as the page has them, so that what the diff adds can be pasted into the page.
    """
    expected, got = shown.splitlines(), [line.rstrip() for line in printed.splitlines()]
    if re.fullmatch(_pattern(expected), "".join(f"{line}\n" for line in got)):
        return ""
    kept = [_as_shown(line, expected) for line in got]
    lines = difflib.unified_diff(expected, kept, "in the page", "printed", lineterm="")
    return "\n".join(lines)


def _pattern(lines: Sequence[str]) -> str:
    return "".join(r"(?:.*\n)*?" if line == ANY else rf"{_line_pattern(line)}\n" for line in lines)


def _line_pattern(line: str) -> str:
    return ".*".join(re.escape(part) for part in line.split(ANY))


def _as_shown(line: str, expected: Sequence[str]) -> str:
    fitting = (one for one in expected if one != ANY and re.fullmatch(_line_pattern(one), line))
    return next(itertools.chain(fitting, [line]))
