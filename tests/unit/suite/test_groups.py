"""Tests that share a server run in one worker, the large groups first: two brokers at once would help nobody."""

import re
import subprocess
import sys
from typing import Final

import pytest

from tests.support.installed import CHECKOUT
from tests.support.layers import WORKERS

COLLECT: Final = """
import sys
import pytest
from tests.support.groups import put_longest_first

class Shown:
    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        put_longest_first(items)
        for item in items:
            mark = item.get_closest_marker("xdist_group")
            print("FOUND", item.nodeid.partition("[")[0], mark and mark.args[0], sep="|")

pytest.main([*sys.argv[1:], "--collect-only", "-q", "-p", "no:cacheprovider"], plugins=[Shown()])
"""


@pytest.fixture(scope="module")
def found() -> list[tuple[str, str]]:
    """Test and group of each test of some modules, in the order in which workers get them."""
    modules = ("sinks/test_amqp.py", "network/test_elections.py", "node/test_kills.py", "node/test_native_crash.py")
    acceptance = ("tests/acceptance/test_ownership.py", "tests/acceptance/test_plugins.py")
    chosen = [*(f"tests/integration/{module}" for module in modules), *acceptance, "tests/vectors/test_quirks.py"]
    command = [sys.executable, "-c", COLLECT, *chosen]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    lines = [line.split("|") for line in done.stdout.splitlines() if line.startswith("FOUND")]
    return [(test.rpartition("/")[2], group) for _, test, group in lines]


def groups_of(found: list[tuple[str, str]], module: str) -> set[str]:
    return {group for test, group in found if test.startswith(module)}


def test_what_shares_a_server_is_one_group(found: list[tuple[str, str]]) -> None:
    assert groups_of(found, "test_amqp.py") == {"rabbitmq_tls"}
    assert groups_of(found, "test_elections.py") == {"integration.network.test_elections"}
    assert {"client python-0.6.2", "client javascript-4.3.0"} <= groups_of(found, "test_ownership.py")
    assert groups_of(found, "test_plugins.py") == {"installation"}
    assert groups_of(found, "test_kills.py") == {"None"}


def test_a_module_of_short_tests_is_one_piece_of_work(found: list[tuple[str, str]]) -> None:
    assert groups_of(found, "test_quirks.py") == {"vectors.test_quirks"}


def test_what_takes_long_comes_first(found: list[tuple[str, str]]) -> None:
    order = [test.partition("::")[0] if group == "None" else "a group" for test, group in found]
    assert order.index("test_kills.py") == order.count("a group")
    assert order[-1] != "test_kills.py"


def test_workers_get_whole_groups() -> None:
    modules = ("tests/vectors/test_quirks.py", "tests/vectors/test_conditions.py")
    command = [sys.executable, "-m", "pytest", "-v", *WORKERS, "-p", "no:cacheprovider", *modules]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    ran = re.findall(r"^\[(gw\d+)\] .*PASSED (\S+?)::\S+@(\S+)", done.stdout, re.MULTILINE)
    workers = {module: {worker for worker, of, _ in ran if of == module} for module in modules}
    assert [len(found) for found in workers.values()] == [1, 1], done.stdout
    assert {group for _, _, group in ran} == {"vectors.test_quirks", "vectors.test_conditions"}
