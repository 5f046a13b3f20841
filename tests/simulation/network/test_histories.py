"""A proposal is logged as invalid if more than two thirds reject it, and only then, by all alike: one seed a history.

`SEED=N pytest tests/simulation/network` repeats one. `BIGCHAINDB_SIMULATION_COUNT` says how many are played. What is
claimed stands in `oracle.py`.
"""

import os
from collections import Counter
from typing import Final

import pytest

from tests.simulation.network.history import History

COUNT: Final = int(os.environ.get("BIGCHAINDB_SIMULATION_COUNT", "25"))
FIRST: Final = int(os.environ.get("BIGCHAINDB_SIMULATION_FIRST", "0"))
SEEDS: Final = [int(os.environ["SEED"])] if "SEED" in os.environ else range(FIRST, FIRST + COUNT)
KINDS: Final = (
    *("rejected", "failed round", "one bad proposal", "several proposals at once", "logged as invalid", "committed"),
    *("owed at once", "owed in the end", "never logged", "restart", "node goes down", "late extension"),
    *("improper extension", "election", "validators change"),
)

_seen: Final[Counter[str]] = Counter()


@pytest.mark.parametrize("seed", SEEDS)
def test_what_two_thirds_reject_is_logged_and_nothing_else(seed: int) -> None:
    """A false event, a missing one, or another order on one node: plugins on two nodes would act differently."""
    print(f"seed {seed}; to repeat: SEED={seed} python -m pytest {__file__}")
    history = History(seed)
    history.play()
    _seen.update(history.counts)


@pytest.mark.skipif(len(SEEDS) < 25, reason="few histories need not hold all of it")
def test_the_histories_hold_every_kind_of_trouble() -> None:
    """A simulation in which nothing goes wrong shows nothing."""
    print(_seen)
    assert [kind for kind in KINDS if not _seen[kind]] == []


def test_a_seed_is_a_history() -> None:
    """A failure that cannot be repeated cannot be mended."""
    tips = []
    for _ in range(2):
        history = History(SEEDS[0])
        history.play()
        tips.append(history.nodes[0].store.tip())
    assert tips[0] == tips[1]
