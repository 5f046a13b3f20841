"""The published drivers behind one interface, so that one suite holds for all of them.

Each driver runs unmodified in a process and an environment of its own, an *agent* (`tests/acceptance/*/agent.*`). It is
told in lines of JSON what to call. What the agents share is the vocabulary; nothing of a driver is replaced.
"""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from tests.support import installed

Document: TypeAlias = dict[str, Any]
AGENTS: Final = Path(__file__).parents[1] / "acceptance"
PYTHON: Final = ("python-0.6.2", "python-0.5.3")
JAVASCRIPT: Final = ("javascript-4.3.0",)
VERSION_2: Final = (*PYTHON, *JAVASCRIPT)
"""The drivers that make "2.0" transactions."""
VERSION_1: Final = ("python-0.4.1", "javascript-3.2.0")
"""The drivers that make "1.0" transactions, for servers of 1.x."""


class KeyPair(NamedTuple):
    """A key pair in base58, made by the driver."""

    public: str
    private: str


class Recipient(NamedTuple):
    """One output: all of its owners must sign to spend it."""

    owners: tuple[KeyPair, ...]
    amount: int = 1


class Spend(NamedTuple):
    """An output of a transaction, and the keys that open it."""

    transaction: Document
    output_index: int
    owners: tuple[KeyPair, ...]


@dataclass
class RefusedError(Exception):
    """The error of a driver where the node does not answer with 2xx.

    Attributes:
        kind: the driver's exception class.
        status: the HTTP status; None when there was no answer.
        text: the body as it came; empty for drivers that do not read it.
    """

    kind: str
    status: int | None
    text: str

    def __str__(self) -> str:
        return f"{self.kind} {self.status}: {self.text}"


class Client:
    """One driver, connected to nodes."""

    def __init__(self, name: str, process: subprocess.Popen[bytes]) -> None:
        self.name = name
        self.reads_error_bodies = name.startswith("python")
        self._process = process

    def call(self, method: str, **arguments: Any) -> Any:
        """Call a method of the agent.

        Raises:
            RefusedError: the driver raised.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"method": method, "arguments": arguments}).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the agent of {self.name} ended with exit code {self._process.wait(60)}"
        answer = json.loads(line)
        if "raised" in answer:
            raise RefusedError(**answer["raised"])
        return answer["returned"]

    def keys(self) -> KeyPair:
        """Make a key pair."""
        return KeyPair(*self.call("keys"))

    def create(
        self, owner: KeyPair, recipients: Sequence[Recipient] = (), *, data: object = None, metadata: object = None
    ) -> Document:
        """Sign a CREATE; without recipients its one share is the signer's."""
        outputs = _outputs(recipients or [Recipient((owner,))])
        signed: Document = self.call("create", signer=owner, outputs=outputs, data=data, metadata=metadata)
        return signed

    def transfer(
        self, spends: Sequence[Spend], recipients: Sequence[Recipient], *, metadata: object = None
    ) -> Document:
        """Sign a TRANSFER of one asset."""
        inputs = [
            {"transaction": one.transaction, "output_index": one.output_index, "owners": one.owners} for one in spends
        ]
        signed: Document = self.call("transfer", inputs=inputs, outputs=_outputs(recipients), metadata=metadata)
        return signed

    def post(self, transaction: Document, mode: str = "commit") -> Document:
        """Send a transaction by the driver's call for the mode; return what the driver returns."""
        answer: Document = self.call("post", transaction=transaction, mode=mode)
        return answer

    def commit(self, transaction: Document) -> Document:
        """Send a transaction, wait until it is committed, and return it."""
        assert self.post(transaction) == transaction
        return transaction

    def retrieve(self, transaction_id: str) -> Document:
        """Get a transaction."""
        found: Document = self.call("retrieve", id=transaction_id)
        return found

    def transactions(self, asset_id: str, operation: str | None = None) -> list[Document]:
        """Get the transactions of an asset."""
        found: list[Document] = self.call("transactions", asset_id=asset_id, operation=operation)
        return found

    def outputs(self, owner: KeyPair, *, spent: bool | None = None) -> list[tuple[str, int]]:
        """List the outputs of a key as (transaction id, index)."""
        found = self.call("outputs", public_key=owner.public, spent=spent)
        return [(one["transaction_id"], one["output_index"]) for one in found]

    def height(self, transaction_id: str) -> int | None:
        """Get the height of the block that holds a transaction."""
        found: int | None = self.call("height", id=transaction_id)
        return found

    def block(self, height: int) -> Document:
        """Get a block."""
        found: Document = self.call("block", height=height)
        return found

    def search_assets(self, text: str, limit: int | None = None) -> list[Document]:
        """Search in assets."""
        found: list[Document] = self.call("search_assets", text=text, limit=limit)
        return found

    def search_metadata(self, text: str, limit: int | None = None) -> list[Document]:
        """Search in metadata."""
        found: list[Document] = self.call("search_metadata", text=text, limit=limit)
        return found


def _outputs(recipients: Sequence[Recipient]) -> list[Document]:
    return [{"owners": [owner.public for owner in one.owners], "amount": one.amount} for one in recipients]


@contextmanager
def connected(name: str, *urls: str, key: str | None = None) -> Iterator[Client]:
    """Start a driver's agent, connect it to the nodes in the order given, end it afterwards.

    Args:
        name: the driver's language and release, such as `python-0.6.2`.
        urls: nodes without path; each driver adds what its manual says.
        key: an access key, which each driver shows in the way that it has.
    """
    process = subprocess.Popen(_command(name), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        client = Client(name, process)
        try:
            client.call("connect", urls=list(urls), key=key)
            yield client
        finally:
            process.kill()


def _command(name: str) -> list[str]:
    language, release = name.split("-")
    if language == "python":
        interpreter = installed.python_environment(f"python-driver-{release}")
        return [str(interpreter), "-I", "-W", "ignore", str(AGENTS / "python/agent.py")]
    folder = AGENTS / "javascript" / release
    packages = installed.javascript_packages(folder / "package.json")
    return [str(installed.node()), str(folder / "agent.js"), str(packages)]
