"""Whose turn the next block is: who came with little goes first, and heavy transactions have a share of the time.

A block that holds 60,000 new words keeps the writer for 50 ms and cannot be cut, so it must begin when fewest wait for
its end. Belongs to the event loop.
"""

from collections.abc import Sequence
from typing import Final

from bigchaindb.config import Limits
from bigchaindb.ledger.pool import Pool
from bigchaindb.transaction.model import Transaction

LIGHT_BLOCKS_MAX: Final = 32
"""Blocks in a row without heavy transactions while such wait: a load may leave more to tidy up than is tidied."""
OTHERS_SHARE: Final = 3
"""The writer's time that is everybody's after a block with a dear transaction, in times of that block's."""
QUIET_S: Final = 0.25
"""Time without other blocks after which dear ones need not wait for others."""


class Turns:
    """Chooses what the next block holds.

    Attributes:
        is_heavy: whether the last choice holds a heavy transaction.
    """

    def __init__(self, pool: Pool, limits: Limits) -> None:
        self.is_heavy = False
        self._pool = pool
        self._count_max, self._bytes_max = limits.block_count_max, limits.block_bytes_max
        self._light_count = 0
        self._is_dear = self._is_behind_others = False
        self._others_s = self._dear_from_s = float("-inf")

    def choose(self, now_s: float, *, is_untidy: bool, is_last: bool) -> Sequence[Transaction]:
        """Return what the next block holds; nothing: all that waits in the pool is heavy and has to wait.

        Args:
            now_s: monotonic.
            is_untidy: whether the writer has pieces left to tidy up: heavy ones wait until it has none.
            is_last: whether the engine stops, so that nobody comes any more.
        """
        may_wait = self._light_count < LIGHT_BLOCKS_MAX and not is_last
        if may_wait and (self.is_heavy or is_untidy) and (light := self._others(heavy_ms_max=0)):
            return self._note(light)
        if may_wait and is_untidy:
            return []
        if (is_last or self.wait_s(now_s) == 0) and (dear := self._pool.first_dear(bytes_max=self._bytes_max)):
            return self._note(dear, is_dear=True)
        return self._note(self._others())

    def wait_s(self, now_s: float) -> float:
        """Return the time until a dear transaction may be written if nobody else comes.

        Its block begins right behind one of others, of whom none waits then, or when there are none.
        """
        if self._is_behind_others and now_s >= self._dear_from_s:
            return 0.0
        return max(0.0, self._others_s + QUIET_S - now_s)

    def wrote(self, begin_s: float, end_s: float) -> None:
        """Note that the chosen block was written, and when."""
        if self._is_dear:
            self._dear_from_s = end_s + OTHERS_SHARE * (end_s - begin_s)
        else:
            self._others_s = end_s
        self._is_behind_others = not self._is_dear

    def waited(self) -> None:
        """Note that the engine had nothing to write."""
        self._is_behind_others = False

    def _others(self, **bound: float) -> Sequence[Transaction]:
        return self._pool.candidates(count_max=self._count_max, bytes_max=self._bytes_max, **bound)

    def _note(self, chosen: Sequence[Transaction], *, is_dear: bool = False) -> Sequence[Transaction]:
        if chosen:
            self._is_dear, self.is_heavy = is_dear, self._pool.has_heavy(chosen)
            self._light_count = self._light_count + 1 if self._pool.heavy_count and not self.is_heavy else 0
        return chosen
