"""The wheel, in a fresh environment of each Python that the package supports: node, transaction, plugin, page, stop.

Source: docs/decisions/0172-three-pythons.md.
"""

import shutil
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.distribution import NAME
from bigchaindb.transaction.build import create
from bigchaindb.transaction.keys import KeyPair
from tests.conftest import StartNode
from tests.support import installed, interpreters, wheels
from tests.support.http import request
from tests.support.waiting import until

ALICE: Final = KeyPair.from_seed(b"p" * 32)
PLUGIN: Final = installed.CHECKOUT / "examples/print-on-console"


@pytest.mark.parametrize("version", interpreters.others())
def test_the_wheel_serves_on_another_python(version: str, tmp_path: Path, start_node: StartNode) -> None:
    environment, source = tmp_path / "environment", tmp_path / "plugin"
    shutil.copytree(PLUGIN, source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    installed.run(interpreters.find(version), "-m", "venv", "--without-pip", environment)
    python = environment / "bin/python"
    compiled = "--compile-bytecode"  # else each warning of a package's source would be an error of the node
    into = (interpreters.UV, "pip", "install", "--quiet", "--no-cache", compiled, "--python", python)
    installed.run(*into, *wheels.find_links(version), NAME, source)

    command = (str(environment / "bin/bigchaindb"),)
    node = start_node(
        settings={"events_plugins": ["console_print"]}, environment={"PYTHONWARNINGS": "error"}, command=command
    )
    transaction = create([ALICE])
    assert node.post(transaction.body).status == 202
    (block_id,) = node.get("blocks", transaction_id=transaction.id, status="valid").json()
    until(lambda: block_id in node.console, what="the block on the console")
    page = request("GET", f"{node.url}/", headers={"Accept": "text/html"})
    assert (page.status, b"<html" in page.body) == (200, True)
    assert node.stop() == 0
