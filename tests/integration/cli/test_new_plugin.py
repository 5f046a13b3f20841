"""plugins new: what it writes works, without a change, in an environment as an author has it."""

import json
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.support import installed
from tests.support.installation import Installation
from tests.support.node import COMMAND


def run(folder: Path, *command: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)


def new(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return run(folder, *COMMAND, "plugins", "new", *arguments)


def test_the_package_is_installed_its_tests_pass_and_it_runs(author: Installation, tmp_path: Path) -> None:
    """The first thing that an author sees of us must not be an error."""
    assert run(tmp_path, *author.command, "plugins", "new", "sales-report").returncode == 0
    folder = tmp_path / "sales-report"
    author.install_as_it_is(folder, editable=True)
    tested = run(folder, author.python, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "3 passed" in tested.stdout
    options = json.dumps({"file": str(tmp_path / "lines")})
    simulated = run(tmp_path, *author.command, "events", "simulate", "sales-report", "--options", options)
    assert simulated.returncode == 0, simulated.stdout + simulated.stderr
    assert len((tmp_path / "lines").read_text().splitlines()) == 90


def test_its_tests_pass_within_a_checkout_of_ours(author: Installation, tmp_path: Path) -> None:
    """Authors begin there, and pytest would take the settings of the checkout for those of their package."""
    shutil.copy(installed.CHECKOUT / "pyproject.toml", tmp_path)
    new(tmp_path, "within")
    author.install_as_it_is(tmp_path / "within", editable=True)
    tested = run(tmp_path, author.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "within", "-k", "not crash")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "2 passed" in tested.stdout


def test_the_package_depends_on_nothing(tmp_path: Path) -> None:
    """The package index has the old server under our name: a dependency would install that over the node."""
    new(tmp_path, "sales")
    document = tomllib.loads((tmp_path / "sales/pyproject.toml").read_text())
    assert document["project"]["dependencies"] == []
    assert document["project"]["entry-points"]["bigchaindb.events"] == {"sales": "sales"}


def test_the_next_steps_are_said(tmp_path: Path) -> None:
    ended = new(tmp_path, "sales", "somewhere/else")
    assert sorted(path.name for path in (tmp_path / "somewhere/else").iterdir()) == [
        "README.md",
        "pyproject.toml",
        "sales.py",
        "test_sales.py",
    ]
    assert "bigchaindb plugins install --editable somewhere/else" in ended.stderr
    assert "bigchaindb events simulate sales" in ended.stderr


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A slip must not cost somebody's work."""
    (tmp_path / "sales").mkdir()
    (tmp_path / "sales/sales.py").write_text("mine")
    ended = new(tmp_path, "sales")
    assert (ended.returncode, (tmp_path / "sales/sales.py").read_text()) == (1, "mine")
    assert "exists and is not empty" in ended.stderr
    assert [path.name for path in (tmp_path / "sales").iterdir()] == ["sales.py"]


def test_an_empty_directory_is_filled(tmp_path: Path) -> None:
    (tmp_path / "sales").mkdir()
    assert new(tmp_path, "sales").returncode == 0
    assert (tmp_path / "sales/sales.py").exists()


@pytest.mark.parametrize("name", ["Sales", "1sales", "sales-", "sa les", "../sales", "s" * 61, "sälés", ""])
def test_names_that_do_not_do_for_a_package_are_refused(tmp_path: Path, name: str) -> None:
    ended = new(tmp_path, name)
    assert ended.returncode == 1
    assert "NAME: must be 1 to 60 of a-z, 0-9, - and _" in ended.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["class", "json", "queue", "bigchaindb", "pytest"])
def test_names_that_would_hide_another_module_are_refused(tmp_path: Path, name: str) -> None:
    """A plugin called json would break the node's imports in a way that nobody guesses."""
    ended = new(tmp_path, name)
    assert ended.returncode == 1
    assert "would hide another module" in ended.stderr
