"""Plugins installed as packages, the way their authors publish them, in a node installed as a package.

Source: docs/reference/contract/driver-expectations.md, section 3, check 19; event-plugin-api.md, section 1.
"""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import StartNode
from tests.support import clients
from tests.support.installation import Installation
from tests.support.installed import CHECKOUT
from tests.support.node import Node, NodeDiedError
from tests.support.waiting import until, whole_lines

EXAMPLES: Final = CHECKOUT / "examples"
BLOCK_ID: Final = re.compile(r"\b[0-9a-f]{64}\b")

SETUP_OF_2017: Final = """\
from setuptools import setup, find_packages

setup(
    name='plugin_of_2017',
    version='0.1.0',
    packages=find_packages(),
    entry_points={'bigchaindb.events': ['from_2017=plugin_of_2017']},
)
"""
MODULE_OF_2017: Final = """\
event_types = 1


def run(events_queue):
    print('from 2017: started')
    while True:
        event = events_queue.get()
        print('from 2017: %s' % event.data['id'])
"""


def commits(node: Node, count: int) -> list[str]:
    """Commit transactions one after the other; return the ids of their blocks in order."""
    with clients.connected("python-0.6.2", node.url) as client:
        owner = client.keys()
        made = [client.commit(client.create(owner, data={"number": number}))["id"] for number in range(count)]
    ids: list[str] = []
    for transaction_id in made:
        ids += node.get("blocks", transaction_id=transaction_id, status="valid").json()
    assert len(ids) == count
    return ids


def printed(node: Node, *, prefix: str = "") -> list[str]:
    """The block ids on the node's console, in the order in which they came."""
    return [found for line in node.console.splitlines() if line.startswith(prefix) for found in BLOCK_ID.findall(line)]


@pytest.fixture(scope="session")
def with_examples(installation: Installation) -> Installation:
    for example in ("print-on-console", "misbehaving"):
        installation.install(EXAMPLES / example)
    return installation


def test_19_each_block_id_is_printed_once_in_order_and_can_be_looked_up(
    start_node: StartNode, with_examples: Installation
) -> None:
    node = start_node(settings={"events_plugins": ["console_print"]}, command=with_examples.command)
    ids = commits(node, 25)
    until(lambda: len(printed(node)) >= len(ids), what="every block on the console")
    assert printed(node) == ids
    for block_id in printed(node):
        answer = node.get(f"blocks/{block_id}")
        assert answer.status == 200
        assert answer.json()["id"] == block_id


@pytest.mark.parametrize("fault", ["raise", "kill", "hang"])
def test_19_a_plugin_that_fails_takes_nothing_from_another(
    start_node: StartNode, with_examples: Installation, tmp_path: Path, fault: str
) -> None:
    record = tmp_path / "record"
    failing = {"options": {"record": str(record), "fault": fault, "at": 3}}
    plugins = {"console_print": {}, "misbehaving": failing}
    node = start_node(settings={"events_plugins": plugins}, command=with_examples.command)
    ids = commits(node, 25)
    until(lambda: len(printed(node)) >= len(ids), what="every block on the console")
    assert printed(node) == ids

    def deliveries() -> list[tuple[int, int]]:
        return [(int(position), int(attempt)) for position, attempt, _ in map(str.split, whole_lines(record))]

    before, at_it, after = [(1, 1), (2, 1)], [(3, 1)], [(position, 1) for position in range(4, 26)]
    expected = before + at_it if fault == "hang" else before + at_it + [(3, 2)] + after
    until(lambda: len(deliveries()) >= len(expected), what="every event to come to the failing plugin in the end")
    assert deliveries() == expected


def test_19_after_a_restart_the_console_goes_on_where_it_was(
    start_node: StartNode, with_examples: Installation
) -> None:
    node = start_node(settings={"events_plugins": ["console_print"]}, command=with_examples.command)
    ids = commits(node, 5)
    until(lambda: len(printed(node)) >= len(ids), what="every block on the console")
    assert node.stop() == 0
    node.start()
    ids += commits(node, 5)
    until(lambda: len(set(printed(node))) >= len(ids), what="the blocks after the restart")
    assert (
        list(dict.fromkeys(printed(node))) == ids
    )  # the event in hand may come again, nothing else and nothing twice more


@pytest.mark.parametrize("editable", [True, False], ids=["pip install -e", "pip install"])
def test_p16_a_plugin_of_2017_runs_unmodified(
    start_node: StartNode, installation: Installation, tmp_path: Path, *, editable: bool
) -> None:
    """No `pyproject.toml`, no import of ours, a loop without an end. Source: promise P16."""
    source = tmp_path / "plugin-of-2017"
    (source / "plugin_of_2017").mkdir(parents=True)
    (source / "setup.py").write_text(SETUP_OF_2017)
    (source / "plugin_of_2017/__init__.py").write_text(MODULE_OF_2017)
    installation.pip_install(*(["--editable"] if editable else []), source)
    node = start_node(settings={"events_plugins": ["from_2017"]}, command=installation.command)
    ids = commits(node, 5)
    until(lambda: len(printed(node, prefix="from 2017: ")) >= len(ids), what="every block on the console")
    assert printed(node, prefix="from 2017: ") == ids
    assert "from 2017: started" in node.console


def test_a_plugin_that_nobody_installed_stops_the_start(start_node: StartNode, with_examples: Installation) -> None:
    with pytest.raises(NodeDiedError) as died:
        start_node(settings={"events_plugins": ["nobody_has_this"]}, command=with_examples.command)
    assert "exit code 1" in str(died.value)
    for named in ("nobody_has_this", "bigchaindb.events", "console_print"):
        assert named in str(died.value)
    assert "Traceback" not in str(died.value)
