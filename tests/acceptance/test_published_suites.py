"""The drivers' own test suites, as published in their packages, run unmodified against a node.

Source: docs/reference/contract/driver-expectations.md, section 3.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import StartNode
from tests.support import installed
from tests.support.node import Node

SUITE: Final = "tests/test_driver.py"
ABOUT_PYTHON: Final = "test_get_raises_type_error"
"""Expects the words with which Python before 3.10 says that an argument is missing; nothing is sent."""

JAVASCRIPT: Final = Path(__file__).with_name("javascript") / "4.1.2-suite/package.json"
"""The last release whose package holds its tests."""
ABOUT_THE_INTERNET: Final = "baseRequest test query and vsprint"
"""Asks a host of the internet for a page; no node is in it."""
ADDRESS_IN_SOURCE: Final = "localhost:9984"


@pytest.mark.parametrize("release", ["0.6.2", "0.5.3"])
def test_the_python_drivers_own_suite_passes(start_node: StartNode, release: str) -> None:
    """Its file that talks to a node; the others test the client alone. It wants a node where nobody was before."""
    name = f"python-driver-{release}"
    python = str(installed.python_environment(name))
    source = installed.python_source(name, package="bigchaindb-driver")
    host, port = start_node().settings["server"]["bind"].split(":")
    environment = {"PATH": os.environ["PATH"], "BDB_HOST": host, "BDB_PORT": port}
    pytest_alone = [python, "-W", "ignore", "-m", "pytest", "-q", "-c", os.devnull, "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*pytest_alone, SUITE, "-k", f"not {ABOUT_PYTHON}"],
        cwd=source,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_the_javascript_drivers_own_suite_passes(node: Node, tmp_path: Path) -> None:
    """All of it but one test, among it a wrong path: applications learn `404 NOT FOUND` of an error, and nothing else.

    Its sources are copied, since they name the node's address.
    """
    packages = installed.javascript_packages(JAVASCRIPT) / "node_modules"
    (tmp_path / "node_modules").symlink_to(packages)
    shutil.copy(JAVASCRIPT, tmp_path)
    shutil.copy(packages / "bigchaindb-driver/.babelrc", tmp_path)
    for name in ("src", "test"):
        shutil.copytree(packages / "bigchaindb-driver" / name, tmp_path / name)
    sources = [*(tmp_path / "src").rglob("*.js"), *(tmp_path / "test").rglob("*.js")]
    for source in sources:
        source.write_text(source.read_text().replace(ADDRESS_IN_SOURCE, f"127.0.0.1:{node.port}"))
    tests = sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "test").glob("*/*.js"))
    line: list[str | Path] = [
        installed.node(),
        "node_modules/ava/cli.js",
        "--verbose",
        "--match",
        f"!{ABOUT_THE_INTERNET}",
        *tests,
    ]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CI": "1"}
    done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "58 tests passed" in said, said
    assert "1 test was not run" in said, said
    assert "Payload thrown at incorrect API_PATH" in said, said
