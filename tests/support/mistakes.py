"""A natural mistake: how it is made, and the three parts of what is then printed.

One entry is one mistake; `tests/integration/cli/test_mistakes.py` walks them all.
"""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.http import request
from tests.support.node import COMMAND, Node
from tests.support.packages import advertise

COMMAND_S_MAX: Final = 120.0


@dataclass
class Newcomer:
    """Somebody with an empty home, in which commands are run, and a node that runs elsewhere."""

    home: Path
    node: Node
    environment: dict[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    code: int | None = None

    def run(self, *arguments: str, answers: str = "") -> str:
        """Run `bigchaindb` and return all that it prints; its exit code is in `code`."""
        return self.call(*self.prefix, *COMMAND, *arguments, answers=answers)

    def call(self, *command: str, answers: str = "", cwd: Path | None = None) -> str:
        """Run a command and return all that it prints; its exit code is in `code`."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("BIGCHAINDB_", "PYTHON"))}
        done = subprocess.run(
            command,
            input=answers,
            env={**inherited, "HOME": str(self.home), **self.environment},
            cwd=cwd or self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_S_MAX,
            check=False,
        )
        self.code = done.returncode
        return done.stdout

    def plugin(self, name: str, source: str) -> None:
        """Install a plugin with this source, as a package beside the node's own."""
        folder, module = self.home / f"package-{name}", f"{name}_plugin"
        advertise(folder, f"package-{name}", {name: module})
        (folder / f"{module}.py").write_text(source)
        paths = [*filter(None, [self.environment.get("PYTHONPATH")]), str(folder)]
        self.environment["PYTHONPATH"] = os.pathsep.join(paths)

    def ask(self, method: str, url: str, body: object = None) -> str:
        """Ask over HTTP and return the body of the answer; its status is in `code`."""
        answer = request(method, url, body)
        self.code = answer.status
        return answer.body.decode()

    def write(self, name: str, text: str) -> str:
        """Write a file of the home and return its path."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)


class Mistake(NamedTuple):
    """A mistake, and the parts that its text must have, in this order.

    Attributes:
        name: of the mistake, in words.
        make: makes it, and returns what is printed.
        what: happened.
        why: it happened.
        cure: what to do.
        code: the exit code of the last command, or the status of an answer of HTTP.
    """

    name: str
    make: Callable[[Newcomer], str]
    what: str
    why: str
    cure: str
    code: int = 1


def require_three_parts(mistake: Mistake, newcomer: Newcomer) -> None:
    """Make a mistake, and require that all three parts are printed, in their order, and no traceback."""
    printed = mistake.make(newcomer)
    place = 0
    for part in (mistake.what, mistake.why, mistake.cure):
        assert part in printed[place:], f"{part!r} is missing, or stands too early, in:\n{printed}"
        place = printed.index(part, place) + len(part)
    assert newcomer.code == mistake.code, printed
    assert "Traceback" not in printed
