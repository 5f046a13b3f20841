"""Which process listens on a port, and which one holds a lock."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.serving.processes import listener, lock_owner, name_of
from bigchaindb.store.directory import DirectoryLock, prepare
from tests.support.processes import other_process_at


@pytest.mark.parametrize("everywhere", ["0.0.0.0", "::", "::ffff:127.0.0.5"])
def test_who_listens_everywhere_is_in_the_way(everywhere: str) -> None:
    with other_process_at(everywhere) as (other, port):
        assert listener("127.0.0.5", port) == other


def test_an_address_of_version_6_is_told_from_others() -> None:
    with other_process_at("::1") as (other, port):
        assert listener("::1", port) == other
        assert listener("::2", port) is None
        assert listener("127.0.0.1", port) is None


def test_nobody_holds_what_is_not_held(tmp_path: Path) -> None:
    directory = prepare(tmp_path / "data")
    assert lock_owner(directory.lock) is None
    with closing(DirectoryLock(directory)):
        assert lock_owner(directory.lock) == os.getpid()
        directory.lock.write_text("1\n")  # somebody else's file that has the same number on another disk
        assert lock_owner(directory.lock) is None
    assert lock_owner(directory.lock) is None
    assert "python" in name_of(os.getpid()) or "pytest" in name_of(os.getpid())
    assert name_of(2**30) == "?"


def test_a_line_that_the_system_leaves_out_once_is_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = prepare(tmp_path / "data")
    with closing(DirectoryLock(directory)):
        held = Path("/proc/locks").read_text().splitlines()
        tables = iter([[], held])
        monkeypatch.setattr("bigchaindb.serving.processes._lines", lambda _: next(tables))
        assert lock_owner(directory.lock) == os.getpid()
