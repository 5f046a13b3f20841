"""Makes a ledger that was lost again, from CometBFT's own blocks: the same events at the same positions.

CometBFT passes all its blocks to an application that has none, before it does anything else. That is done before
plugins start or ports open: to a plugin it is the log that it knows, and it resumes at its cursor.

Source: docs/decisions/0042.
"""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bigchaindb.belonging import has_all_blocks, has_remains, lost_ledger
from bigchaindb.config import Settings
from bigchaindb.engine.cometbft.files import Layout
from bigchaindb.errors import CometBftUnavailable, StartupError
from bigchaindb.files import sync
from bigchaindb.identity import find
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.store import Store
from bigchaindb.wired import Wired

if TYPE_CHECKING:
    from bigchaindb.engine.cometbft.rpc import CometBftRpc

MARK: Final = "replaying"
"""A file that exists while the ledger lacks blocks that CometBFT has: a start that was cut short goes on with it."""
POLL_S: Final = 0.1
SAY_S: Final = 5.0
"""Time between two lines about the progress."""

_log: Final = logging.getLogger(__name__)


def is_due(directory: DataDirectory) -> bool:
    """Whether the ledger is being made again."""
    return _mark(directory).exists()


def begin(settings: Settings) -> None:
    """Make an empty ledger in place of the lost one, to be filled by `replay`. Durable.

    Does nothing where no ledger is lost, or where this was done before.

    Raises:
        StartupError: CometBFT has not all blocks, or the node's key or what it has signed is missing as well.
    """
    directory = DataDirectory(settings.database.path)
    if not has_remains(directory) and not is_due(directory):
        return
    if not has_all_blocks(directory):
        raise StartupError(
            "--replay: CometBFT does not have every block of the ledger here: it has none, or the network began with a "
            f"ledger. {lost_ledger(directory) or ''}"
        )
    if find(settings) is None:
        raise StartupError(
            "--replay: the node's key pair is missing as well: put it back first, or set keypair.private"
        )
    if not (state := Layout(directory.path).validator_state).exists():
        raise StartupError(
            f"--replay: `{state}` is missing, the record of this node's last signature: put it back, or make sure "
            "that its old node runs nowhere, and then run `bigchaindb network signed HEIGHT`"
        )
    _mark(directory).touch(0o600)
    sync(directory.path)
    Store(directory.path, replays=True).close()


async def replay(store: Store, wired: Wired) -> None:
    """Run an engine until its ledger has every block that CometBFT has.

    Raises:
        EngineError: CometBFT or the ledger failed; what was made stays, and the next start goes on with it.
    """
    from bigchaindb.engine.cometbft.rpc import CometBftRpc  # with it an HTTP client, half of a node's start

    directory = store.directory
    rpc = CometBftRpc(Layout(directory.path).rpc)
    _log.info("the ledger is made again from CometBFT's blocks", extra={"height": store.writer.tip().height})
    deciding = asyncio.create_task(wired.engine.run())
    try:
        await _until_done(rpc, store, deciding)
    finally:
        wired.engine.stop()
        await rpc.close()
        await deciding
    tip = store.writer.tip()
    _mark(directory).unlink()
    sync(directory.path)
    _log.info("the ledger is whole again", extra={"height": tip.height, "position": tip.position})


async def _until_done(rpc: "CometBftRpc", store: Store, deciding: asyncio.Task[None]) -> None:
    """Wait until CometBFT answers: it does not before the application has all of its blocks."""
    loop = asyncio.get_running_loop()
    said_s = loop.time()
    while not deciding.done():
        with suppress(CometBftUnavailable):
            await rpc.status()
            return
        if loop.time() - said_s >= SAY_S:
            said_s = loop.time()
            tip = store.writer.tip()
            _log.info("the ledger is made again", extra={"height": tip.height, "position": tip.position})
        await asyncio.sleep(POLL_S)


def _mark(directory: DataDirectory) -> Path:
    return directory.path / MARK
