"""Which Pythons the package claims, and where the tests find one: asked, not only looked up."""

import os
import tomllib
from pathlib import Path

import pytest

from tests.support import installed, interpreters

REFUSES = "#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n"


def command(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def of_version(version: str) -> str:
    return f"#!/bin/sh\necho {version}\n"


@pytest.fixture(autouse=True)
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))


def test_the_package_claims_the_versions_that_the_suites_run() -> None:
    """A user's Python of a classifier works, as a run has shown it."""
    project = tomllib.loads((installed.CHECKOUT / "pyproject.toml").read_text())["project"]
    prefix = "Programming Language :: Python :: 3."
    claimed = [line.rpartition(" ")[2] for line in project["classifiers"] if line.startswith(prefix)]
    assert tuple(claimed) == interpreters.SUPPORTED
    assert project["requires-python"] == f">={interpreters.SUPPORTED[0]}"
    assert {interpreters.SUPPORTED[0], interpreters.SUPPORTED[-1]} <= set(interpreters.TESTED)


def test_one_that_refuses_to_run_is_passed_over(tmp_path: Path) -> None:
    command(tmp_path / "bin/python3.13", REFUSES)
    command(tmp_path / "pyenv/versions/3.13.0/bin/python", of_version("3.13"))
    assert interpreters.find("3.13") == tmp_path / "pyenv/versions/3.13.0/bin/python"


def test_the_path_comes_first(tmp_path: Path) -> None:
    first = command(tmp_path / "bin/python3.13", of_version("3.13"))
    command(tmp_path / "pyenv/versions/3.13.0/bin/python", of_version("3.13"))
    assert interpreters.find("3.13") == first


def test_one_of_another_version_will_not_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command(tmp_path / "bin/python3.13", of_version("3.12"))
    uv = command(tmp_path / "uv", f'#!/bin/sh\n[ "$2" = find ] && echo {tmp_path}/downloaded || exit 0\n')
    monkeypatch.setattr(interpreters, "UV", uv)
    assert interpreters.find("3.13") == tmp_path / "downloaded"


def test_none_is_an_error_that_names_where_one_may_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreters, "UV", command(tmp_path / "uv", "#!/bin/sh\necho no network >&2\nexit 2\n"))
    with pytest.raises(RuntimeError, match=r"^the tests need Python 3\.13: none that runs is on the PATH") as refusal:
        interpreters.find("3.13")
    assert "install it (`pyenv install 3.13`, or your distribution's python3.13). exit 2 of: " in str(refusal.value)
    assert "no network" in str(refusal.value)


def test_the_one_that_runs_the_tests_is_found() -> None:
    assert interpreters.HERE not in interpreters.others()
    assert Path(os.path.realpath(interpreters.UV)).exists()
