"""Whoever looks after a node: commits, and types commands."""

import json
from typing import Any

from tests.support.chains import create
from tests.support.node import Node


class Operator:
    """Somebody at the command line of a node.

    Attributes:
        group: words that all commands begin with.
    """

    group: tuple[str, ...] = ()

    def __init__(self, node: Node) -> None:
        self.node = node
        self._serial = 0

    def commit(self, count: int = 1) -> None:
        """Commit so many blocks of one transaction."""
        for _ in range(count):
            self._serial += 1
            assert self.node.post(json.loads(create(self._serial).body)).status == 202

    def run(self, *arguments: str) -> Any:
        """Run a command; return what it prints as JSON."""
        ended = self.node.run(*self.group, *arguments, "--json")
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    def refused(self, *arguments: str, code: int = 1) -> str:
        """Run a command that must fail; return its error."""
        ended = self.node.run(*self.group, *arguments)
        assert (ended.returncode, ended.stdout) == (code, "")
        assert "Traceback" not in ended.stderr
        return ended.stderr.splitlines()[-1]
