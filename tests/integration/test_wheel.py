"""What users install: the wheel and the source distribution hold what they must, and nothing else."""

import importlib.util
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from bigchaindb import __version__
from bigchaindb.api.page_files import Page
from bigchaindb.distribution import NAME
from tests.support import installed, wheels
from tests.support.installation import Installation

PACKAGE = installed.CHECKOUT / "bigchaindb"
INFORMATION = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt"}


@pytest.fixture(scope="module")
def build() -> ModuleType:
    """The script that builds both, as a module."""
    spec = importlib.util.spec_from_file_location("distributions", wheels.BUILD)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_wheel_has_the_whole_package_and_nothing_else() -> None:
    """Not the tests, the pages or the benchmarks; and every file that lies in the package."""
    stem = f"{NAME.replace('-', '_')}-{__version__}"
    wheel = wheels.node_wheel()
    assert wheel.name == f"{stem}-py3-none-any.whl"
    kept = {f"bigchaindb/{path.relative_to(PACKAGE)}" for path in PACKAGE.rglob("*") if is_distributed(path)}
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA"))
        assert set(archive.namelist()) == kept | {f"{stem}.dist-info/{name}" for name in INFORMATION}
    assert "\nRequires-Python: >=3.11\n" in metadata  # by which pip refuses an older Python


def is_distributed(path: Path) -> bool:
    """Whether a file of the package belongs into the wheel: a .proto is what generated modules were made of."""
    return path.is_file() and "__pycache__" not in path.parts and path.suffix != ".proto"


def test_a_wheel_is_the_same_whoever_builds_it_from_whatever(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the checkout and from the source distribution, with another umask, at another time."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    before = os.umask(0o077)
    try:
        subprocess.run([sys.executable, wheels.BUILD, tmp_path / "one"], check=True, stdout=subprocess.DEVNULL)
    finally:
        os.umask(before)
    build.copy_sources(tmp_path / "source")
    direct = build.wheel(tmp_path / "source", tmp_path)
    sdist, again = build.build(tmp_path / "two")
    assert again.read_bytes() == (tmp_path / "one" / again.name).read_bytes() == direct.read_bytes()
    assert sdist.read_bytes() == (tmp_path / "one" / sdist.name).read_bytes()
    with tarfile.open(sdist) as archive:
        times = {member.mtime for member in archive.getmembers()}
        names = {member.name.partition("/")[2].partition("/")[0] for member in archive.getmembers()}
    assert times == {1_700_000_000}
    assert names == {"", *build.SOURCES, "PKG-INFO", "setup.cfg", f"{NAME.replace('-', '_')}.egg-info"}


def test_an_installation_has_the_page(installation: Installation) -> None:
    """A node without it does not start."""
    (folder,) = (installation.folder / "environment/lib").glob("python*/site-packages/bigchaindb/page")
    assert Page.read(folder).digest == Page.read().digest
