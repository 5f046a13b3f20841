"""Runs on which a sink and its service are killed again and again, evenly over a chain.

See `bigchaindb.testing.sinks`.
"""

import asyncio
import os
import random
import signal
from contextlib import suppress
from typing import Final, NamedTuple

from bigchaindb.simulated.chain import Recipe
from bigchaindb.simulated.rehearsal import Rehearsal
from bigchaindb.testing.targets import Service, until

MOMENT_S: Final = 0.005
"""A kill comes so long at most after a block was committed."""


class KillRun(NamedTuple):
    """The amount that is passed on, and the number of kills on the way.

    Attributes:
        blocks: of the chain, at least two for each kill.
        transactions: in each block, and a message of each.
        service_kills: of the service, which is started again at once.
        plugin_kills: of the sink's process.
    """

    blocks: int = 60
    transactions: int = 4
    service_kills: int = 2
    plugin_kills: int = 3

    @property
    def recipe(self) -> Recipe:
        """The recipe of the chain."""
        return Recipe(blocks=self.blocks, transactions=self.transactions, invalid=0.1, seed=7)


async def among_kills(run: Rehearsal, plan: KillRun, service: Service | None) -> None:
    """Grow the chain to its end by a part for each kill, which comes within it; the sink gets on between two kills."""
    draws = random.Random("kills of a run")  # noqa: S311 - to be drawn again
    victims = ["service"] * (plan.service_kills if service else 0) + ["plugin"] * plan.plugin_kills
    draws.shuffle(victims)
    part, settled = plan.blocks / len(victims), 0
    for number, victim in enumerate(victims):
        await until(lambda settled=settled: run.status().position >= settled, f"event {settled}", run)  # type: ignore[misc]
        end = int(part * (number + 1))
        await _grow(run, draws.randint(run.head + 1, end - 1))
        await asyncio.sleep(draws.random() * MOMENT_S)
        settled = min(run.status().position + 1, end)
        if service and victim == "service":
            service.kill()
            await _grow(run, end)
            await asyncio.to_thread(service.start)
        else:
            await until(lambda: run.status().pid, "a process to kill", run)
            pid = run.status().pid
            assert pid is not None
            with suppress(ProcessLookupError):  # without its service it may have ended, and nobody has noticed yet
                os.kill(pid, signal.SIGKILL)
            await until(lambda pid=pid: run.status().pid != pid, "its end to be noticed", run)  # type: ignore[misc]
            await _grow(run, end)


async def _grow(run: Rehearsal, head: int) -> None:
    """Grow the chain block by block: the supervisor and the sink have work to do between two of them."""
    while run.head < head:
        run.grow(1)
        await asyncio.sleep(0)
