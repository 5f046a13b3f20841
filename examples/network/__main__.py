"""`make network`: four nodes on this machine that vote on one ledger, until Ctrl-C. The argument is their folder."""

import asyncio
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bigchaindb.engine.cometbft import binary
from bigchaindb.errors import BigchainDBError, StartupError
from examples.network.nodes import STOP_S_MAX, FailedCommandError, LocalNode, make_network, nodes_in, shown
from examples.network.table import Display
from tests.support import installed
from tests.support.cometbft import NAME, PINS, VERSION, require_cometbft

LOOK_S: Final = 1.0
TELL_S: Final = 5.0
ASSET: Final = """--asset '{"hello": "'$(date +%T)'"}'"""
"""A new asset each time: nodes refuse a transaction that they have."""

HINTS: Final = """\
In another terminal:
  {create}
                                    create an asset through node 1
  {tail}
                                    print its event on node 3
  kill -9 $(cat {lock})
                                    kill node 2; the others go on. ENTER here starts it again, and it catches up
  {status}
                                    print the state of a node
  tail {log}
                                    print the log of a node, which names why it ended
Ctrl-C ends all nodes. `make network KEEP=1` continues with them."""


async def run(folder: Path, nodes: Sequence[LocalNode], cometbft: Path | None) -> None:
    """Make the nodes, if there is a program to make them with, else take those of an earlier run; run them.

    Raises:
        FailedCommandError: a command failed.
    """
    if cometbft is not None:
        await make_network(folder, nodes, cometbft)
    asked, ended = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    # A thread of its own, which dies with the process: a read of the terminal cannot be called off.
    threading.Thread(target=_listen, args=(loop, asked), daemon=True).start()
    try:
        await asyncio.gather(*(node.start() for node in nodes))
        await _show(nodes, asked, ended)
    finally:
        print(f"==> ending the nodes, {STOP_S_MAX:g} s at most", flush=True)
        await asyncio.gather(*(node.stop() for node in nodes))


async def _show(nodes: Sequence[LocalNode], asked: asyncio.Event, ended: asyncio.Event) -> None:
    display = Display(nodes, _hints(nodes))
    while not ended.is_set():
        await display.update()
        if asked.is_set():
            asked.clear()
            await asyncio.gather(*(node.start() for node in nodes if node.has_ended))
        waiting = [asyncio.create_task(event.wait()) for event in (asked, ended)]
        await asyncio.wait(waiting, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()


def _listen(loop: asyncio.AbstractEventLoop, asked: asyncio.Event) -> None:
    """Set `asked` at each ENTER, until the end of the input."""
    for _ in sys.stdin:
        loop.call_soon_threadsafe(asked.set)


@contextmanager
def _telling(what: str) -> Iterator[None]:
    """Print what is waited for, then every few seconds for how long."""
    done = threading.Event()

    def tell() -> None:
        began_s = time.monotonic()
        while not done.wait(TELL_S):
            print(f"==> {what}: {time.monotonic() - began_s:.0f} s so far", flush=True)

    print(f"==> {what}", flush=True)
    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _cometbft() -> Path:
    """Return the CometBFT of this machine; build it first if need be, which takes some minutes.

    Raises:
        StartupError: it must be built, and there is no Go. The tests' builds install one; a demonstration does not.
    """
    try:
        return binary.find(None)
    except StartupError:
        if not installed.is_made(NAME, PINS) and shutil.which("go") is None:
            raise StartupError(
                f"CometBFT {VERSION} is missing, and so is Go 1.22 or newer, which builds it: put Go on the PATH, from "
                "https://go.dev/dl/, or install CometBFT as docs/how-to/form-a-network.md does"
            ) from None
        with _telling("CometBFT is built, about 2 to 5 minutes, once; Ctrl-C ends it"):
            return require_cometbft()


def _hints(nodes: Sequence[LocalNode]) -> str:
    first, second, third, *_ = nodes
    key = shown(first.folder.with_name("alice.json"))
    return HINTS.format(
        create=f"{first.command('transactions', 'create', '--key-file', key)} {ASSET}",
        tail=third.command("events", "tail"),
        lock=shown(second.lock),
        status=second.command("network", "status"),
        log=shown(second.log),
    )


def main() -> None:
    """Run the nodes; end with one line on an error."""
    folder = Path(sys.argv[1]).absolute()
    nodes = nodes_in(folder)
    try:
        if running := [node for node in nodes if node.pid is not None]:
            raise StartupError(f"node {running[0].number} already runs, process {running[0].pid}: end it first")
        is_kept = bool(os.environ.get("KEEP")) and all(node.genesis.exists() for node in nodes)
        cometbft = None if is_kept else _cometbft()  # outside of the loop, which would keep Ctrl-C from a build
        asyncio.run(run(folder, nodes, cometbft))
    except (BigchainDBError, FailedCommandError, RuntimeError) as error:
        sys.exit(f"network: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


main()
