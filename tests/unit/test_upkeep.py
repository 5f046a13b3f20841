"""Background tasks and threads of the node: none fails unseen."""

import asyncio
import logging
import threading

import pytest

from bigchaindb.upkeep import Beside
from tests.support.raw import until


async def fails() -> None:
    raise OSError(5, "Input/output error")


def raises(error: BaseException) -> None:
    raise error


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


async def test_a_thread_that_a_defect_ends_is_one_line_of_the_log_and_named(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Python writes its traceback to standard error, in no form of the log and with secrets unmasked."""
    beside = Beside()
    beside.start({"certificate": runs()})
    for error in (KeyError("a"), SystemExit()):  # an exit is no defect
        thread = threading.Thread(target=raises, args=(error,), name="feed")
        thread.start()
        thread.join()
    beside.stop()
    assert beside.failed == ["thread feed"]
    [record] = [one for one in caplog.records if one.levelno == logging.CRITICAL]
    assert record.getMessage().startswith("a defect has ended a thread of the node, and what it did is not done")
    assert (vars(record)["work"], vars(record)["why"]) == ("thread feed", "KeyError: 'a'")
    assert record.exc_info
    assert "Exception in thread" not in capfd.readouterr().err
    assert threading.excepthook is threading.__excepthook__, "as it was"
