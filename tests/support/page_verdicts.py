"""Asks the pure modules of the page, all questions of a test in one JavaScript process."""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from tests.support import installed

ROOT: Final = Path(__file__).parents[2]


def answers(questions: Iterable[Mapping[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Return an answer for each question; bytes in it travel as base64.

    Args:
        questions: each with `ask`, one of those in `tests/page/verdicts.mjs`, and what that one takes.
        folder: empty, for the files of the program.
    """
    shutil.copytree(ROOT / "bigchaindb/page/verify", folder / "verify")
    shutil.copy(ROOT / "bigchaindb/page/provenance.js", folder)
    program = shutil.copy(ROOT / "tests/page/verdicts.mjs", folder)
    (folder / "package.json").write_text('{"type": "module"}')
    asked = folder / "questions"
    asked.write_text("".join(json.dumps(one, default=_base64) + "\n" for one in questions))
    done = subprocess.run([installed.node(), program, asked], capture_output=True, check=True)
    assert not done.stderr, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
