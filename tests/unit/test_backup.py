"""What is called a backup is one: whole, durable, and not mistaken for the ledger that goes on."""

from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.backup import back_up
from bigchaindb.errors import DirectoryInUse, StoreError
from bigchaindb.eventlog.lane import Progress
from bigchaindb.identity import make_chain_id
from bigchaindb.store import LaneRow, Log, Store
from bigchaindb.store.directory import DataDirectory, DirectoryLock
from bigchaindb.subscribers.lane_page import LanePage, Word, page_path
from tests.support.chains import create
from tests.support.decisions import Chain

ROW = LaneRow("auditor", 1, 0, 2, bytes(32), "LIVE", 0.0, None, 0.0)


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    """A stopped node's directory: five events, and a plugin that has settled two."""
    with closing(Store(tmp_path / "data")) as store:
        directory = store.directory
        directory.lanes.mkdir(0o700)
        make_chain_id(directory.path)
        chain = Chain(store.writer.tip())
        for serial in range(5):
            store.writer.commit(chain.valid(create(serial)))
        LanePage.create(page_path(directory.lanes, "auditor", 1), Progress(2, 2), head=5, slot_count=4).close()
        store.node.save_lanes({ROW: ()})
    return directory


def ignore(_copied: int, _total: int) -> None:
    pass


def test_it_holds_ledger_lanes_and_identity_for_its_owner_alone(directory: DataDirectory, tmp_path: Path) -> None:
    (directory.path / "keypair.json").write_text("{}")
    done = back_up(directory, tmp_path / "copy", with_key=True, progress=ignore)
    assert (done.height, done.position, done.has_key) == (5, 5, True)
    files = sorted(path.relative_to(done.path).as_posix() for path in done.path.rglob("*"))
    assert files == ["chain_id", "keypair.json", "lanes", "lanes/auditor.1", "ledger.db", "node.db"]
    assert [path.stat().st_mode & 0o777 for path in (done.path, done.path / "keypair.json")] == [0o700, 0o600]
    assert done.size_bytes == sum(path.stat().st_size for path in done.path.rglob("*") if path.is_file())
    with closing(Store(done.path)) as store, closing(store.log_reader()) as log:
        assert log.head() == 5
        assert store.node.lane(ROW.name) == ROW


def test_it_does_not_hold_the_key_unless_it_should(directory: DataDirectory, tmp_path: Path) -> None:
    """Some keep backups where a private key must not lie."""
    assert not back_up(directory, tmp_path / "keyless", with_key=True, progress=ignore).has_key
    (directory.path / "keypair.json").write_text("{}")
    assert not back_up(directory, tmp_path / "without", with_key=False, progress=ignore).has_key
    assert not (tmp_path / "without" / "keypair.json").exists()


def test_p8_its_ledger_does_not_know_its_node_db(directory: DataDirectory, tmp_path: Path) -> None:
    """By that a restore is noticed, each time the same backup is restored; the original goes on as before."""
    done = back_up(directory, tmp_path / "copy", with_key=True, progress=ignore)
    for path, knows in ((directory.path, True), (done.path, False)):
        with closing(Store(path)) as store:
            assert store.knows_node is knows


def test_a_page_counts_as_one_after_a_power_cut(directory: DataDirectory, tmp_path: Path) -> None:
    """It was copied while its host wrote: what stands in it beside the cursor may be of another moment."""
    with closing(LanePage(page_path(directory.lanes, "auditor", 1))) as page:
        page.words[Word.REACHED] = 4  # as if the slots of 3 and 4 had been copied before they were filled
    done = back_up(directory, tmp_path / "copy", with_key=True, progress=ignore)
    with closing(LanePage(page_path(done.path / "lanes", "auditor", 1))) as page:
        assert page.progress() == Progress(2, 2)


def test_a_stopped_node_cannot_start_meanwhile(directory: DataDirectory, tmp_path: Path) -> None:
    """What is copied is durable, so that the copy never knows a block that the ledger loses (P4)."""

    def try_to_start(_copied: int, _total: int) -> None:
        with pytest.raises(DirectoryInUse):
            DirectoryLock(directory)

    back_up(directory, tmp_path / "copy", with_key=True, progress=try_to_start)
    DirectoryLock(directory).close()


def test_what_is_cut_short_is_no_backup(directory: DataDirectory, tmp_path: Path) -> None:
    def fail(_copied: int, _total: int) -> None:
        assert not (tmp_path / "copy").exists()
        assert (tmp_path / "copy.partial" / "node.db").exists()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(directory, tmp_path / "copy", with_key=True, progress=fail)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]
    with closing(Log(directory.ledger)) as log:
        assert log.head() == 5


def test_an_empty_directory_may_be_there(directory: DataDirectory, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    back_up(directory, tmp_path / "copy", with_key=True, progress=ignore)
    assert (tmp_path / "copy" / "ledger.db").exists()


def test_it_is_put_where_a_link_leads_to(directory: DataDirectory, tmp_path: Path) -> None:
    """A link to another disk must not fail at the end, when all is copied."""
    (tmp_path / "disk" / "there").mkdir(parents=True)
    for name, leads in (("link", tmp_path / "disk" / "there"), ("new", tmp_path / "disk" / "monday")):
        (tmp_path / name).symlink_to(leads)
        back_up(directory, tmp_path / name, with_key=True, progress=ignore)
        assert (leads / "ledger.db").exists()


def test_it_may_be_the_folder_one_is_in(
    directory: DataDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    back_up(directory, Path(), with_key=True, progress=ignore)
    assert (tmp_path / "here" / "ledger.db").exists()


def test_folders_above_it_are_made(directory: DataDirectory, tmp_path: Path) -> None:
    back_up(directory, tmp_path / "backups" / "2018" / "monday", with_key=True, progress=ignore)
    assert (tmp_path / "backups" / "2018" / "monday" / "ledger.db").exists()


class TestRefusals:
    """Nothing is overwritten, and nothing is put where it does not last."""

    def refused(self, directory: DataDirectory, target: Path) -> str:
        with pytest.raises(StoreError) as caught:
            back_up(directory, target, with_key=True, progress=ignore)
        return str(caught.value)

    def test_something_is_there(self, directory: DataDirectory, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        assert "exists and is not empty" in self.refused(directory, tmp_path / "file")
        assert "exists and is not empty" in self.refused(directory, tmp_path)

    def test_one_was_cut_short_or_is_being_made(self, directory: DataDirectory, tmp_path: Path) -> None:
        (tmp_path / "copy.partial").mkdir()
        assert "copy.partial' exists, of a backup that was cut short" in self.refused(directory, tmp_path / "copy")
        assert (tmp_path / "copy.partial").exists()

    def test_what_is_above_is_a_file(self, directory: DataDirectory, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        assert "file' is not a directory: name another one" in self.refused(
            directory, tmp_path / "file" / "b" / "monday"
        )

    def test_it_would_lie_in_what_it_copies(self, directory: DataDirectory) -> None:
        assert "is in the data directory, with which" in self.refused(directory, directory.path / "lanes" / "copy")

    def test_there_is_no_ledger(self, tmp_path: Path) -> None:
        assert "there is no ledger in" in self.refused(DataDirectory(tmp_path), tmp_path / "copy")
