"""A mapping that is never changed: compared with a dictionary."""

import random
from collections.abc import Mapping

from bigchaindb.eventlog.spread import PART_COUNT, SMALL_COUNT, Spread, added


def test_it_is_the_dictionary_that_it_stands_for() -> None:
    draw, known = random.Random(1), dict[int, float]()
    entries: Mapping[int, float] = {}
    for _ in range(3 * SMALL_COUNT):
        number, value = draw.randrange(2 * SMALL_COUNT) << 20 | draw.randrange(3), draw.random()
        before = entries
        count = len(before)
        entries = added(entries, number, value)
        known[number] = value
        assert len(before) == count, "the one before stays as it was"
        assert entries[number] == value
    assert isinstance(entries, Spread)
    assert entries == known
    assert len(entries) == len(known)
    assert {*entries} == known.keys()
    assert entries.get(-1) is None


def test_a_copy_shares_all_parts_but_one() -> None:
    entries = added(dict.fromkeys(range(SMALL_COUNT), 0), SMALL_COUNT, 1)
    assert isinstance(entries, Spread)
    after = entries.added(3, 1)
    parts = zip(entries._parts, after._parts, strict=True)
    assert sum(one is other for one, other in parts) == PART_COUNT - 1
