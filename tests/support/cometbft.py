"""The program that several nodes agree through: found, else built once from its published source into the cache.

It is pinned to one version: figures, log lines and vectors of the tests are that version's.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.support import installed, services

VERSION: Final = "0.38.26"
NAME: Final = "cometbft"
PINS: Final = f"{NAME} {VERSION}".encode()
GO_MIN: Final = (1, 21)
"""From this one on Go fetches the newer toolchain that CometBFT's source names."""


def require_cometbft() -> Path:
    """Return the program: the cache's own, else the one on the PATH, else the cache's own once it is built.

    A build takes one to four minutes and needs the network; other test runs wait for it.

    Raises:
        MissingServiceError: it must be built, and there is no Go that can, and none may be installed here.
    """
    if not installed.is_made(NAME, PINS) and (on_path := shutil.which(NAME)) and _is_right(Path(on_path)):
        return Path(on_path)
    return installed.made_once(NAME, PINS, _build) / NAME


def _is_right(program: Path) -> bool:
    done = subprocess.run([program, "version"], capture_output=True, text=True, check=False)
    return done.stdout.strip() == VERSION


def _build(folder: Path) -> None:
    services.require("go")
    _require_new_go()
    # `go env` knows the user's own flags wherever they are set; the variable replaces them, so they are repeated.
    flags = f"{_go('env', 'GOFLAGS')} -modcacherw".strip()
    _go("install", f"github.com/cometbft/cometbft/cmd/cometbft@v{VERSION}", GOBIN=str(folder), GOFLAGS=flags)


def _require_new_go() -> None:
    found = _go("env", "GOVERSION")
    numbers = re.match(r"go(\d+)\.(\d+)", found)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < GO_MIN:
        wanted = ".".join(map(str, GO_MIN))
        message = (
            f"CometBFT is built with Go {wanted} or newer, found {found or 'one without a version'}: "
            f"put a newer Go on the PATH, or the program cometbft {VERSION} itself, then run the tests again"
        )
        raise services.MissingServiceError(message)


def _go(*arguments: str, **variables: str) -> str:
    done = subprocess.run(
        ["go", *arguments], env={**os.environ, **variables}, cwd="/", capture_output=True, text=True, check=False
    )
    if done.returncode:
        message = f"exit {done.returncode} of: go {' '.join(arguments)}\n{done.stderr[-4000:]}"
        raise RuntimeError(message)
    return done.stdout.strip()
