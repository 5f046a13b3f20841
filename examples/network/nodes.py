"""Four nodes on one machine, made with the command line as by four operators, then started and ended."""

import asyncio
import json
import os
import shlex
import shutil
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bigchaindb.config import Settings
from bigchaindb.config.load import load_all
from bigchaindb.serving.processes import lock_owner
from bigchaindb.store.directory import DataDirectory

COUNT: Final = 4
"""The fewest of which one may fail: more than two thirds of the votes decide."""
PORTS: Final = (9984, 9985, 26656)
"""Of node 1: HTTP, WebSocket, peers. Each further node has those ten above, or the next that are free."""
STOP_S_MAX: Final = 10.0
PROGRAM: Final = Path(sys.executable).with_name("bigchaindb")


class FailedCommandError(Exception):
    """A command failed; the message is the command's own."""


@dataclass
class LocalNode:
    """One of the nodes. All its files are in `folder`."""

    number: int
    folder: Path
    process: asyncio.subprocess.Process | None = None

    @property
    def configuration(self) -> Path:
        return self.folder / "bigchaindb.json"

    @property
    def console(self) -> Path:
        """Output of its plugins."""
        return self.folder / "console.txt"

    @property
    def log(self) -> Path:
        return self.folder / "node.log"

    @property
    def genesis(self) -> Path:
        return self.folder / "data" / "cometbft" / "config" / "genesis.json"

    @property
    def lock(self) -> Path:
        """File with the id of the process that runs the node."""
        return DataDirectory(self.folder / "data").lock

    @property
    def pid(self) -> int | None:
        """The process that runs the node, whoever started it."""
        return lock_owner(self.lock)

    @property
    def is_starting(self) -> bool:
        """Whether it was started here and does not own its data yet."""
        return self.process is not None and self.process.returncode is None and self.pid is None

    @property
    def has_ended(self) -> bool:
        """Whether it was started here and has ended."""
        return self.process is not None and self.process.returncode is not None and self.pid is None

    def command(self, *arguments: str) -> str:
        """Return a command about this node, as a person types it in the checkout."""
        return shlex.join([shown(PROGRAM), "-c", shown(self.configuration), *arguments])

    def settings(self) -> Settings:
        return load_all(self.configuration, clean_environment()).settings

    async def start(self) -> None:
        with self.console.open("ab") as console, self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                PROGRAM,
                "-c",
                self.configuration,
                "start",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=console,
                stderr=log,
                env=clean_environment(),
            )

    async def stop(self) -> None:
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), STOP_S_MAX)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


def nodes_in(folder: Path) -> list[LocalNode]:
    return [LocalNode(number, folder / str(number)) for number in range(1, COUNT + 1)]


async def make_network(folder: Path, nodes: Sequence[LocalNode], cometbft: Path) -> None:
    """Make a network of the nodes. Each command is printed as an operator types it.

    Raises:
        FailedCommandError: a command failed, or the folder holds other files than nodes of an earlier run.
    """
    _make_folders(folder, nodes, cometbft)
    first, *others = nodes
    print("==> the validators: each operator sends a line to one of them", flush=True)
    lines = [await _run(node, "network", "id", "--name", f"node-{node.number}") for node in nodes]
    validators = folder / "validators"
    validators.write_text("".join(lines))
    print("==> one operator founds the network, the others join it", flush=True)
    await _run(first, "network", "init", "--validators", shown(validators))
    peers = ",".join(json.loads(line)["peer"] for line in lines)
    for node in others:
        await _run(node, "network", "join", shown(first.genesis), "--peers", peers)
    await _run(first, "keys", "new", "--output", shown(folder / "alice.json"))


def _make_folders(folder: Path, nodes: Sequence[LocalNode], cometbft: Path) -> None:
    """Begin anew, with nothing but each node's configuration."""
    if folder.exists() and any(folder.iterdir()) and not nodes[0].configuration.exists():
        raise FailedCommandError(f"{shown(folder)} exists and holds no network: name another folder")
    shutil.rmtree(folder, ignore_errors=True)
    for node, ports in zip(nodes, _free_ports(), strict=True):
        node.folder.mkdir(parents=True, mode=0o700)
        node.configuration.write_text(json.dumps(_configuration(node, ports, cometbft), indent=4) + "\n")


def clean_environment() -> dict[str, str]:
    """Return the environment without settings: one for all nodes would be wrong for three of them."""
    return {name: value for name, value in os.environ.items() if not name.startswith("BIGCHAINDB_")}


def shown(path: Path) -> str:
    """Return the shortest form of a path in the working directory."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _configuration(node: LocalNode, ports: tuple[int, ...], cometbft: Path) -> dict[str, Any]:
    http, stream, peers = ports
    return {
        "database": {"path": str(node.folder / "data")},
        "server": {"bind": f"localhost:{http}"},
        "wsserver": {"port": stream},
        "network": {
            "bind": f"127.0.0.1:{peers}",
            "external_address": f"127.0.0.1:{peers}",
            "cometbft": str(cometbft),
        },
        "events_plugins": ["console_print"] if node.number == 1 else [],
    }


async def _run(node: LocalNode, *arguments: str) -> str:
    print(f"    {node.command(*arguments)}", flush=True)
    done = await asyncio.create_subprocess_exec(
        PROGRAM,
        "-c",
        node.configuration,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=clean_environment(),
    )
    output, said = await done.communicate()
    if done.returncode:
        raise FailedCommandError(said.decode(errors="replace").strip())
    return output.decode()


def _free_ports() -> Iterator[tuple[int, ...]]:
    """Yield the ports of one node after the other."""
    taken: set[int] = set()
    for number in range(COUNT):
        ports = []
        for first in PORTS:
            port = first + 10 * number
            while port in taken or not _is_free(port):
                port += 1
            taken.add(port)
            ports.append(port)
        yield tuple(ports)


def _is_free(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
