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
from tests.support import installed, scale
from tests.support.node import Node
from tests.support.tls import Authority, settings_of

SUITE: Final = "tests/test_driver.py"
ABOUT_PYTHON: Final = "test_get_raises_type_error"
"""Expects the words with which Python before 3.10 says that an argument is missing; nothing is sent."""

JAVASCRIPT: Final = Path(__file__).with_name("javascript") / "4.1.2-suite/package.json"
"""The last release whose package holds its tests."""
ABOUT_THE_INTERNET: Final = "baseRequest test query and vsprint"
"""Asks a host of the internet for a page; no node is in it."""
ADDRESS_IN_SOURCE: Final = "localhost:9984"
URL_IN_SUITE: Final = "'http://{host}:{port}'"
"""Of the Python suites; formatted with host and port, which a whole address ignores."""


@pytest.fixture(params=("plain", "secure")[: scale.of(suite=1, long=2)])
def fresh_node(request: pytest.FixtureRequest, start_node: StartNode, trusted: Authority) -> tuple[Node, str]:
    """A node where nobody was before, and an access key for it; in the first round there is neither TLS nor a key."""
    if request.param == "plain":
        return start_node(), ""
    node = start_node(settings=settings_of(trusted.sign()))
    return node, node.new_key("suite", "--scopes", "read write")


@pytest.mark.parametrize("release", ["0.6.2", "0.5.3"])
def test_the_python_drivers_own_suite_passes(fresh_node: tuple[Node, str], release: str, tmp_path: Path) -> None:
    """Its file that talks to a node; the others test the client alone.

    Its sources are copied, as they name a scheme; `requests` finds the key where curl does.
    """
    name = f"python-driver-{release}"
    python = str(installed.python_environment(name))
    node, key = fresh_node
    source = shutil.copytree(installed.python_source(name, package="bigchaindb-driver"), tmp_path / "suite")
    conftest = source / "tests/conftest.py"
    conftest.write_text(conftest.read_text().replace(URL_IN_SUITE, f"'{node.url}'"))
    (netrc := tmp_path / "netrc").write_text(f"machine 127.0.0.1 login key password {key}\n" if key else "")
    host, port = node.settings["server"]["bind"].split(":")
    environment = {**os.environ, "BDB_HOST": host, "BDB_PORT": port, "NETRC": str(netrc)}
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


def test_the_javascript_drivers_own_suite_passes(fresh_node: tuple[Node, str], tmp_path: Path) -> None:
    """All of it but one test, among it a wrong path: applications learn `404 NOT FOUND` of an error, and nothing else.

    Its sources are copied, since they name the node's address.
    """
    node, key = fresh_node
    url = node.url.replace("://", f"://key:{key}@") if key else node.url
    packages = installed.javascript_packages(JAVASCRIPT) / "node_modules"
    (tmp_path / "node_modules").symlink_to(packages)
    shutil.copy(JAVASCRIPT, tmp_path)
    shutil.copy(packages / "bigchaindb-driver/.babelrc", tmp_path)
    for name in ("src", "test"):
        shutil.copytree(packages / "bigchaindb-driver" / name, tmp_path / name)
    sources = [*(tmp_path / "src").rglob("*.js"), *(tmp_path / "test").rglob("*.js")]
    for source in sources:
        text = source.read_text().replace(f"http://{ADDRESS_IN_SOURCE}", url)
        source.write_text(text.replace(ADDRESS_IN_SOURCE, f"127.0.0.1:{node.port}"))
    tests = sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "test").glob("*/*.js"))
    line: list[str | Path] = [
        installed.node(),
        "node_modules/ava/cli.js",
        "--verbose",
        "--match",
        f"!{ABOUT_THE_INTERNET}",
        *tests,
    ]
    environment = {**os.environ, "HOME": str(tmp_path), "CI": "1"}
    done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "58 tests passed" in said, said
    assert "1 test was not run" in said, said
    assert "Payload thrown at incorrect API_PATH" in said, said
