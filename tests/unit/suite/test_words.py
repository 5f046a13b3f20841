"""Docstrings and subjects of commits have the form that CONTRIBUTING.md asks for, as far as a program can see it."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.installed import CHECKOUT

SPEAKER: Final = re.compile(r"\s*(give|say|let|look|tell)s?\b", re.IGNORECASE)
"""Verbs of a speaker: a docstring names the effect instead."""
SUBJECT: Final = re.compile(r"[\w./, -]+: (?!(give|say|let|look|tell)\b)\S.*", re.IGNORECASE)
SUBJECT_CHARS_MAX: Final = 60


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of each text that stands alone: docstrings, those of attributes and constants included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def git(*arguments: str) -> list[str]:
    """Return the lines of git's answer; none where the files came without a history."""
    try:
        done = subprocess.run(["git", "-C", CHECKOUT, *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []


@pytest.mark.parametrize("folder", ["bigchaindb", "tests", "bench", "examples"])
def test_a_docstring_names_the_effect(folder: str) -> None:
    found = [
        f"{path.relative_to(CHECKOUT)}:{line}: {text.splitlines()[0]}"
        for path in sorted((CHECKOUT / folder).rglob("*.py"))
        for line, text in docstrings(path.read_text())
        if SPEAKER.match(text)
    ]
    assert found == []


def test_a_commit_has_a_component_and_a_short_subject() -> None:
    """Since the commit that this test came with; a shallow copy shows a part of them, an archive none."""
    came = git("log", "--format=%H", "--diff-filter=A", "--", str(Path(__file__).relative_to(CHECKOUT)))
    subjects = git("log", "--no-merges", "--format=%s", f"{came[-1]}..HEAD") if came else []
    assert [one for one in subjects if len(one) > SUBJECT_CHARS_MAX or not SUBJECT.fullmatch(one)] == []
