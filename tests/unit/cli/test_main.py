"""`python -m bigchaindb` in a Python without what the node needs."""

import subprocess
import sys

from tests.support.pages import ROOT


def test_a_python_without_the_packages_is_named() -> None:
    """A newcomer's first mistake: a checkout, and no environment."""
    done = subprocess.run(
        [sys.executable, "-S", "-m", "bigchaindb", "start"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"bigchaindb: {sys.executable} has no module '")
    assert done.stderr.endswith("run `make setup`, then `. .venv/bin/activate`\n")
