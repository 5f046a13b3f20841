"""What `doctor` finds in a data directory: each fault once, with what mends it."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.config import Database, KeyPairSettings, Settings
from bigchaindb.doctor import files, sharing
from bigchaindb.doctor.finding import Finding
from bigchaindb.key_files import new_keypair
from bigchaindb.store import Store
from bigchaindb.store.directory import DataDirectory, prepare

FOLDER: Final = "is a folder, and the node keeps a file there"
LINK: Final = "is a link to `/nowhere`, which is not there"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataDirectory:
    monkeypatch.setattr(sharing, "complaint", lambda _: None)  # it starts processes
    directory = prepare(tmp_path / "data")
    Store(directory.path).close()
    directory.lanes.mkdir(mode=0o700)
    return directory


def wrong(directory: DataDirectory) -> tuple[list[Finding], bool]:
    """Return the findings that are not ok, and whether the databases could be read."""
    pair = new_keypair()
    keypair = KeyPairSettings(public=pair.public_key, private=pair.private_key)
    examination = files.examine_files(directory, Settings(database=Database(path=directory.path), keypair=keypair))
    found: list[Finding] = []
    while True:
        try:
            found.append(next(examination))
        except StopIteration as end:
            return [one for one in found if one.status != "ok"], end.value


def test_a_good_folder_has_nothing_wrong(directory: DataDirectory) -> None:
    (directory.lanes / "lost+found").mkdir()
    (directory.lanes / "sales.1").touch()
    assert wrong(directory) == ([], True)


@pytest.mark.parametrize(
    ("file", "put", "reason"),
    [
        ("lanes/sales.1", Path.mkdir, FOLDER),
        ("ledger.db", Path.mkdir, FOLDER),
        ("node.db", Path.mkdir, FOLDER),
        ("node.db-shm", lambda place: place.symlink_to("/nowhere"), LINK),
        ("ledger.db-shm", lambda place: place.symlink_to("/nowhere"), LINK),
        ("lanes", Path.touch, "is no folder, and the node keeps its lane pages in one"),
    ],
)
def test_what_stands_in_the_place_of_a_file_is_one_finding(
    directory: DataDirectory, file: str, put: Callable[[Path], None], reason: str
) -> None:
    """Its consequences, such as `unable to open database file; restore a backup`, would lead elsewhere."""
    place = directory.path / file
    if place.exists():
        place.rename(directory.path.with_name("away"))
    put(place)
    [found], is_readable = wrong(directory)
    assert (found.subject, found.status, found.text) == ("data directory", "fix", f"`{place}` {reason}")
    assert found.advice
    assert is_readable is ("lanes" in file)


def test_a_file_in_the_place_of_the_folder_is_one_finding(directory: DataDirectory) -> None:
    directory.path.rename(directory.path.with_name("away"))
    directory.path.touch()
    [found], is_readable = wrong(directory)
    assert (found.text, is_readable) == (f"{directory.path} is no directory", False)


@pytest.mark.parametrize("file", ["ledger.db", "node.db"])
def test_a_database_that_cannot_be_read_is_one_finding(directory: DataDirectory, file: str) -> None:
    (directory.path / file).write_bytes(b"no database" * 1_000)
    [found], is_readable = wrong(directory)
    assert (found.subject, found.status, is_readable) == ("ledger", "fix", False)
    assert f"{file}: file is not a database" in found.text
