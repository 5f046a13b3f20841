"""What targets of several sinks have alike; `bigchaindb.testing.targets` says what a target is."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

from bigchaindb.delivery import Message, Per
from bigchaindb.simulated.chain import Recipe
from bigchaindb.testing.kill_runs import KillRun
from bigchaindb.testing.sinks import RECIPE, Held, Service, Trouble, done, expected, passing, until
from tests.support import scale
from tests.support.servers import Startable
from tests.support.small_disk import small_disk

KILL_RUN: Final = KillRun(
    scale.SINK_RUN_BLOCKS,
    scale.SINK_RUN_TRANSACTIONS,
    service_kills=scale.SINK_RUN_SERVICE_KILLS,
    plugin_kills=scale.SINK_RUN_PLUGIN_KILLS,
)


class Freezable(Startable, Protocol):
    """A server that a test may stop where it is."""

    def freeze(self) -> None:
        """Stop it where it is."""

    def thaw(self) -> None:
        """Continue what `freeze` stopped."""


S = TypeVar("S", bound=Freezable)


class AtServer(Generic[S]):
    """A target at a server that may be killed and frozen.

    Attributes:
        server: that it is at.
    """

    server: S

    def start(self) -> None:
        self.server.start()

    def kill(self) -> None:
        self.server.kill()

    def freeze(self) -> None:
        self.server.freeze()

    def thaw(self) -> None:
        self.server.thaw()


async def held_after_a_hang(
    target: Service, sink: str, folder: Path, confirm_s: float, *, said: str
) -> tuple[Sequence[Held], Sequence[Message]]:
    """Freeze a server until the sink has left it, with more on its way than the machine takes off its hands.

    Return what the target holds in the end, and what it must.
    """
    recipe = Recipe(blocks=RECIPE.blocks, transactions=150, seed=7)
    async with passing(folder, sink, target.options(confirm_s=confirm_s), recipe) as run:
        run.grow(5)
        await until(lambda: run.status().position == 5, "the first five", run)
        target.freeze()
        try:
            run.grow(50)
            await until(lambda: run.errors, "the deadline", run)
            assert run.errors[0].endswith(said)
        finally:
            target.thaw()
        await done(run)
    return await asyncio.to_thread(target.held), expected(recipe, Per.BLOCK)


class InFile:
    """A file that a sink writes."""

    def __init__(self, path: Path, disks: ExitStack) -> None:
        self.path = path
        self.disks = disks

    def options(self, **more: Any) -> dict[str, Any]:
        return {"path": str(self.path), **more}

    def missing(self) -> Trouble:
        folder = self.path.parent / "later"
        self.path = folder / self.path.name
        said = f"{self.path}: cannot be made: there is no folder {folder}; make it, or give another path"
        return Trouble(self.options(), folder.mkdir, said)

    def on_full_disk(self, size_mib: int, said: str, but: int = 0) -> Trouble:
        """Move it to a disk of this size that has room for `but` bytes."""
        disk = self.disks.enter_context(small_disk(self.path.parent / "disk", size_bytes=size_mib * 1024 * 1024))
        self.path = disk.path / self.path.name
        disk.fill(but=but)
        return Trouble(self.options(), disk.make_room, said)

    def places(self) -> Collection[str]:
        return {one.name for one in self.path.parent.iterdir()}
