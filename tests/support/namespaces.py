"""Other machines, as far as the network is concerned: network namespaces, each joined to this one by a cable."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from tests.support import services


class Machine(NamedTuple):
    """A namespace.

    Attributes:
        enter: what stands before a command that is to run in it.
        address: of this machine, as that one sees it.
    """

    enter: Sequence[str]
    address: str


@contextmanager
def machines(count: int) -> Iterator[Sequence[Machine]]:
    """Make machines; all of them end with the block.

    Raises:
        MissingServiceError: we are not root, who alone may.
    """
    services.require_root("network namespaces")
    services.require("ip")
    with ExitStack() as stack:
        yield [stack.enter_context(_machine(number)) for number in range(1, count + 1)]


@contextmanager
def _machine(number: int) -> Iterator[Machine]:
    waiting = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    with subprocess.Popen(["unshare", "-n", *waiting], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            holder.stdout.readline()  # it has its namespace
            enter = ("nsenter", "-t", str(holder.pid), "-n")
            ours, theirs = f"bdb{os.getpid()}-{number}"[-15:], "cable"
            _run("ip", "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", str(holder.pid))
            for command, name, last in (((), ours, 1), (enter, theirs, 2)):
                _run(*command, "ip", "address", "add", f"10.213.{number}.{last}/24", "dev", name)
                _run(*command, "ip", "link", "set", name, "up")
            yield Machine(enter, f"10.213.{number}.1")
        finally:
            holder.kill()  # the cable goes with the namespace


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
