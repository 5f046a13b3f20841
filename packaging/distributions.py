"""Build the source distribution and the wheel: `python packaging/distributions.py FOLDER`, with `make setup`'s Python.

One commit gives the same bytes, whoever builds it. Each file has the same mode and the time `SOURCE_DATE_EPOCH`, the
commit's unless it is set. The wheel is built from the source distribution, not from a folder with remains.
"""

import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parents[1]
SOURCES: Final = ("bigchaindb", "pyproject.toml", "README.md", "LICENSE")
EPOCH: Final = "SOURCE_DATE_EPOCH"
FIRST_EPOCH: Final = 315_532_800
"""The first time that a wheel, a zip file, can hold: 1980."""


def build(folder: Path) -> tuple[Path, Path]:
    """Build both into `folder`; return the source distribution and the wheel."""
    os.umask(0o022)  # the backend writes files of its own, and a wheel keeps their modes
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch, "source")
        copy_sources(source)
        sdist = source_distribution(source, folder)
        return sdist, wheel(unpacked(sdist, Path(scratch, "unpacked")), folder)


def copy_sources(target: Path) -> None:
    """Copy what is distributed, without what a run has left beside it."""
    target.mkdir()
    for name in SOURCES:
        if (CHECKOUT / name).is_dir():
            shutil.copytree(CHECKOUT / name, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copy(CHECKOUT / name, target)
    for path in target.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def source_distribution(source: Path, folder: Path) -> Path:
    """Build the source distribution of the project in `source`."""
    built = folder / _backend(source, "build_sdist", folder)
    with tarfile.open(built) as archive:
        members = [(member, archive.extractfile(member)) for member in archive.getmembers()]
        packed = _packed([(member, file.read() if file else b"") for member, file in members])
    built.write_bytes(packed)
    return built


def wheel(source: Path, folder: Path) -> Path:
    """Build the wheel of the project in `source`."""
    return folder / _backend(source, "build_wheel", folder)


def unpacked(sdist: Path, folder: Path) -> Path:
    """Unpack a source distribution below `folder`."""
    with tarfile.open(sdist) as archive:
        # Debian 12's Python 3.11.2 has neither the argument `filter` nor the function.
        archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        archive.extractall(folder)  # noqa: S202 - a distribution that this build made
    (project,) = folder.iterdir()
    return project


def epoch() -> int:
    """Return the time of all files: the environment's, else the commit's, else the first that a zip file can hold."""
    if given := os.environ.get(EPOCH):
        return max(int(given), FIRST_EPOCH)
    command = ["git", "-C", str(CHECKOUT), "log", "-1", "--format=%ct"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # a source distribution on a machine without git
        return FIRST_EPOCH
    return int(done.stdout) if done.returncode == 0 else FIRST_EPOCH


def _packed(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """Return an archive whose bytes do not depend on when, by whom and in which order it was made."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile("", "wb", fileobj=packed, mtime=epoch()) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for member, content in sorted(members, key=lambda one: one[0].name):
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime, member.pax_headers = epoch(), {}
            member.mode = 0o755 if member.isdir() else 0o644
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _backend(source: Path, function: str, folder: Path) -> str:
    """Call a function of the build backend in a process of its own; return the name of the file that it made."""
    code = f"import sys, setuptools.build_meta as backend; print(backend.{function}(sys.argv[1]))"
    environment = {**os.environ, EPOCH: str(epoch())}
    command = [sys.executable, "-W", "ignore", "-c", code, str(folder.resolve())]
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{function} failed: {done.stderr[-4000:]}")
    return done.stdout.split()[-1]


if __name__ == "__main__":
    for path in build(Path(sys.argv[1])):
        print(path)
