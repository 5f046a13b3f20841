"""Natural mistakes, made as a new user makes them: each text says what happened, why, and what to do, in this order."""

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from bigchaindb import __version__
from tests.support import mistakes_asking, mistakes_configuration, mistakes_files, mistakes_plugins
from tests.support.mistakes import Mistake, Newcomer, require_three_parts
from tests.support.node import Node
from tests.support.small_disk import small_disk

MISTAKES = (
    *mistakes_configuration.MISTAKES,
    *mistakes_files.MISTAKES,
    *mistakes_plugins.MISTAKES,
    *mistakes_asking.MISTAKES,
)
THE_LAST = "test_a_plugin_that_hangs_while_it_is_imported"


@pytest.fixture(scope="module", autouse=True)
def found_to_hang(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, node: Node
) -> Iterator[Future[None]]:
    """Make the mistake that takes half a minute beside the others, if its test is to run."""
    newcomer = Newcomer(tmp_path_factory.mktemp("hangs"), node)
    with ThreadPoolExecutor() as beside:
        if any(one.originalname == THE_LAST for one in request.session.items if isinstance(one, pytest.Function)):
            yield beside.submit(require_three_parts, mistakes_plugins.HANGS, newcomer)
        else:
            yield Future()


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_what_happened_why_and_what_to_do(mistake: Mistake, tmp_path: Path, node: Node) -> None:
    require_three_parts(mistake, Newcomer(tmp_path, node))


def test_a_ledger_on_the_defaults_gets_its_configuration_from_enable(tmp_path: Path, node: Node) -> None:
    """`bigchaindb start` asks nothing and writes no file; the next command of a newcomer is this one."""
    newcomer = Newcomer(tmp_path, node)
    newcomer.plugin("own", "def run(queue): ...\n")
    newcomer.run("init")
    path, data = tmp_path / ".bigchaindb", tmp_path / ".local/share/bigchaindb"
    printed = newcomer.run("plugins", "enable", "own")
    assert newcomer.code == 0, printed
    assert f"`{path}` was made, mode 0600: the ledger in `{data}` had no configuration" in printed
    assert (json.loads(path.read_text()), path.stat().st_mode & 0o777) == ({"events_plugins": ["own"]}, 0o600)
    assert "was made" not in newcomer.run("plugins", "disable", "own") + newcomer.run("plugins", "enable", "own")
    elsewhere = str(tmp_path / "none.json")
    newcomer.environment["BIGCHAINDB_CONFIG_PATH"] = elsewhere
    assert f"there is no configuration file `{elsewhere}`" in newcomer.run("plugins", "enable", "own")
    assert newcomer.code == 1
    assert not Path(elsewhere).exists()


def test_a_start_names_its_files_before_any_line_of_the_log(tmp_path: Path, node: Node) -> None:
    newcomer = Newcomer(tmp_path, node)
    newcomer.write("node.json", json.dumps({"database": {"path": str(tmp_path / "data")}, "server": {"bnd": "x:1"}}))
    first, *others = newcomer.run("-c", "node.json", "start", "--no-init").splitlines()
    assert first == (f"BigchainDB {__version__} starts: configuration `node.json`; ledger in `{tmp_path}/data`")
    assert any("server.bnd: unknown" in line for line in others)


def test_a_data_directory_that_is_mounted_for_reading_is_told(tmp_path: Path, node: Node) -> None:
    """Owner and mode are as they should be, so advice about them would be wrong."""
    newcomer = Newcomer(tmp_path, node)
    newcomer.write("node.json", json.dumps({"database": {"path": str(tmp_path / "data")}}))
    with small_disk(tmp_path / "data", size_bytes=1 << 24) as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk.path], check=True)
        for command in ("start", "doctor"):
            printed = newcomer.run("-c", "node.json", command)
            assert newcomer.code == 1
            assert f"`{disk.path}` lies on a file system that is mounted for reading alone" in printed
            assert "mount it for writing" in printed
            assert "chmod" not in printed


def test_a_plugin_that_hangs_while_it_is_imported(found_to_hang: Future[None]) -> None:
    found_to_hang.result()
