"""Wheels for `pip install --no-index --find-links …`: the checkout's node, and what it depends on, as pinned."""

import hashlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.support import installed

BUILD: Final = installed.CHECKOUT / "packaging/distributions.py"
HERE: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
DEPENDENCIES: Final = ("base.txt", "acceptance-build.txt")
"""What the node depends on, and what builds a plugin from its source."""
MARKER: Final = re.compile(r" ; .*(?= \\$)", re.MULTILINE)
UNUSED_S_MAX: Final = 24 * 3600.0
"""Each state of the checkout has an entry of its own, of 1.5 MB."""


def node_wheel() -> Path:
    """Return the wheel of the checkout as it stands."""
    return _one(distributions(), "*.whl")


def distributions() -> Path:
    """Return a folder with the wheel and the source distribution of the checkout as it stands."""

    def build(folder: Path) -> None:
        folder.mkdir(parents=True)
        installed.run(sys.executable, BUILD, folder)

    return installed.made_once("node-wheel", _sources(), build)


def wheels_of_dependencies(python: str = HERE) -> Path:
    """Return a folder with the wheels that the node depends on, for a Python such as "3.13" of this machine's kind."""
    return _downloaded(f"wheels-{python}", DEPENDENCIES, python)


def wheels_of_the_image(python: str) -> Path:
    """Return a folder with the wheels that the image holds, but for the node's own, for the Python of its base."""
    return _downloaded("wheels-of-the-image", ("image.txt",), python)


def _downloaded(entry: str, pins: Sequence[str], python: str) -> Path:
    files = [installed.REQUIREMENTS / name for name in pins]

    def download(folder: Path) -> None:
        folder.mkdir(parents=True)
        pinned = [part for file in files for part in ("-r", _for_every_python(file, folder / file.name))]
        kind = ("--no-deps", "--require-hashes", "--only-binary", ":all:", "--python-version", python)
        installed.pip(Path(sys.executable), "download", *kind, "--dest", folder, *pinned)

    return installed.made_once(entry, b"\0".join(file.read_bytes() for file in files), download)


def _for_every_python(pins: Path, copy: Path) -> Path:
    """Copy pins without their markers, which pip compares with the Python that runs it; return the copy."""
    copy.write_text(MARKER.sub("", pins.read_text()))
    return copy


def find_links(python: str = HERE) -> Sequence[str]:
    """Return the options with which pip and uv install the node by its name, without a network."""
    folders = (distributions(), wheels_of_dependencies(python))
    return ("--no-index", *(part for folder in folders for part in ("--find-links", str(folder))))


def forget_unused() -> None:
    """Delete wheels of earlier states of the checkout."""
    installed.forget_unused("node-wheel", UNUSED_S_MAX)


def _sources() -> bytes:
    """Return what the wheel is made of, as a digest."""
    digest = hashlib.sha256(sys.version.encode() + BUILD.read_bytes())
    paths = [path for name in ("bigchaindb", "pyproject.toml", "README.md", "LICENSE") for path in _files(name)]
    for path in sorted(paths):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(installed.CHECKOUT)}\0{len(content)}\0".encode() + content)
    return digest.digest()


def _files(name: str) -> Sequence[Path]:
    path = installed.CHECKOUT / name
    if path.is_file():
        return [path]
    return [found for found in path.rglob("*") if found.is_file() and "__pycache__" not in found.parts]


def _one(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found
