"""Real shells complete commands, names and files with the script that the command prints."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.support.services import require

BIN: Final = Path(sys.executable).parent
BASH: Final = """\
eval "$(bigchaindb completion bash)"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_bigchaindb_completion bigchaindb
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH: Final = """\
bigchaindb completion fish | source
complete --do-complete "$argv"
"""
ZSH: Final = """\
compdef() { registered="$*" }
_describe() { print -l ${(P)3} }
compadd() { print -l ${(P)@[-1]} }
eval "$(bigchaindb completion zsh)"
words=("$@")
CURRENT=$#
_bigchaindb_completion
print -- "$registered"
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A reader whose node has an enabled plugin."""
    file = tmp_path / "node.json"
    file.write_text(json.dumps({"database": {"path": str(tmp_path / "data")}, "events_plugins": ["sales"]}))
    (tmp_path / "alice.json").touch()
    return {
        "PATH": f"{BIN}{os.pathsep}/usr/bin{os.pathsep}/bin",
        "HOME": str(tmp_path),
        "BIGCHAINDB_CONFIG_PATH": str(file),
    }


def completed(environment: dict[str, str], *command: str) -> Sequence[str]:
    done = subprocess.run(
        command, cwd=environment["HOME"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["compl"], {"completion"}),
        (["completion", ""], {"bash", "zsh", "fish"}),
        (["plugins", "inst"], {"install"}),
        (["plugins", "enable", "sal"], {"sales"}),
        (["plugins", "enable", "amq"], {"amqp"}),
        (["plugins", "seek", "sales", "po"], {"position:"}),
        (["plugins", "enable", "sales", "--start", "gen"], {"genesis"}),
        (["show-file", "bigchaindb.s"], {"bigchaindb.service"}),
    ],
)
def test_bash_completes_commands_and_names(
    environment: dict[str, str], words: Sequence[str], offered: set[str]
) -> None:
    assert set(completed(environment, "bash", "-c", BASH, "bash", "bigchaindb", *words)) == offered


@pytest.mark.parametrize("words", [["-c"], ["plugins", "list", "-c"], ["transactions", "create", "--key-file"]])
def test_bash_completes_files_itself(environment: dict[str, str], words: Sequence[str]) -> None:
    """The script tells it to, and then it has the words of no command."""
    script = BASH.replace(
        "_bigchaindb_completion bigchaindb", 'compopt() { echo "$*"; }; _bigchaindb_completion bigchaindb'
    )
    assert completed(environment, "bash", "-c", script, "bash", "bigchaindb", *words, "ali")[:2] == ["-o", "default"]


def test_fish_completes_commands_and_names(environment: dict[str, str]) -> None:
    require("fish")
    assert completed(environment, "fish", "-c", FISH, "bigchaindb plugins enable sal") == ["sales"]
    assert completed(environment, "fish", "-c", FISH, "bigchaindb completion z") == ["zsh"]


def test_zsh_completes_commands_and_names(environment: dict[str, str]) -> None:
    """Its own functions for a list stand in: they need a terminal."""
    require("zsh")
    listed = completed(environment, "zsh", "-f", "-c", ZSH, "zsh", "bigchaindb", "plugins", "enable", "sal")
    assert "sales" in listed
    assert listed[-2:] == ["_bigchaindb_completion", "bigchaindb"]


def test_another_shell_is_refused_in_a_sentence(environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["bigchaindb", "completion", "tcsh"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "bigchaindb: SHELL: no completion for 'tcsh'; there are scripts for bash, zsh, fish\n"
