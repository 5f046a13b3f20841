"""A copy of databases that are being written is one state of all of them, or none."""

from pathlib import Path

import pytest

from bigchaindb.engine.cometbft import copying
from bigchaindb.engine.cometbft.files import Layout, make_folders
from bigchaindb.errors import StoreError


@pytest.fixture
def source(tmp_path: Path) -> Layout:
    layout = layout_in(tmp_path / "source")
    make_folders(layout)
    layout.genesis.write_text("{}")
    layout.validator_state.write_text("secret")
    for database in ("blockstore.db", "state.db", "tx_index.db"):
        folder = layout.blocks / database
        folder.mkdir()
        for name in ("CURRENT", "LOCK", "LOG", "MANIFEST-000001", "000002.log", "000003.ldb"):
            (folder / name).write_text(f"{database} {name}")
    return layout


def layout_in(folder: Path) -> Layout:
    folder.mkdir(mode=0o700)
    return Layout(folder)


def test_what_is_copied(source: Layout, tmp_path: Path) -> None:
    target = layout_in(tmp_path / "target")
    copying.copy_blocks(source, target)
    files = {str(path.relative_to(target.home)): path for path in target.home.rglob("*") if path.is_file()}
    assert set(files) == {
        "config/genesis.json",
        *(
            f"data/{database}/{name}"
            for database in ("blockstore.db", "state.db")
            for name in ("CURRENT", "MANIFEST-000001", "000002.log", "000003.ldb")
        ),
    }
    for name, path in files.items():
        assert path.read_bytes() == (source.home / name).read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600


def test_what_comes_after_the_moment_is_not_in_it(source: Layout) -> None:
    """CometBFT goes on while the copy, which takes minutes, is made: it appends, and deletes what it has merged."""
    log, table = (source.blocks / "state.db" / name for name in ("000002.log", "000003.ldb"))
    size = log.stat().st_size
    with copying._opened(source.blocks) as files:
        with log.open("a") as appended:
            appended.write("more")
        table.unlink()
        assert files["state.db/000002.log"][1] == size
        descriptor, length = files["state.db/000003.ldb"]
        target = source.home / "copy"
        copying._copy(descriptor, target, length)
        assert target.read_text() == "state.db 000003.ldb"


def test_a_table_that_is_being_written_does_not_matter(source: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing refers to it before it is whole, and a large merge would hold the copy up."""
    grows(source.blocks / "blockstore.db" / "000003.ldb", monkeypatch)
    with copying._opened(source.blocks) as files:
        assert files


@pytest.mark.parametrize("name", ["000002.log", "MANIFEST-000001", "000009.ldb"])
def test_what_is_written_meanwhile_makes_it_try_again(
    source: Layout, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(copying, "TRY_S", 0)
    monkeypatch.setattr(copying, "TRY_COUNT_MAX", 5)
    grows(source.blocks / "blockstore.db" / name, monkeypatch, times=4)
    with copying._opened(source.blocks) as files:
        assert files
    grows(source.blocks / "blockstore.db" / "000004.log", monkeypatch)
    with pytest.raises(StoreError, match="wrote without a pause"), copying._opened(source.blocks):
        pass


def grows(path: Path, monkeypatch: pytest.MonkeyPatch, times: int = 1_000) -> None:
    """Make a file grow after each of the first looks."""
    looked = copying._seen
    left = iter(range(times))

    def seen(folder: Path) -> dict[str, tuple[int, int]]:
        found = looked(folder)
        if next(left, None) is not None:
            with path.open("a") as file:
                file.write("x")
        return found

    monkeypatch.setattr(copying, "_seen", seen)


def test_a_node_that_has_not_started_has_nothing_but_its_genesis(tmp_path: Path) -> None:
    source, target = layout_in(tmp_path / "source"), layout_in(tmp_path / "target")
    make_folders(source)
    source.genesis.write_text("{}")
    copying.copy_blocks(source, target)
    assert target.genesis.exists()
    assert list(target.blocks.iterdir()) == []
    assert copying.size_of(source) == 0
