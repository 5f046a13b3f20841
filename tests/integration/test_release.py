"""What a release consists of: checked files, with a bill of what they install, its licences, and checksums."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support import installed, release


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    """A release in a folder that has the image, and what an earlier release left."""
    folder = tmp_path_factory.mktemp("release") / "dist"
    folder.mkdir()
    for name in ("image.tar", "bigchaindb_node-2.9-py3-none-any.whl", release.SUMS):
        (folder / name).write_text("earlier")
    return release.make(folder)


def test_a_release_takes_the_place_of_an_earlier_one_alone(files: Sequence[Path]) -> None:
    folder = files[0].parent
    assert sorted(folder.iterdir()) == sorted([*files, folder / "image.tar"])
    assert len(files) == 5


def pinned() -> set[str]:
    """Return what the node depends on here, as `name version`."""
    lines = (installed.REQUIREMENTS / "base.txt").read_text().splitlines()
    pins = [Requirement(line.removesuffix("\\")) for line in lines if "==" in line and not line.startswith((" ", "#"))]
    return {
        f"{one.name} {one.specifier}".replace("==", "") for one in pins if one.marker is None or one.marker.evaluate()
    }


def test_all_that_is_installed_is_on_the_bill_and_has_a_licence(files: Sequence[Path]) -> None:
    bill = next(file for file in files if file.name == release.BILL)
    document = json.loads(bill.read_text())
    listed = {f"{one['name'].lower().replace('_', '-')} {one['version']}" for one in document["components"]}
    ours = {one for one in listed if one.startswith("bigchaindb")}
    assert document["bomFormat"] == "CycloneDX"
    assert listed - ours == pinned()
    licences = next(file for file in files if file.name == release.LICENCES).read_text()
    rows = dict(line.split(": ") for line in licences.splitlines())
    assert {row.lower().replace("_", "-") for row in rows} >= pinned()
    assert "not declared" not in rows.values()
    assert str(Path.home()) not in bill.read_text() + licences


def test_the_checksums_are_those_of_the_files(files: Sequence[Path]) -> None:
    (sums,) = (file for file in files if file.name == release.SUMS)
    rows = {name: digest for digest, _, name in (line.partition("  ") for line in sums.read_text().splitlines())}
    assert rows == {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file != sums}
    assert len(rows) == 4


def test_the_bill_and_the_licences_are_the_same_when_they_are_made_again(files: Sequence[Path], tmp_path: Path) -> None:
    """So whoever builds the release again compares all of it; the test of the wheel does so with the rest."""
    made = {file.name: file for file in files}
    (wheel,) = (file for file in files if file.suffix == ".whl")
    (tmp_path / wheel.name).symlink_to(wheel)
    release.describe(tmp_path, tmp_path / "environment")
    for name in (release.BILL, release.LICENCES):
        assert (tmp_path / name).read_bytes() == made[name].read_bytes()


def test_a_wheel_that_an_index_would_refuse_is_refused(files: Sequence[Path], tmp_path: Path) -> None:
    wheel = next(file for file in files if file.suffix == ".whl")
    (tmp_path / wheel.name).write_bytes(wheel.read_bytes()[:-1000])
    with pytest.raises(RuntimeError, match="twine"):
        release.check(tmp_path)
