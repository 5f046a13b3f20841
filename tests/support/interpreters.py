"""The Pythons that the package supports. One of them runs every test; this module makes environments of the others.

Source: docs/decisions/0172-three-pythons.md.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.support import installed, scale

HERE: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
SUPPORTED: Final = ("3.11", "3.12", "3.13")
"""Those of the classifiers in pyproject.toml."""
TESTED: Final = SUPPORTED if scale.SCALE == "long" else ("3.11", "3.13")
"""Those of this run: the oldest and the newest, and in a long one all of them."""
UV: Final = Path(sys.executable).with_name("uv")
_ASKED: Final = "import sqlite3, ssl, sys; print('%d.%d' % sys.version_info[:2])"


def others() -> Sequence[str]:
    """Return the versions of this run without the one that runs it."""
    return [version for version in TESTED if version != HERE]


def environment(version: str) -> Path:
    """Return the folder of commands of an environment that holds this checkout and what its tests need.

    Raises:
        RuntimeError: there is no such Python; the message names where to get one.
    """
    python = find(version)
    files = [installed.REQUIREMENTS / "uv.txt", installed.REQUIREMENTS / "dev.txt"]
    made_of = [file.read_text() for file in (*files, installed.CHECKOUT / "pyproject.toml")]

    def make(folder: Path) -> None:  # as `make setup` does
        installed.run(python, "-m", "venv", folder)
        into = (UV, "pip", "install", "--quiet", "--python", folder / "bin/python")
        for file in files:
            installed.run(*into, "--require-hashes", "-r", file)
        installed.run(*into, "--no-deps", "--no-build-isolation", "-e", installed.CHECKOUT)

    pins = "\0".join(map(str, (python.resolve(), installed.CHECKOUT, *made_of))).encode()
    return installed.made_once(f"python-{version}", pins, make) / "bin"


def find(version: str) -> Path:
    """Return a Python of a version: from the PATH, from pyenv, else from uv, which downloads it.

    Raises:
        RuntimeError: there is none, and uv cannot download it.
    """
    return next((python for python in _candidates(version) if _is_usable(python, version)), None) or _of_uv(version)


def _candidates(version: str) -> Iterator[Path]:
    if (found := shutil.which(f"python{version}")) is not None:
        yield Path(found)
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    yield from sorted(versions.glob(f"{version}.*/bin/python"), reverse=True)


def _is_usable(python: Path, version: str) -> bool:
    """Whether it runs, is of that version, and has the modules that a build may lack.

    Version managers leave commands on the PATH that refuse to run.
    """
    try:
        done = subprocess.run([python, "-c", _ASKED], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.stdout.strip() == version


def _of_uv(version: str) -> Path:
    try:
        installed.run(UV, "python", "install", "--quiet", "--no-bin", version)
    except RuntimeError as error:
        raise RuntimeError(
            f"the tests need Python {version}: none that runs is on the PATH or among pyenv's versions, and uv cannot "
            f"download one; install it (`pyenv install {version}`, or your distribution's python{version}). {error}"
        ) from error
    done = subprocess.run(
        [UV, "python", "find", "--managed-python", version], capture_output=True, text=True, check=True
    )
    return Path(done.stdout.strip())
