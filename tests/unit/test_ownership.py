"""Who owns a data directory is known, or the node ends: two nodes must never write one."""

import logging
from pathlib import Path

import pytest

from bigchaindb import ownership
from bigchaindb.store.directory import DataDirectory, DirectoryLock
from tests.support.waiting import until


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Exit codes of the process, which goes on here."""
    codes: list[int] = []
    monkeypatch.setattr("os._exit", codes.append)
    monkeypatch.setattr("logging.shutdown", lambda: None)
    monkeypatch.setattr(ownership, "CHECK_S", 0.0)
    return codes


def test_a_node_that_cannot_watch_its_directory_any_more_ends(
    tmp_path: Path, ends: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    lock = DirectoryLock(DataDirectory(tmp_path))
    lock.path = None  # type: ignore[assignment]  # a defect
    ownership.watch(lock)
    until(lambda: ends, what="the end of the process")
    lock.close()
    [record] = [one for one in caplog.records if one.levelno == logging.CRITICAL]
    assert record.getMessage().startswith("a defect has ended the watch over the lock of the data directory, ")
    assert record.getMessage().endswith("start the node again, and report the defect")
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], AttributeError)


def test_a_lock_that_the_node_closes_ends_the_watch_alone(tmp_path: Path, ends: list[int]) -> None:
    lock = DirectoryLock(DataDirectory(tmp_path))
    lock.close()
    ownership._watch(lock)
    assert not ends
