"""Plugins get what they are owed, whatever dies, fills up, jumps or is ordered: one seed a history.

`SEED=N pytest tests/simulation/delivery` repeats one. `BIGCHAINDB_SIMULATION_COUNT` says how many are played.
"""

import os
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from tests.simulation.delivery.history import play

COUNT: Final = int(os.environ.get("BIGCHAINDB_SIMULATION_COUNT", "32"))
FIRST: Final = int(os.environ.get("BIGCHAINDB_SIMULATION_FIRST", "0"))
SEEDS: Final = [int(os.environ["SEED"])] if "SEED" in os.environ else range(FIRST, FIRST + COUNT)
KINDS: Final = (
    *("node is killed", "power is cut", "node stops", "disk fails", "clock jumps", "log has a hole", "lane is gapped"),
    *("event is set aside", "event is skipped", "process is replaced", "order done", "order refused"),
)

_seen: Final[Counter[str]] = Counter()


@pytest.mark.parametrize("seed", SEEDS)
def test_plugins_get_what_they_are_owed(seed: int, folder: Path) -> None:
    """P2, P3, P6, P8, P9, P11, P12, P15, E6."""
    history = play(seed, folder)
    _seen.update(history.counts)
    assert history.transcript[-1].endswith("end")


@pytest.mark.skipif(len(SEEDS) < 32, reason="few histories need not hold all of it")
def test_the_histories_hold_every_kind_of_trouble() -> None:
    """A simulation in which nothing goes wrong shows nothing."""
    assert [kind for kind in KINDS if not _seen[kind]] == []


def test_a_seed_is_a_history(folder: Path) -> None:
    """A failure that cannot be repeated cannot be mended."""
    first, second = (play(SEEDS[0], folder / name).digest for name in ("first", "second"))
    assert first == second
