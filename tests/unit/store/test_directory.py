import os
import socket
import threading
from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.errors import DirectoryInUse, StartupError
from bigchaindb.store.directory import DirectoryLock, prepare


def test_the_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """It holds keys, and sockets that obey whoever may open them."""
    directory = prepare(tmp_path / "a" / "b")
    assert directory.path.stat().st_mode & 0o777 == 0o700
    assert prepare(directory.path).path == directory.path


@pytest.mark.parametrize("mode", [0o755, 0o701, 0o740])
def test_a_directory_that_others_may_enter_is_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(StartupError, match=f"mode 0{mode:o} .* run: chmod 700"):
        prepare(tmp_path)


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StartupError, match=r"database\.path: cannot use .*file"):
            prepare(path)


def test_a_directory_that_cannot_be_made_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"name too long; set database\.path to a folder"):
        prepare(tmp_path / ("x" * 300))


def test_one_owner_at_a_time_and_the_error_names_it(tmp_path: Path) -> None:
    """Two writers would each think that the chain is theirs."""
    directory = prepare(tmp_path / "data")
    with closing(DirectoryLock(directory)), pytest.raises(DirectoryInUse, match=f"process {os.getpid()};"):
        DirectoryLock(directory)
    DirectoryLock(directory).close()


def test_a_lock_may_be_waited_for(tmp_path: Path) -> None:
    """A node that starts while a command looks into its data must not fail for that."""
    directory = prepare(tmp_path / "data")
    first = DirectoryLock(directory)
    threading.Timer(0.2, first.close).start()
    DirectoryLock(directory, wait_s=30.0).close()
    with closing(DirectoryLock(directory)), pytest.raises(DirectoryInUse):
        DirectoryLock(directory, wait_s=0.1)


def test_closing_twice_does_no_harm(tmp_path: Path) -> None:
    lock = DirectoryLock(prepare(tmp_path / "data"))
    lock.close()
    lock.close()


def test_paths_lie_below_the_directory(tmp_path: Path) -> None:
    directory = prepare(tmp_path / "data")
    names = [p.name for p in (directory.lock, directory.ledger, directory.node, directory.lanes)]
    assert names == ["lock", "ledger.db", "node.db", "lanes"]


def test_a_lock_whose_file_was_removed_or_replaced_is_held_no_more(tmp_path: Path) -> None:
    """Another process may have taken the directory."""
    directory = prepare(tmp_path / "data")
    for lose in (directory.lock.unlink, lambda: directory.lock.rename(tmp_path / "away")):
        with closing(DirectoryLock(directory)) as lock:
            assert lock.is_held()
            lose()
            assert not lock.is_held()
            directory.lock.write_text("")
            assert not lock.is_held()


def test_a_node_that_listens_owns_its_directory_without_its_lock(tmp_path: Path) -> None:
    """Between the removal of its lock and its next look nobody else gets in."""
    directory = prepare(tmp_path / "data")
    with socket.socket(socket.AF_UNIX) as control:
        control.bind(str(directory.control))
        control.listen(1)
        for _ in range(3):  # its queue fills up, as that of a node which is suspended
            with pytest.raises(DirectoryInUse, match=r"a node that answers on control\.sock"):
                DirectoryLock(directory)
    DirectoryLock(directory).close()


def test_what_is_made_after_the_ledger_proves_that_there_was_one(tmp_path: Path) -> None:
    directory = prepare(tmp_path / "data")
    for name in ("chain_id", "keypair.json", "lock"):
        (directory.path / name).write_text("made before it")
    directory.lanes.mkdir()
    assert not directory.remains()
    page = directory.lanes / "auditor.1"
    for proof in (directory.node, directory.path / "ledger.db-wal", page):
        proof.write_text("not empty")
        for content in (None, ""):
            if content is not None:
                directory.ledger.write_text(content)
            assert directory.remains() == (proof,)
        directory.ledger.write_text("there")
        assert not directory.remains()
        directory.ledger.unlink()
        proof.unlink()
