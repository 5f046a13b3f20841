"""The command line in an empty home."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.support.node import COMMAND

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command line in an empty home."""

    def run_it(*arguments: str, answers: str = "", **environ: str) -> CompletedProcess[str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("BIGCHAINDB_", "PYTHON"))}
        return subprocess.run(
            [*COMMAND, *arguments],
            input=answers,
            env={**inherited, "HOME": str(tmp_path), **environ},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run_it
