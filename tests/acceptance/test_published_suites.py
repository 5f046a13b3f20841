"""The drivers' own test suites, as published in their source packages, run unmodified against a node.

Source: docs/reference/contract/driver-expectations.md, section 3.
"""

import os
import subprocess

import pytest

from tests.conftest import StartNode
from tests.support import installed


@pytest.mark.parametrize("release", ["0.6.2", "0.5.3"])
def test_the_python_drivers_own_suite_passes(start_node: StartNode, release: str) -> None:
    """Its file that talks to a node; the others test the client alone. It wants a node where nobody was before."""
    name = f"python-driver-{release}"
    interpreter = installed.python_environment(name)
    source = installed.python_source(name, package="bigchaindb-driver")
    host, port = start_node().settings["server"]["bind"].split(":")
    environment = {"PATH": os.environ["PATH"], "BDB_HOST": host, "BDB_PORT": port}
    done = subprocess.run(
        [interpreter, "-W", "ignore", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_driver.py"],
        cwd=source,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
