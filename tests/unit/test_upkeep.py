"""Works beside the node: none fails unseen."""

import asyncio
import logging

import pytest

from bigchaindb.upkeep import Beside
from tests.support.raw import until


async def fails() -> None:
    raise OSError(5, "Input/output error")


async def runs() -> None:
    await asyncio.Event().wait()


async def test_a_work_that_fails_is_logged_at_once_and_named(caplog: pytest.LogCaptureFixture) -> None:
    """asyncio shows the exception of a task when the task is collected, which is at the node's end."""
    beside = Beside()
    beside.start({"reserve of disk": fails(), "certificate": runs()})
    await until(lambda: bool(beside.failed), "the work that fails")
    beside.stop()
    await asyncio.sleep(0)
    assert beside.failed == ["reserve of disk"]
    [record] = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert vars(record)["work"] == "reserve of disk"
    assert vars(record)["why"] == "OSError: [Errno 5] Input/output error"
    assert record.exc_info
