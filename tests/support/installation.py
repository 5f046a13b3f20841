"""A node installed from its package, as a user installs it, and plugins installed beside it.

The environment is new for each test run and costs little: what the node depends on lies in the cache and is linked.
Packages are built from copies, so that nothing is written into the checkout.
"""

import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from tests.support import installed, wheels


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

    def install(self, source: Path, *, editable: bool = False) -> None:
        """Install the package in `source` with `pip install`, or with `pip install -e`, from a copy of it."""
        copied = self.folder / "sources" / source.name
        shutil.copytree(source, copied, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        self.pip_install(*(["--editable"] if editable else []), copied)

    def lend_tools(self) -> None:
        """Make what the tests import importable for it too: an author has pytest and a database's client."""
        (packages,) = (self.folder / "environment/lib").glob("python*/site-packages")
        (packages / "tools.pth").write_text(f"{sysconfig.get_path('purelib')}\n")

    def pip_install(self, *arguments: str | Path) -> None:
        """Run `pip install` without a network: what packages need to be built is in the cache."""
        offline = ("--no-deps", "--no-build-isolation", "--use-pep517")  # without the last, -e builds in isolation
        run = (_base(), "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", self.python)
        installed.run(*run, "install", *offline, *arguments)


def install_node(folder: Path) -> Installation:
    """Make an environment below `folder` and install the checkout's node into it."""
    installation = Installation(folder)
    installed.run(sys.executable, "-m", "venv", "--without-pip", folder / "environment")
    (packages,) = (folder / "environment/lib").glob("python*/site-packages")
    (shared,) = _base().parent.parent.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{shared}\n")
    installation.pip_install(wheels.node_wheel())
    return installation


def _base() -> Path:
    """An interpreter whose environment has what the node depends on, and what builds packages."""
    return installed.python_environment("node", pins="base.txt")
