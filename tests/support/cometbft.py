"""The program that several nodes agree through: found, else built once from its published source into the cache.

It is pinned to one version: figures, log lines and vectors of the tests are that version's.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.support import golang, installed

VERSION: Final = "0.38.26"
NAME: Final = "cometbft"
PINS: Final = f"{NAME} {VERSION}".encode()


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
    golang.build("install", f"github.com/cometbft/cometbft/cmd/cometbft@v{VERSION}", GOBIN=str(folder))
