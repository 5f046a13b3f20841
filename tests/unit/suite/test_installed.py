"""What tests download or compile is made once, and counts only when it is whole."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import installed, shown_ledger


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(installed, "CACHE", tmp_path)
    return tmp_path


def make(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "made").touch(exist_ok=False)


def test_an_entry_is_made_once_for_its_pins() -> None:
    first = installed.made_once("one", b"1", make)
    (first / "made").write_text("by the first")
    assert installed.made_once("one", b"1", make) == first
    assert (first / "made").read_text() == "by the first"
    assert installed.made_once("one", b"2", make) != first


def test_what_is_half_made_never_counts() -> None:
    def fail(folder: Path) -> None:
        make(folder)
        raise RuntimeError("the network is gone")

    with pytest.raises(RuntimeError, match="the network is gone"):
        installed.made_once("one", b"1", fail)
    assert not installed.is_made("one", b"1")
    installed.made_once("one", b"1", make)
    assert installed.is_made("one", b"1")


def test_runs_that_want_the_same_entry_wait_for_the_one_that_makes_it(cache: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom tests.support import installed\n"
        "installed.CACHE = Path(sys.argv[1])\n"
        "def make(folder):\n    folder.mkdir(parents=True)\n    print('making', flush=True)\n    time.sleep(0.3)\n"
        "installed.made_once('one', b'1', make)\n"
    )
    command = [sys.executable, "-c", script, str(cache)]
    runs = [subprocess.Popen(command, cwd=installed.CHECKOUT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sorted(run.communicate()[0] for run in runs) == ["", "", "making\n"]


def test_what_no_test_has_used_for_long_is_deleted() -> None:
    entry = installed.made_once("one", b"1", make)
    installed.forget_unused()
    assert installed.is_made("one", b"1")
    installed.forget_unused("two", -1.0)
    assert installed.is_made("one", b"1")
    installed.forget_unused(unused_s=-1.0)
    assert not entry.exists()


def test_what_is_used_in_this_moment_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that waits for an entry may get it from one that has just used it."""
    entry = installed.made_once("one", b"1", make)
    ready, only_one = installed._mark(entry), installed.only_one
    os.utime(ready, (0, 0))

    @contextmanager
    def behind_a_use(folder: Path) -> Iterator[None]:
        with only_one(folder):
            ready.touch()
            yield

    monkeypatch.setattr(installed, "only_one", behind_a_use)
    installed.forget_unused()
    assert installed.is_made("one", b"1")


def test_a_ledger_is_made_again_when_its_schema_changes() -> None:
    stored = {path for path in (installed.CHECKOUT / "bigchaindb/store").iterdir() if path.is_file()}
    assert stored <= {*shown_ledger._SOURCES}
