"""Programs in Go, built from their source: CometBFT, and the example of a consumer."""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

from tests.support import services

GO_MIN: Final = (1, 21)
"""From this one on Go fetches the newer toolchain that a module names."""


def build(*arguments: str, folder: Path = Path("/"), **variables: str) -> None:
    """Run `go install`, or what else the arguments are, in a folder.

    Raises:
        MissingServiceError: there is no Go that can, and none may be installed here.
    """
    services.require("go")
    _require_new_go()
    # `go env` knows the user's own flags wherever they are set; the variable replaces them, so they are repeated.
    flags = f"{_go('env', 'GOFLAGS')} -modcacherw".strip()
    _go(*arguments, folder=folder, GOFLAGS=flags, **variables)


def _require_new_go() -> None:
    found = _go("env", "GOVERSION")
    numbers = re.match(r"go(\d+)\.(\d+)", found)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < GO_MIN:
        wanted = ".".join(map(str, GO_MIN))
        message = (
            f"programs are built with Go {wanted} or newer, found {found or 'one without a version'}: put a newer Go "
            "on the PATH, from https://go.dev/dl/, and try again"
        )
        raise services.MissingServiceError(message)


def _go(*arguments: str, folder: Path = Path("/"), **variables: str) -> str:
    environment = {**os.environ, **variables}
    done = subprocess.run(["go", *arguments], env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"exit {done.returncode} of: go {' '.join(arguments)}\n{done.stderr[-4000:]}"
        raise RuntimeError(message)
    return done.stdout.strip()
