"""Blocks and heavy checks in turns, neither of them for long."""

import asyncio

import pytest

from bigchaindb.engine import turns
from bigchaindb.engine.turns import Turns


async def test_each_waits_for_the_other_and_for_nothing_else() -> None:
    taking, done = Turns(), list[str]()

    async def check() -> None:
        async with taking.check():
            done.append("check")

    async def block() -> None:
        async with taking.block():
            done.append("block")

    async with taking.block():
        waiting = asyncio.create_task(check())
        await asyncio.sleep(0)
        done.append("first block")
    await waiting
    async with taking.check():
        waiting = asyncio.create_task(block())
        await asyncio.sleep(0)
        done.append("second check")
    await waiting
    assert done == ["first block", "check", "second check", "block"]


async def test_neither_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that always writes a block checks heavy documents all the same; no block waits for 7,000 signatures."""
    monkeypatch.setattr(turns, "CHECK_WAIT_S_MAX", 0.01)
    monkeypatch.setattr(turns, "BLOCK_WAIT_S_MAX", 0.01)
    taking = Turns()
    async with taking.block(), taking.check(), taking.block():
        pass


async def test_a_turn_ends_with_what_failed_in_it() -> None:
    taking = Turns()
    with pytest.raises(ValueError, match="of no use"):
        async with taking.block():
            raise ValueError("of no use")
    assert taking._no_block.is_set()
