"""Files that are written whole or not at all. That they are durable, in the right order: `test_durable.py`."""

import os
from pathlib import Path

import pytest

from bigchaindb.files import make_folder, remove, replacing, write


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


def test_a_file_is_replaced_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """It may hold a private key, whatever its mode was before."""
    (tmp_path / "file").write_bytes(b"before")
    (tmp_path / "file").chmod(0o644)
    write(tmp_path / "file", b"after")
    assert (tmp_path / "file").read_bytes() == b"after"
    assert modes(tmp_path) == {"file": 0o600}


def test_an_error_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    write(tmp_path / "file", b"before")
    with pytest.raises(TypeError), replacing(tmp_path / "file") as file:
        file.writelines([b"half", "no bytes"])  # type: ignore[list-item]
    assert (tmp_path / "file").read_bytes() == b"before"
    assert modes(tmp_path) == {"file": 0o600}


def test_a_new_file_replaces_none(tmp_path: Path) -> None:
    """A key that is written over is lost."""
    write(tmp_path / "file", b"before", is_new=True)
    with pytest.raises(FileExistsError):
        write(tmp_path / "file", b"after", is_new=True)
    assert (tmp_path / "file").read_bytes() == b"before"
    assert modes(tmp_path) == {"file": 0o600}


def test_what_a_killed_process_left_is_not_written_to(tmp_path: Path) -> None:
    """In a folder like /tmp another user may have put a link there, to get the key or to have a file overwritten."""
    other = tmp_path / "other"
    other.write_bytes(b"mine")
    (tmp_path / "file.bigchaindb-new").symlink_to(other)
    write(tmp_path / "file", b"after")
    assert (other.read_bytes(), (tmp_path / "file").read_bytes()) == (b"mine", b"after")
    assert not (tmp_path / "file.bigchaindb-new").exists()


def test_a_file_for_others_has_the_mode_that_their_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "file", 0o666) as file:
            file.write(b"text")
    finally:
        os.umask(before)
    assert modes(tmp_path) == {"file": 0o640}


def test_folders_are_made_where_they_are_missing(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_what_is_removed_is_the_link_and_not_what_it_leads_to(tmp_path: Path) -> None:
    """A data directory may hold links to other disks."""
    kept, folder = tmp_path / "kept", tmp_path / "folder"
    for one in (kept, folder / "inner"):
        one.mkdir(parents=True)
        (one / "file").touch()
    (tmp_path / "link").symlink_to(kept)
    (tmp_path / "file").touch()
    for name in ("link", "folder", "file"):
        remove(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (kept / "file").exists()
