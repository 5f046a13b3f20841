"""The trial of a file system: two processes share a lock, and one sees the commits of the other."""

from pathlib import Path

import pytest

from bigchaindb.doctor import sharing


def test_a_file_system_where_locks_are_not_shared_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on mounts where each process sees locks of its own: the writer here takes none."""
    monkeypatch.setattr("fcntl.flock", lambda *_: None)
    assert sharing.complaint(tmp_path) == "two processes could take the same lock: locks are not shared"
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_where_commits_are_not_seen_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader judges once the writer is done, however slow the disk is; here the last commit never comes."""
    monkeypatch.setattr(sharing, "COMMIT_COUNT", 99)
    assert sharing.complaint(tmp_path) == "a reader saw 99 of 100 commits: shared memory is not shared"
    monkeypatch.setattr(sharing, "COMMIT_COUNT", 100)
    assert sharing.complaint(tmp_path) is None


def test_a_folder_that_cannot_be_written_is_a_complaint(tmp_path: Path) -> None:
    assert "the test failed" in (sharing.complaint(tmp_path / "missing") or "")
