"""`make` finds a Python that will do, or says in one sentence which it found."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

FIND: Final = Path(__file__).parents[3] / ".ci/find-python"
REFUSES: Final = "#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n"


def of_version(version: str) -> str:
    """A command that answers as a Python of that version does."""
    code = 0 if tuple(map(int, version.split("."))) >= (3, 11) else 1
    return f"#!/bin/sh\necho {version}\nexit {code}\n"


def find(folder: Path, commands: Mapping[str, str], **variables: str) -> "subprocess.CompletedProcess[str]":
    for name, text in commands.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    environment = {"PATH": str(folder), **variables}
    return subprocess.run(["/bin/sh", FIND], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("commands", "found"),
    [
        ({"python3.13": of_version("3.13.1"), "python3.12": of_version("3.12.9")}, "python3.13"),
        ({"python3.13": REFUSES, "python3.12": of_version("3.12.9")}, "python3.12"),
        ({"python3.13": REFUSES, "python3.11": of_version("3.11.7"), "python3": of_version("3.9.2")}, "python3.11"),
        ({"python3": of_version("3.14.0")}, "python3"),
    ],
)
def test_the_first_that_runs_and_is_new_enough_is_taken(
    tmp_path: Path, commands: Mapping[str, str], found: str
) -> None:
    done = find(tmp_path, commands)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path / found}\n", "")


def test_a_chosen_one_comes_before_all(tmp_path: Path) -> None:
    commands = {"mine": of_version("3.11.0"), "python3.13": of_version("3.13.1")}
    assert find(tmp_path, commands, PYTHON=str(tmp_path / "mine")).stdout == f"{tmp_path / 'mine'}\n"


@pytest.mark.parametrize(
    ("commands", "variables", "found"),
    [
        ({"python3": of_version("3.10.13")}, {}, "3.10.13 (python3)"),
        ({"python3.13": REFUSES}, {}, "none"),
        ({"python3": of_version("3.12.0")}, {"PYTHON": "gone"}, "none (gone)"),
        ({"python3": of_version("3.12.0"), "other": "#!/bin/sh\n"}, {"PYTHON": "other"}, "none (other)"),
        ({"old": of_version("3.8.1"), "python3": of_version("3.12.0")}, {"PYTHON": "old"}, "3.8.1 (old)"),
    ],
)
def test_what_will_not_do_is_named(
    tmp_path: Path, commands: Mapping[str, str], variables: Mapping[str, str], found: str
) -> None:
    done = find(tmp_path, commands, **variables)
    expected = f"make: needs Python 3.11 or newer, found {found}; set PYTHON=/path/to/python\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)


def make_setup(tmp_path: Path, python: str) -> tuple[Path, list[str]]:
    """Run `make setup` in a clone on a machine with this Python; return the clone and the lines of standard error."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").write_text(python)
    (tmp_path / "bin/python3").chmod(0o755)
    clone = tmp_path / "clone"
    (clone / ".ci").mkdir(parents=True)
    (clone / "requirements").mkdir()
    for name in ("Makefile", "pyproject.toml", ".ci/find-python", "requirements/uv.txt", "requirements/dev.txt"):
        (clone / name).write_bytes((FIND.parents[1] / name).read_bytes())
    (clone / ".ci/find-python").chmod(0o755)
    for name in ("sh", "bash", "make", "echo", "test", "mkdir", "touch", "chmod", "rm"):
        (tmp_path / "bin" / name).symlink_to(f"/usr/bin/{name}")
    environment = {"PATH": str(tmp_path / "bin")}
    done = subprocess.run(["make", "setup"], cwd=clone, env=environment, capture_output=True, text=True, check=False)
    return clone, done.stderr.splitlines()


def test_make_says_it_in_one_sentence(tmp_path: Path) -> None:
    """A clone on a machine whose Python is too old: no traceback, and nothing is left behind."""
    clone, (first, *rest) = make_setup(tmp_path, of_version("3.10.13"))
    assert first == "make: needs Python 3.11 or newer, found 3.10.13 (python3); set PYTHON=/path/to/python"
    assert [line for line in rest if not line.startswith("make: *** ")] == []
    assert not (clone / ".venv").exists()


def test_an_environment_that_could_not_be_made_is_not_left(tmp_path: Path) -> None:
    """Without python3-venv, Debian's Python leaves one without pip, which the next run took for whole."""
    python = """#!/bin/sh
if [ "$1" = -c ]; then echo 3.11.2; exit; fi
mkdir -p "$3/bin"; touch "$3/bin/python"; chmod +x "$3/bin/python"
echo "apt install python3.11-venv" >&2
exit 1
"""
    clone, (first, *rest) = make_setup(tmp_path, python)
    assert first == "apt install python3.11-venv"
    assert [line for line in rest if not line.startswith("make: *** ")] == []
    assert not (clone / ".venv").exists()
