"""A folder of an older version, with parked events: a node of this version goes on with it, whenever it is killed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from bigchaindb.store.directory import DataDirectory
from bigchaindb.transaction import build
from tests.support.chains import ALICE
from tests.support.damage import make_older, make_older_node
from tests.support.node import COMMAND, Node, configuration_of
from tests.support.packages import install
from tests.support.waiting import until

COUNT: Final = 40
PARKED: Final = (2, 5)
TEXT: Final = "word " * 4_000
"""So long that checksums take several steps."""
PLUGIN: Final = f"""
from pathlib import Path

def run(queue):
    for event in queue:
        if event.position in {PARKED} and not Path("mended").exists():
            raise ValueError("not mended")
        with Path("taken.txt").open("a") as file:
            print(event.position, file=file)
"""


def _transaction(serial: int) -> build.Signed:
    return build.create([ALICE], data={"serial": serial, "text": TEXT})


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node whose plugin has set two events aside."""
    retry = {"attempts": 1, "duration_s": 0}
    plugins = {"picky": {"start": "genesis", "on_failure": "park", "retry": retry}}
    settings = configuration_of(tmp_path, {"events_plugins": plugins})
    one = Node(tmp_path, settings, install(tmp_path / "installed", "picky", PLUGIN), COMMAND)
    try:
        one.start()
        for serial in range(COUNT):
            assert one.post(_transaction(serial).body).status == 202
        until(lambda: len(_taken(one)) == COUNT - len(PARKED), what="the plugin to take all others")
        assert one.stop() == 0
        yield one
    finally:
        one.kill()


def _signed_count(node: Node) -> int:
    """Count what a page has, which ends early where a scan takes long."""
    return len(json.loads(node.get(f"events?before=now&owner={ALICE.public_key}&limit=1000").body)["events"])


def test_a_folder_of_an_older_version_with_parked_events_goes_on(node: Node) -> None:
    directory = DataDirectory(node.data)
    make_older(directory, 2)
    make_older_node(directory.node, 2)
    for _ in range(2):
        begun = node.log.count("rows of an earlier version get checksums")
        node.launch()
        until(lambda: _has_begun(node, begun), what="checksums to be written")  # noqa: B023 - called at once
        node.kill()
        check = node.run("check", "--json")
        assert check.returncode == 0, check
    node.start()
    assert node.get(f"transactions/{_transaction(0).id}").body.rstrip() == _transaction(0).body
    # The run before may have written the last ones, and been killed before it logged that.
    until(lambda: _check(node)["unchecked_count"] == 0, what="all rows to have checksums")
    until(lambda: _signed_count(node) == COUNT, what="all that the owner has signed in one page")
    whole = _check(node)
    assert (whole["damages"], whole["position"]) == ([], COUNT)

    parked = json.loads(node.run("plugins", "parked", "picky", "--json").stdout)
    assert [one["position"] for one in parked] == list(PARKED)
    (node.folder / "mended").touch()
    retried = node.run("plugins", "retry", "picky", "--all")
    assert retried.returncode == 0, retried
    until(lambda: {*PARKED} <= set(_taken(node)), what="the parked events to come again")
    assert set(_taken(node)) == {*range(1, COUNT + 1)}
    assert node.post(_transaction(COUNT).body).status == 202
    until(lambda: COUNT + 1 in _taken(node), what="the next event")
    assert node.stop() == 0


def test_a_folder_whose_node_db_has_no_checksums_goes_on(node: Node) -> None:
    make_older_node(DataDirectory(node.data).node, 3)
    listed = node.run("plugins", "parked", "picky", "--json")
    assert [one["position"] for one in json.loads(listed.stdout)] == list(PARKED), "before its first start as well"
    node.start()
    (node.folder / "mended").touch()
    assert node.run("plugins", "retry", "picky", "--all").returncode == 0
    until(lambda: {*PARKED} <= set(_taken(node)), what="the parked events to come again")
    assert node.post(_transaction(COUNT).body).status == 202
    until(lambda: COUNT + 1 in _taken(node), what="the next event")
    assert sorted(_taken(node)) == [*range(1, COUNT + 2)], "nothing twice"
    assert node.stop() == 0
    assert node.run("check").returncode == 0


def _check(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(node.run("check", "--json").stdout)
    return found


def _has_begun(node: Node, begun: int) -> bool:
    """Whether this start writes checksums, or has nothing left to write."""
    assert node.process is not None
    return node.log.count("rows of an earlier version get checksums") > begun or (
        "all rows have checksums" in node.log and node.answers()
    )


def _taken(node: Node) -> list[int]:
    taken = node.folder / "taken.txt"
    return [int(line) for line in taken.read_text().split()] if taken.exists() else []
