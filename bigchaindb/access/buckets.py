"""Token buckets: how often someone may do something. Pure: the time is an argument.

A bucket is one number, the time at which it will be full again. That time moves by the same step for each token that is
taken, so a bucket needs no work while nobody takes from it, and a look-up costs some 0.3 µs.
"""

from collections import OrderedDict
from typing import Final

from bigchaindb.config.access import Rate

_ROUNDING: Final = 1e-3
"""Part of a token that may be missing: sums of floating-point times are not exact."""


class Buckets:
    """A bucket for each name, all of one rate. The least recently used one is forgotten, which fills it."""

    def __init__(self, rate: Rate, *, count_max: int) -> None:
        """Begin with full buckets.

        Args:
            rate: of each bucket.
            count_max: buckets that are remembered: strangers can have as many names as they like.
        """
        self._step_s = 1.0 / rate.per_s
        self._ahead_s_max = (rate.burst - 1.0 + _ROUNDING) * self._step_s
        self._count_max = count_max
        self._full_s: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_s)

    def take(self, name: str, now_s: float) -> float:
        """Take a token; return 0, or the time until there is one if the bucket is empty.

        Args:
            name: of the bucket.
            now_s: a time that never goes back, above 0.
        """
        full_s = self._full_s
        since_s = full_s.get(name, 0.0)
        since_s = max(since_s, now_s)
        ahead_s = since_s - now_s
        if ahead_s > self._ahead_s_max:
            full_s.move_to_end(name)  # Whoever is refused must not be forgotten while asking.
            return ahead_s - self._ahead_s_max
        full_s[name] = since_s + self._step_s
        full_s.move_to_end(name)
        if len(full_s) > self._count_max:
            full_s.popitem(last=False)
        return 0.0
