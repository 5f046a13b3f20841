"""Suites of sinks wait as long as a sink gets on: the last wait of a long chain has most of it before it."""

from collections.abc import Iterator
from typing import cast

import pytest

from bigchaindb.simulated.rehearsal import Rehearsal
from bigchaindb.testing import targets

LOOKS = 5


class Seen:
    """A run that shows another position at each look, up to the last one."""

    def __init__(self, positions: Iterator[int]) -> None:
        self.positions = positions
        self.position = 0

    def status(self) -> "Seen":
        self.position = next(self.positions, self.position)
        return self


async def test_they_wait_as_long_as_events_are_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "WITHIN_S", targets.POLL_S / 2)  # every look comes behind the deadline before it
    run = Seen(iter(range(1_000)))
    await targets.until(lambda: run.position > LOOKS, "five of them", cast("Rehearsal", run))


async def test_they_do_not_wait_for_a_sink_that_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "WITHIN_S", targets.POLL_S / 2)
    run = Seen(iter([7]))
    with pytest.raises(AssertionError, match=r"^waited 0\.01 s for more; the lane: <.*Seen object"):
        await targets.until(lambda: False, "more", cast("Rehearsal", run))
