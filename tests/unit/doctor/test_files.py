"""What `doctor` finds in a data directory: each fault once, with what mends it."""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.config import Database, KeyPairSettings, Settings
from bigchaindb.config.access import Access
from bigchaindb.doctor import examine, files, sharing
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
    text = f"database.path: cannot use '{directory.path}': it is no directory"
    assert (found.text, is_readable) == (text, False)
    assert found.advice == "name a folder, or move that file away"


def test_a_path_that_can_be_no_folder_is_one_finding(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    [found], is_readable = wrong(DataDirectory(file / "sub" / "data"))
    assert (is_readable, found.advice) == (False, "name another folder, or move that file away")
    assert found.text.endswith(f"`{file}` is no directory")
    [found], is_readable = wrong(DataDirectory(tmp_path / ("a" * 300)))
    assert (is_readable, found.text.endswith("File name too long")) == (False, True)


@pytest.mark.parametrize("file", ["ledger.db", "node.db"])
def test_a_database_that_cannot_be_read_is_one_finding(directory: DataDirectory, file: str) -> None:
    (directory.path / file).write_bytes(b"no database" * 1_000)
    [found], is_readable = wrong(directory)
    assert (found.subject, found.status, is_readable) == ("ledger", "fix", False)
    assert f"{file}: file is not a database" in found.text


def test_a_disk_that_fills_up_is_noted_before_it_is_full(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    found = {share: files._free_space(tmp_path, free // share) for share in (2, 1_000)}
    assert {share: one.status for share, one in found.items()} == {2: "note", 1_000: "ok"}
    assert found[2].advice == "make room before the node stops accepting transactions"


def test_a_clock_without_a_battery_is_found(directory: DataDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1_000.0)
    [found] = examine._clock(directory)
    assert (found.status, found.advice) == ("fix", "set the clock; blocks carry its time")


def test_a_list_of_writers_that_cannot_be_read_is_found(tmp_path: Path) -> None:
    assert not [*examine._writers(Settings())]
    path = tmp_path / "writers"
    for text, status in ((f"{new_keypair().public_key}\n", "ok"), ("no key\n", "fix")):
        path.write_text(text)
        [found] = examine._writers(Settings(access=Access(writers=path)))
        assert (found.subject, found.status) == ("writers", status)


@pytest.mark.parametrize("name", ["PYTHON_MIN", "SQLITE_MIN"])
def test_what_is_too_old_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert next(examine._python()).status == "ok"
    monkeypatch.setattr(examine, name, (99, 0, 0))
    assert next(examine._python()).status == "fix"


def test_a_folder_that_a_start_makes_is_a_note(directory: DataDirectory) -> None:
    directory.path.rename(directory.path.with_name("away"))
    [found], _ = wrong(directory)
    assert (found.status, found.advice) == ("note", "`bigchaindb init` or `start` makes it")


def test_a_log_that_lost_commits_is_a_fault(directory: DataDirectory) -> None:
    with closing(Store(directory.path)):
        shutil.copytree(directory.path, killed := directory.path.with_name("killed"))
    log = killed / "ledger.db-wal"
    log.write_bytes(log.read_bytes()[:24] + bytes(8) + log.read_bytes()[32:])
    killed.chmod(0o700)
    ((found,), is_readable) = wrong(DataDirectory(killed))
    assert (found.subject, found.status, is_readable) == ("ledger", "fix", False)
    assert "ledger.db-wal: the header is not what was written" in found.text
