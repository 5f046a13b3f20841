"""The drivers' own test suites, as published in their source packages, run unmodified against a node.

Source: docs/reference/contract/driver-expectations.md, section 3.
"""

import os
import subprocess
from typing import Final

import pytest

from tests.conftest import StartNode
from tests.support import installed

SUITE: Final = "tests/test_driver.py"
ABOUT_PYTHON: Final = "test_get_raises_type_error"
"""Expects the words with which Python before 3.10 says that an argument is missing; nothing is sent."""


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
