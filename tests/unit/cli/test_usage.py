"""What is called wrongly, or configured so, is named with what to do."""

from pathlib import Path

import pytest

from bigchaindb.cli import main
from bigchaindb.config.keypair import check_keypair
from bigchaindb.config.settings import KeyPairSettings
from bigchaindb.errors import ConfigurationError
from bigchaindb.key_files import new_keypair


@pytest.fixture(autouse=True)
def _no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of whoever runs the tests is not read."""
    monkeypatch.setenv("HOME", str(tmp_path))


def last_line(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == code
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("command", ["plugins status", "plugins enable", "subscriptions delete"])
def test_a_name_that_is_missing_leads_to_the_list(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    group = command.split(maxsplit=1)[0]
    said = last_line(command.split(), 2, capsys)
    assert said == f"Error: Missing argument 'NAME'; `bigchaindb {group} list` prints the names"


@pytest.mark.parametrize("amount", ["1.5", "0", "-1", "many", ""])
def test_an_amount_is_a_whole_number_of_shares(amount: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = last_line(["transactions", "create", "--amount", amount], 2, capsys)
    assert said == (
        f"Error: Invalid value for '--amount': expected a whole number of shares, 1 or more, found {amount!r}; a share "
        "is not divided, so create as many as there shall be parts"
    )


@pytest.mark.parametrize(
    "command", ["plugins list", "init", "events tail", "-y drop", "plugins enable sqlite", "health", "page"]
)
def test_a_data_directory_that_is_a_file_is_named(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "data"
    file.touch()
    monkeypatch.setenv("BIGCHAINDB_DATABASE_PATH", str(file))
    assert last_line(command.split(), 1, capsys) == (
        f"bigchaindb: database.path: cannot use '{file}': it is no directory; name a folder, or move that file away"
    )


def test_a_data_directory_below_a_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "data"
    file.touch()
    for path, reason in (
        (file / "sub/node", f"`{file}` is no directory; name another folder, or move that file away"),
        (tmp_path / ("a" * 300), "File name too long; set database.path to a folder that this user may make"),
    ):
        monkeypatch.setenv("BIGCHAINDB_DATABASE_PATH", str(path))
        for command in (["health"], ["plugins", "list"], ["start"]):
            assert last_line(command, 1, capsys) == f"bigchaindb: database.path: cannot use '{path}': {reason}"


@pytest.mark.parametrize("command", ["network peers", "network join"])
def test_a_path_that_leads_to_no_file_is_named(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path, reason in ((tmp_path, "Is a directory"), (tmp_path / "none", "No such file or directory")):
        said = last_line([*command.split(), str(path)], 1, capsys)
        assert said == f"bigchaindb: cannot use `{path}`: {reason}; correct the path"


@pytest.mark.parametrize("command", ["assets show", "owners show"])
def test_bytes_of_no_text_are_named(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = last_line([*command.split(), "x\udcff"], 1, capsys)
    assert said == (r"bigchaindb: the argument 'x\udcff' has bytes that are no text in UTF-8; write it in UTF-8")


def test_a_plugins_name_of_no_text_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    said = last_line(["plugins", "check", "x\udcff"], 1, capsys)
    assert said.startswith(r"bigchaindb: NAME: 'x\udcff' cannot be a plugin's name: ")


def test_a_command_that_is_another_elsewhere_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The nearest by letters is `start`, which runs a node."""
    said = last_line(["status"], 2, capsys)
    assert said.startswith("Error: No such command 'status'. `bigchaindb health` prints whether the node is healthy")
    assert last_line(["plugins", "statsu"], 2, capsys).startswith("Error: No such command 'statsu'. (Did")


def test_a_key_that_is_none_is_mended_in_two_ways() -> None:
    pair = new_keypair()
    cure = "; copy it again, or set both halves to null: the node then has its key pair in the data directory"
    for public, private in (("x", pair.private_key), (pair.public_key, "0OIl")):
        with pytest.raises(ConfigurationError) as refused:
            check_keypair(KeyPairSettings(public=public, private=private))
        assert str(refused.value).endswith(cure)
        assert pair.private_key not in str(refused.value)
