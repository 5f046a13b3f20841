"""A node installed from its package, as a user installs it, and plugins installed beside it.

The environment is new for each test run and costs little: what the node depends on lies in the cache and is linked.
Packages are built from copies, so that nothing is written into the checkout.
"""

import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support import installed, interpreters, wheels

ALONE: Final = ("--no-deps", "--no-build-isolation")


@dataclass(frozen=True)
class Installation:
    """An environment with a node in it."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "environment/bin/python"

    @property
    def command(self) -> tuple[str]:
        """The node's program, for `running_node`."""
        return (str(self.python.with_name("bigchaindb")),)

    def install(self, source: Path) -> None:
        """Install the package in `source` from a copy of it."""
        copied = self.folder / "sources" / source.name
        shutil.copytree(source, copied, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        self.install_as_it_is(copied)

    def install_as_it_is(self, package: Path, *, editable: bool = False) -> None:
        """Install a folder or a wheel where it lies, with uv, which takes a fifth of pip's time."""
        anew = ("--no-cache", "--reinstall")  # else a folder whose version is the same counts as installed
        run = (interpreters.UV, "pip", "install", "--quiet", "--offline", *anew, *ALONE, "--python", self.python)
        installed.run(*run, *(["--editable"] if editable else []), package)

    def lend_tools(self) -> None:
        """Make what the tests import importable for it too: an author has pytest and a database's client."""
        (packages,) = (self.folder / "environment/lib").glob("python*/site-packages")
        (packages / "tools.pth").write_text(f"{sysconfig.get_path('purelib')}\n")

    def pip_install(self, *arguments: str | Path) -> None:
        """Run `pip install` without a network: what packages need to be built is in the cache."""
        run = (_base(), "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", self.python)
        installed.run(*run, "install", *ALONE, "--use-pep517", *arguments)  # without it, -e builds in isolation


def install_node(folder: Path) -> Installation:
    """Make an environment below `folder` and install the checkout's node into it."""
    installation = Installation(folder)
    installed.run(sys.executable, "-m", "venv", "--without-pip", folder / "environment")
    (packages,) = (folder / "environment/lib").glob("python*/site-packages")
    (shared,) = _base().parent.parent.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{shared}\n")
    installation.install_as_it_is(wheels.node_wheel())
    return installation


def _base() -> Path:
    """An interpreter whose environment has what the node depends on, and what builds packages."""
    return installed.python_environment("node", pins="base.txt")
