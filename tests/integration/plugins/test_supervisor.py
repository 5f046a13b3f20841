"""Plugins in real processes, over a real store."""

import asyncio
from collections.abc import Callable

from tests.integration.plugins.conftest import Running


async def until(condition: Callable[[], object], *, what: str, within_s: float = 20) -> None:
    """Wait for a condition while the loop goes on."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while not condition():
        assert loop.time() < deadline, f"waited {within_s} s for {what}"
        await asyncio.sleep(0.005)


async def test_a_plugin_gets_every_event_in_order(running: Running) -> None:
    running.commit(300)
    await running.run()
    running.commit(300)
    await until(lambda: len(running.seen()) >= 600, what="600 events")
    assert running.positions() == list(range(1, 601))
