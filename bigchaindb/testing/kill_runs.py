"""Runs on which a sink and its service are killed again and again, evenly over a chain.

See `bigchaindb.testing.sinks`.
"""

import asyncio
import os
import random
import signal
from typing import Final, NamedTuple

from bigchaindb.simulated.chain import Recipe
from bigchaindb.simulated.rehearsal import Rehearsal
from bigchaindb.testing.targets import Service, until

MOMENT_S: Final = 0.03
"""A kill comes so long at most after something is on its way."""


class KillRun(NamedTuple):
    """The amount that is passed on, and the number of kills on the way.

    Attributes:
        blocks: of the chain.
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
    """Grow the chain to its end, by one part before each kill; half of the part before is settled by then."""
    draws = random.Random("kills of a run")  # noqa: S311 - to be drawn again
    victims = ["service"] * (plan.service_kills if service else 0) + ["plugin"] * plan.plugin_kills
    draws.shuffle(victims)
    part = plan.blocks / len(victims)
    for number, victim in enumerate(victims):
        due = int(part * (number - 0.5))
        await until(lambda due=due: run.status().position >= due, f"event {due}", run)  # type: ignore[misc]
        head = run.head
        while run.head < int(part * (number + 1)):
            run.grow(1)
            await asyncio.sleep(0)  # the supervisor has work to do between two blocks
        await until(lambda head=head: run.status().in_hand or run.status().position > head, "load", run)  # type: ignore[misc]
        await asyncio.sleep(draws.random() * MOMENT_S)
        if service and victim == "service":
            service.kill()
            await asyncio.to_thread(service.start)
        else:
            await until(lambda: run.status().pid, "a process to kill", run)
            pid = run.status().pid or 0
            os.kill(pid, signal.SIGKILL)
            await until(lambda pid=pid: run.status().pid != pid, "its end to be noticed", run)  # type: ignore[misc]
