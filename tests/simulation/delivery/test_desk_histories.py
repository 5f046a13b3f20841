"""Consumers get what a subscription owes them, whatever dies, fills up, jumps or is ordered: one seed a history.

`SEED=N pytest tests/simulation/delivery` repeats one.
"""

from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from tests.simulation.delivery.desk_author import play
from tests.support import scale

SEEDS: Final = scale.seeds(scale.DELIVERY_HISTORIES)
KINDS_WITHIN: Final = 400
"""Histories that hold every kind of trouble, the rarest of which is in one of twelve."""
KINDS: Final = (
    *("node is killed", "power is cut", "node stops", "disk fails", "clock jumps", "log has a hole", "lane is gapped"),
    *("event is set aside", "event is skipped", "lane is blocked", "order done", "order refused"),
    *("consumer leaves", "consumer is lost", "is taken back: order", "is taken back: late", "is taken back: ended"),
    *("answer is stale", "event comes again", "park is done"),
)


@pytest.mark.parametrize("seed", SEEDS)
def test_consumers_get_what_they_are_owed(seed: int, folder: Path) -> None:
    """P2, P4 to P6, P8, P9, P12, P15, P17 to P19, E6."""
    history = play(seed, folder)
    assert history.transcript[-1].endswith("end")


def test_the_histories_hold_every_kind_of_trouble(folder: Path) -> None:
    """A simulation in which nothing goes wrong shows nothing."""
    seen: Counter[str] = Counter()
    for seed in range(SEEDS[0], SEEDS[0] + KINDS_WITHIN):
        seen.update(play(seed, folder / str(seed)).counts)
        if all(seen[kind] for kind in KINDS):
            break
    assert [kind for kind in KINDS if not seen[kind]] == []


def test_a_seed_is_a_history(folder: Path) -> None:
    """A failure that cannot be repeated cannot be mended."""
    first, second = (play(SEEDS[0], folder / name).digest for name in ("first", "second"))
    assert first == second
