"""What `doctor` finds about a folder with a page of one's own."""

from pathlib import Path

from bigchaindb.config import Settings
from bigchaindb.config.settings import Page
from bigchaindb.doctor.finding import Finding
from bigchaindb.doctor.page import examine_page


def found(page: Page) -> list[Finding]:
    return list(examine_page(Settings(page=page)))


def test_without_a_folder_there_is_nothing_to_examine(tmp_path: Path) -> None:
    assert found(Page()) == []
    assert found(Page(enabled=False, folder=tmp_path / "none")) == []


def test_a_folder_that_keeps_a_node_from_starting_is_named(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        [one] = found(Page(folder=folder))
        assert (one.status, one.subject) == ("fix", "page")
        assert one.text.startswith(f"page.folder: {folder} has no index.html")
    (tmp_path / "index.html").write_text("<!doctype html>")
    [one] = found(Page(folder=tmp_path))
    assert (one.status, one.text) == ("ok", f"{tmp_path} has 1 files of a page, of this moment")
