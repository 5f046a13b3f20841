"""The files of the page are in what users install: a node without them does not start."""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from bigchaindb.api.page_files import OWN_FOLDER, Page
from tests.support.installation import SOURCES_OF_THE_NODE, Installation

ROOT = Path(__file__).parents[2]
BUILD = "import setuptools.build_meta as backend; print(backend.build_sdist('dist'))"


def test_an_installation_has_the_page(installation: Installation) -> None:
    (folder,) = (installation.folder / "environment/lib").glob("python*/site-packages/bigchaindb/page")
    assert Page.read(folder).digest == Page.read().digest


def test_the_source_distribution_has_the_page(tmp_path: Path) -> None:
    for name in SOURCES_OF_THE_NODE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path)
    run = [sys.executable, "-W", "ignore", "-c", BUILD]
    built = subprocess.run(run, cwd=tmp_path, env={**os.environ}, check=True, capture_output=True, text=True)
    with tarfile.open(tmp_path / "dist" / built.stdout.split()[-1]) as archive:
        archive.extractall(tmp_path / "extracted", filter="data")
    (folder,) = (tmp_path / "extracted").glob("*/bigchaindb/page")
    assert Page.read(folder).digest == Page.read().digest
    assert Page.read(OWN_FOLDER).files.keys() == Page.read(folder).files.keys()
