"""A proposal is logged as invalid if more than two thirds reject it, and only then, by all alike: one seed a history.

`SEED=N pytest tests/simulation/network` repeats one. What is claimed stands in `oracle.py`.
"""

from collections import Counter
from typing import Final

import pytest

from tests.simulation.network.history import History
from tests.support import scale

SEEDS: Final = scale.seeds(scale.NETWORK_HISTORIES)
KINDS_WITHIN: Final = 400
"""Histories that hold every kind of trouble, the rarest of which is in three of four."""
KINDS: Final = (
    *("rejected", "failed round", "one bad proposal", "several proposals at once", "logged as invalid", "committed"),
    *("owed at once", "owed in the end", "never logged", "restart", "node goes down", "late extension"),
    *("improper extension", "election", "validators change"),
)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_two_thirds_reject_is_logged_and_nothing_else(seed: int) -> None:
    """A false event, a missing one, or another order on one node: plugins on two nodes would act differently."""
    print(f"seed {seed}; to repeat: SEED={seed} python -m pytest {__file__}")
    history = History(seed)
    history.play()


def test_the_histories_hold_every_kind_of_trouble() -> None:
    """A simulation in which nothing goes wrong shows nothing."""
    seen: Counter[str] = Counter()
    for seed in range(SEEDS[0], SEEDS[0] + KINDS_WITHIN):
        history = History(seed)
        history.play()
        seen.update(history.counts)
        if all(seen[kind] for kind in KINDS):
            break
    assert [kind for kind in KINDS if not seen[kind]] == []


def test_a_seed_is_a_history() -> None:
    """A failure that cannot be repeated cannot be mended."""
    tips = []
    for _ in range(2):
        history = History(SEEDS[0])
        history.play()
        tips.append(history.nodes[0].store.tip())
    assert tips[0] == tips[1]
