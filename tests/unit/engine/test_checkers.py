"""Threads that check: what a vote needs does not wait behind what clients and peers sent."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

from bigchaindb.engine.checkers import Checkers
from bigchaindb.ledger.validating import ParseResult
from tests.support.chains import create
from tests.support.ledgers import ledger_over, open_store

FLOOD, BLOCK = create(1).body, create(2).body


async def test_a_block_is_examined_while_a_flood_keeps_the_checkers_busy(tmp_path: Path) -> None:
    with open_store(tmp_path / "data") as store:
        ledger, gate = ledger_over(store.writer), threading.Event()

        class Slow:
            def verify(self, bodies: Sequence[bytes]) -> list[ParseResult]:
                if FLOOD in bodies:
                    gate.wait()
                return ledger.verify(bodies)

            def forget(self, bodies: Sequence[bytes]) -> None:
                ledger.forget(bodies)

        checkers = Checkers(Slow(), store.writer, 2)
        flood = [asyncio.create_task(checkers.check([FLOOD])) for _ in range(6)]
        await asyncio.sleep(0)  # all of it is in the threads' queue
        async with asyncio.timeout(10):
            await checkers.verify([BLOCK])
        assert not any(task.done() for task in flood)
        gate.set()
        await asyncio.gather(*flood)
        checkers.close()
