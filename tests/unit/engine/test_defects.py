"""What a defect of this very software does to an engine: one document fails alone, a wrong state stops everything."""

import asyncio
import logging
from pathlib import Path

import pytest

from bigchaindb.engine.engine import Mode
from bigchaindb.errors import CheckFailed, DoubleSpend, EngineError, MalformedJson, Stopping
from bigchaindb.ledger.effects import Effects
from bigchaindb.transaction import Transaction
from tests.support.chains import Coin, create, transfer
from tests.support.engines import engine_over, running
from tests.support.ledgers import open_store
from tests.support.poison import poisoned

GOOD = [create(serial) for serial in range(5)]
BAD = [poisoned("fail", serial).body for serial in range(2)]


@pytest.mark.usefixtures("poison")
@pytest.mark.parametrize("mode", list(Mode))
async def test_a_document_that_meets_a_defect_fails_alone(
    tmp_path: Path, mode: Mode, caplog: pytest.LogCaptureFixture
) -> None:
    """Or anybody could stop a node, and all nodes of a network, by posting it."""
    good = [one.body for one in GOOD]
    bodies = [*good[:2], BAD[0], *good[2:], BAD[1], b"no JSON"]
    with open_store(tmp_path / "data") as store, caplog.at_level(logging.ERROR):
        async with running(engine_over(store.writer)) as engine:
            answers = await asyncio.gather(*(engine.submit(body, mode) for body in bodies), return_exceptions=True)
            with pytest.raises(CheckFailed):
                await engine.submit(BAD[0], mode)
            await engine.submit(transfer(Coin(GOOD[0])).body, mode)
            with pytest.raises(DoubleSpend):
                await engine.submit(transfer(Coin(GOOD[0]), note=1).body, mode)
        assert store.writer.tip().height > 0
    assert [one for one in answers if isinstance(one, Transaction)] == GOOD
    assert [type(answers[index]) for index in (2, 6, 7)] == [CheckFailed, CheckFailed, MalformedJson]
    assert len(caplog.records) == 3
    for record in caplog.records:
        assert vars(record)["traceback"].endswith("RuntimeError: nobody thought of this\n")
    assert vars(caplog.records[0])["document"] == repr(BAD[0])


async def test_a_defect_after_a_commit_stops_the_engine(tmp_path: Path) -> None:
    """What the engine knows is unknown then: it might take a second transaction that spends the same."""

    def failing(effects: Effects) -> None:
        raise RuntimeError(f"nobody thought of {effects.tip.position}")

    with open_store(tmp_path / "data") as store:
        engine = engine_over(store.writer, announce=failing)
        task = asyncio.create_task(engine.run())
        await engine.submit(GOOD[0].body, Mode.ASYNC)
        with pytest.raises(EngineError, match="nobody thought of 1") as caught:
            await asyncio.wait_for(task, 60)
        assert isinstance(caught.value.__cause__, RuntimeError)
        with pytest.raises(Stopping):
            await engine.submit(GOOD[1].body, Mode.ASYNC)
        assert store.writer.tip().height == 1
