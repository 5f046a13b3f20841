"""Plugins and consumers get what they are owed, whatever dies, fills up, jumps or is ordered: one seed a history.

`SEED=N pytest tests/simulation/delivery` repeats one.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tests.simulation.delivery import author, desk_author
from tests.support import scale

SEEDS: Final = scale.seeds(scale.DELIVERY_HISTORIES)
KINDS_WITHIN: Final = 400
"""Histories that hold every kind of trouble, the rarest of which is in one of twelve."""
KINDS: Final = (
    *("node is killed", "power is cut", "node stops", "disk fails", "clock jumps", "log has a hole", "lane is gapped"),
    *("event is set aside", "event is skipped", "order done", "order refused"),
)


class Host(NamedTuple):
    """What a lane runs in a history.

    Attributes:
        play: plays the history of a seed.
        kinds: of trouble that this host alone knows.
    """

    play: Callable[[int, Path], Any]
    kinds: tuple[str, ...]


PROCESS: Final = Host(author.play, ("process is replaced",))
DESK: Final = Host(
    desk_author.play,
    (
        *("consumer leaves", "consumer is lost", "consumer stops taking"),
        *("lane is blocked", "answer is stale", "event comes again"),
        *("is taken back: order", "is taken back: late", "is taken back: ended", "park is done"),
        "subscription is made anew",
    ),
)
each_host = pytest.mark.parametrize("host", [pytest.param(PROCESS, id="process"), pytest.param(DESK, id="desk")])


@pytest.mark.parametrize("seed", SEEDS)
def test_plugins_get_what_they_are_owed(seed: int, folder: Path) -> None:
    """P2, P3, P6, P8, P9, P11, P12, P15, E6."""
    assert PROCESS.play(seed, folder).transcript[-1].endswith("end")


@pytest.mark.parametrize("seed", SEEDS)
def test_consumers_get_what_they_are_owed(seed: int, folder: Path) -> None:
    """P2, P4 to P6, P8, P9, P12, P15, P17 to P19, E6."""
    assert DESK.play(seed, folder).transcript[-1].endswith("end")


@pytest.mark.timeout(600)  # hundreds of histories, if a rare kind of trouble comes late
@each_host
def test_the_histories_hold_every_kind_of_trouble(host: Host, folder: Path) -> None:
    """A simulation in which nothing goes wrong shows nothing."""
    kinds, seen = (*KINDS, *host.kinds), Counter[str]()
    for seed in range(SEEDS[0], SEEDS[0] + KINDS_WITHIN):
        seen.update(host.play(seed, folder / str(seed)).counts)
        if all(seen[kind] for kind in kinds):
            break
    assert [kind for kind in kinds if not seen[kind]] == []


@each_host
def test_a_seed_is_a_history(host: Host, folder: Path) -> None:
    """A failure that cannot be repeated cannot be mended."""
    first, second = (host.play(SEEDS[0], folder / name).digest for name in ("first", "second"))
    assert first == second
