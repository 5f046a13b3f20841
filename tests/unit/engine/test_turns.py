"""Whose turn the next block is, by a clock of the test's own."""

from collections.abc import Sequence

import pytest

from bigchaindb.config import Limits
from bigchaindb.engine.turns import LIGHT_BLOCKS_MAX, OTHERS_SHARE, QUIET_S, Turns
from bigchaindb.ledger.pool import Pool
from bigchaindb.transaction import Transaction
from tests.support.chains import Committed, create
from tests.support.pools import wordy

LIGHT = [create(serial) for serial in range(LIGHT_BLOCKS_MAX + 2)]
HEAVY = [wordy(serial, 1_000) for serial in (1, 2)]
DEAR = [wordy(serial, 20_000) for serial in (3, 4)]
BLOCK_S = 0.05


class Writer:
    """A pool, its turns, and a clock; each block takes 50 ms."""

    def __init__(self, *waiting: Transaction) -> None:
        self.pool = Pool(count_max=100, bytes_max=64_000_000)
        self.turns = Turns(self.pool, Limits())
        self.now_s = 100.0
        self.is_untidy = self.is_last = False
        self.put(*waiting)

    def put(self, *transactions: Transaction) -> None:
        for one in transactions:
            self.pool.admit(one, Committed(), signatures_valid=True)

    def write(self) -> Sequence[Transaction]:
        """Write the next block; return what it holds."""
        chosen = self.turns.choose(self.now_s, is_untidy=self.is_untidy, is_last=self.is_last)
        if chosen:
            self.now_s += BLOCK_S
            self.turns.wrote(self.now_s - BLOCK_S, self.now_s)
            self.pool.remove([one.id for one in chosen])
        else:
            self.turns.waited()
        return chosen


def test_alone_a_dear_transaction_waits_for_nobody() -> None:
    writer = Writer(*DEAR)
    assert [writer.write(), writer.write()] == [[one] for one in DEAR]


def test_light_ones_never_share_a_block_with_a_dear_one() -> None:
    """They would wait for all of it."""
    writer = Writer(LIGHT[0])
    writer.write()
    writer.put(DEAR[0], LIGHT[1], HEAVY[0])
    assert writer.write() == [DEAR[0]]
    writer.put(LIGHT[2])
    assert writer.write() == [LIGHT[1], LIGHT[2]]
    assert writer.write() == [HEAVY[0]]


def test_a_dear_one_begins_right_behind_a_block_of_others() -> None:
    """Nobody waits then; a moment later somebody does."""
    writer = Writer(LIGHT[0])
    writer.write()
    writer.turns.waited()
    writer.put(DEAR[0])
    assert writer.write() == []
    assert writer.turns.wait_s(writer.now_s) == pytest.approx(QUIET_S)
    writer.put(LIGHT[1])
    assert [writer.write(), writer.write()] == [[LIGHT[1]], [DEAR[0]]]


def test_a_dear_one_waits_no_longer_than_others_come() -> None:
    writer = Writer(LIGHT[0])
    writer.write()
    writer.turns.waited()
    writer.put(DEAR[0])
    writer.now_s += QUIET_S
    assert writer.write() == [DEAR[0]]


def test_most_of_the_time_is_others() -> None:
    """A stranger's documents must not take half of it."""
    writer = Writer(LIGHT[0])
    writer.write()
    writer.put(*DEAR)
    assert writer.write() == [DEAR[0]]
    for light in LIGHT[1:4]:
        writer.put(light)
        assert writer.write() == [light]
    assert writer.write() == [DEAR[1]]


def test_a_dear_one_does_not_begin_right_behind_another() -> None:
    """Others may come within the time that is theirs, and a moment later."""
    writer = Writer(LIGHT[0])
    writer.write()
    writer.put(*DEAR)
    assert writer.write() == [DEAR[0]]
    writer.now_s += OTHERS_SHARE * BLOCK_S
    assert writer.write() == []
    writer.now_s += QUIET_S
    assert writer.write() == [DEAR[1]]


def test_heavy_ones_wait_until_all_is_tidy_but_not_for_ever() -> None:
    """A load may leave more to tidy up than is tidied."""
    writer = Writer(HEAVY[0], DEAR[0])
    writer.is_untidy = True
    assert writer.write() == []
    blocks = []
    for light in LIGHT:
        writer.put(light)
        blocks.append(writer.write())
    assert blocks[:LIGHT_BLOCKS_MAX] == [[light] for light in LIGHT[:LIGHT_BLOCKS_MAX]]
    assert blocks[LIGHT_BLOCKS_MAX] == [DEAR[0]]


def test_light_blocks_while_no_heavy_one_waits_do_not_count() -> None:
    writer = Writer()
    for light in LIGHT:
        writer.put(light)
        writer.write()
    writer.is_untidy = True
    writer.put(HEAVY[0])
    assert writer.write() == []


def test_at_a_stop_nothing_waits() -> None:
    """A clean stop commits all that was accepted, within a second or two."""
    writer = Writer(LIGHT[0])
    writer.write()
    writer.turns.waited()
    writer.put(*DEAR, *HEAVY)
    writer.is_untidy = writer.is_last = True
    assert [writer.write(), writer.write(), writer.write()] == [[DEAR[0]], [DEAR[1]], HEAVY]
